// matmul, linear and linearActivation on tensor cores: see matmul_mma.cu.
#pragma once
#include "cpu/products.h"
#include "cuda/gemm.h"

namespace athanor {
namespace cuda {

/** What a product of this call's factors would be computed with, if tensor cores may; else `exact` or `wide`. */
Arithmetic arithmetic_of(const Call& c);
/** The products of a call as a batch. */
Batch batch_of(const Products& p);

/** Where a call's products go, and what comes on top of them. */
template <class T>
StridedResult<T> result_of(const Call& c, const Products& p) {
  return {c.out[0].as<T>(),
          p.out_row,
          p.out_step,
          p.bias == nullptr ? nullptr : p.bias->as<const T>(),
          p.bias == nullptr ? 0 : p.bias->strides[0],
          p.finish};
}
/** Whether tensor cores take these products. */
bool fits_mma(const Call& c, const Products& p);
void run_mma(const Call& c, const Products& p);

}  // namespace cuda
}  // namespace athanor
