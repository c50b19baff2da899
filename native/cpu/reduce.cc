// Every REDUCE line of ops.def: a kernel over its dtypes and a table entry.
#include "cpu/fold.h"

#include "cpu/families.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

#define REDUCE(name, dtypes, Accumulator, start, of, fold, finish)         \
  void k_##name(const Call& c) {                                           \
    if (!with_##dtypes(c.in[0].dtype, [&](auto tag) {                      \
          using T = typename Readable<typename decltype(tag)::type>::type; \
          Fold<F_##name, T>::run(c);                                       \
        }))                                                                \
      refuse_dtype(c, c.in[0].dtype);                                      \
  }                                                                        \
  const Kernel kernels_##name[] = {{"fold", nullptr, k_##name}};
#include "ops.def"

}  // namespace

const OpKernels reduce[] = {
#define REDUCE(name, dtypes, Accumulator, start, of, fold, finish) {#name, kernels_##name, 1},
#include "ops.def"
    {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
