// Products of matrices on a device: the problem, and which kernel takes it. out[m, n] = f(sum over k of a[m, k] b[k, n]
// + bias[n]), one product or many of one size; any strides.
#pragma once
#include "cpu/products.h"
#include "cuda/fast_divide.h"
#include "cuda/runtime.h"
#include "math/functions.h"

namespace athanor {
namespace cuda {

/** The function that comes last, by the number that lib/ops/linear-rows.ts gives it. Whole numbers have none. */
template <class T>
__device__ __forceinline__ T finish_with([[maybe_unused]] int finish, T x) {
  if constexpr (T(0.5) != T(0)) {
    switch (finish) {
      case 1: return x < 0 ? T(0) : x;
      case 2: return m::sigmoid(x);
      case 3: return m::tanh(x);
      default: break;
    }
  }
  return x;
}

/** Where product number i begins in out, a and b. */
struct Batch {
  int ndim;
  uint32_t count;
  FastDivide sizes[kMaxDims];
  int64_t strides[3][kMaxDims];

  ATHANOR_INLINE_MEMBER void locate(uint32_t i, int64_t (&at)[3]) const {
    for (int k = 0; k < 3; ++k) at[k] = 0;
    for (int d = ndim - 1; d >= 0; --d) {
      const uint32_t above = sizes[d].quotient(i), index = i - above * sizes[d].divisor;
      for (int k = 0; k < 3; ++k) at[k] += index * strides[k][d];
      i = above;
    }
  }
};

/** An argument of the kernels: element types In and Out. */
template <class In, class Out>
struct Gemm {
  int64_t m, n, k;
  const In *a, *b;
  int64_t a_row, a_step;  // from row to row, and within a row
  int64_t b_row, b_step;
  Out* out;
  int64_t out_row, out_step;
  const Out* bias;  // one number a column, or null
  int64_t bias_step;
  int finish;
  Batch batch;
};

// ---- the choice: a pure function of the problem

enum class GemmFamily {
  simt,  // multiply-adds of the ordinary units: exact, any type
  sm80,  // tensor cores by mma.sync: tf32 or bf16 factors, float32 sums
  // The place of sm90 (TMA, wgmma) is before sm80, for what it can describe.
};

/** What the choice depends on. */
struct GemmShape {
  int64_t m, n, k, count;
  bool a_along_k, b_along_n;  // whether the step along that dimension is 1: else it is the other one, or neither
  bool tensor_cores;          // factors may be rounded to what tensor cores take
  int multiprocessors;
};

/** Rows and columns of a block's tile. */
struct GemmPlan {
  GemmFamily family;
  int tile_m, tile_n;
};

inline GemmPlan choose_gemm(const GemmShape& s) {
  const auto blocks = [&](int tile) { return ceil_div(s.m, tile) * ceil_div(s.n, tile) * s.count; };
  // The largest tile reads each factor least often; a smaller one is better where too few large ones fill the device.
  const int tile = blocks(128) >= s.multiprocessors ? 128 : 64;
  // A tensor core's product is 16 x 8: less than a tile of it wastes most of them.
  if (s.tensor_cores && s.m >= 16 && s.n >= 16) return {GemmFamily::sm80, tile, tile};
  return {GemmFamily::simt, tile, tile};
}

}  // namespace cuda
}  // namespace athanor
