// matmul, linear and linearActivation of a matrix and a few vectors: see matmul_skinny.cu.
#pragma once
#include "cpu/products.h"
#include "cuda/gemm.h"

namespace athanor {
namespace cuda {

bool fits_skinny(const Products& p);
void run_skinny(const Call& c, const Products& p);

}  // namespace cuda
}  // namespace athanor
