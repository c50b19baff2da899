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
/** Whether tensor cores take these products. */
bool fits_mma(const Call& c, const Products& p);
void run_mma(const Call& c, const Products& p);

}  // namespace cuda
}  // namespace athanor
