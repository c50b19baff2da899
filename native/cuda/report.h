// How a kernel says that its data are wrong: the first complaint is kept, and told to whoever reads next.
#pragma once
#include "cuda/runtime.h"

namespace athanor {
namespace cuda {

#define COMPLAINT(name, text) complaint_##name,
enum : uint32_t {
#include "cuda/complaints.def"
};
#undef COMPLAINT

/** Where complaints about one call go; an argument of kernels. */
struct Complaints {
  DeviceReport* report;
  int32_t op;
  uint64_t sequence;

  __device__ void add(uint32_t what, int64_t given = 0, int64_t limit = 0) const {
    if (atomicCAS_system(&report->taken, 0u, 1u) != 0u) return;
    report->what = what;
    report->op = op;
    report->given = given;
    report->limit = limit;
    report->sequence = sequence;
    __threadfence_system();
    *const_cast<volatile uint32_t*>(&report->ready) = 1;
  }
};

inline Complaints complaints_of(const Call& c) {
  const DeviceContext& ctx = context_of(c);
  return {ctx.report, ctx.op, ctx.sequence};
}

}  // namespace cuda
}  // namespace athanor
