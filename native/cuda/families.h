// The families of CUDA kernels: each .cu file of this folder ends with its list, and adds one line to families.def.
#pragma once
#include "cuda/machine.h"

namespace athanor {
namespace cuda {

#define FAMILY(name) extern const OpKernels name[];
#include "cuda/families.def"
#undef FAMILY

/** Runs the first of an op's kernels that fits, for a family that makes use of another's. */
inline void run_first(const OpKernels& op, const Call& c) {
  for (int k = 0; k < op.count; ++k)
    if (op.kernels[k].fits == nullptr || op.kernels[k].fits(c)) return op.kernels[k].run(c);
}

}  // namespace cuda
}  // namespace athanor

/** One entry of a family's list: the op and its array of kernels, fastest first. */
#define ATHANOR_OP(op, kernels) {#op, kernels, static_cast<int>(sizeof(kernels) / sizeof(*kernels))}
