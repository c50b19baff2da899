// Products of matrices by the CBLAS that ATHANOR_BLAS names. The library cuts the work among threads of its own, and
// its blocking decides about the bytes; a bias is put into C before (beta = 1), a function of the result runs after,
// which costs a pass over C each: 2 loads or stores an element, against 2 K FLOPs.
#pragma once
#include "core/blas.h"
#include "cpu/activations.h"
#include "cpu/dense.h"
#include "cpu/products.h"

namespace athanor {
namespace ATHANOR_ISA {

/** How a CBLAS is told of a matrix: the step from one row or column, as it is stored, to the next is `leading`. */
struct BlasMatrix {
  int stored, leading;
};

/** A matrix of `rows` by `columns` for a CBLAS; `leading` is 0 where its strides cannot be told. */
ATHANOR_ALWAYS_INLINE BlasMatrix blas_matrix(int64_t rows, int64_t columns, int64_t row, int64_t step) {
  if (step == 1 && row >= columns && row <= INT32_MAX) return {Blas::plain, static_cast<int>(row)};
  if (row == 1 && step >= rows && step <= INT32_MAX) return {Blas::transposed, static_cast<int>(step)};
  return {0, 0};
}

/** Whether a CBLAS can compute these products, and each is large enough that calling it is worth while. */
ATHANOR_ALWAYS_INLINE bool fits_blas_call(const Products& p) {
  // With 16 rows the own kernels, which pack nothing, take two thirds of OpenBLAS's time; from 64 x 64 x 64 up the two
  // differ by what the library's tuning for the machine is worth.
  constexpr int64_t least_side = 32, least_products = 64 * 64 * 64;
  if (min_of(p.m, min_of(p.n, p.k)) < least_side || max_of(p.m, max_of(p.n, p.k)) > INT32_MAX) return false;
  return p.m * p.n >= ceil_div(least_products, p.k) && blas_matrix(p.m, p.k, p.a_row, p.a_step).leading > 0 &&
         blas_matrix(p.k, p.n, p.b_row, p.b_step).leading > 0 &&
         blas_matrix(p.m, p.n, p.out_row, p.out_step).stored == Blas::plain;
}

template <class T>
void multiply_blas(const Call& c, const Products& p) {
  const Blas& library = *c.ctx->blas;
  library.use_threads(c.ctx->threads);
  const T* bias = p.bias == nullptr ? nullptr : dense_vector<T>(c.ctx, *p.bias);
  const BlasMatrix a = blas_matrix(p.m, p.k, p.a_row, p.a_step), b = blas_matrix(p.k, p.n, p.b_row, p.b_step);
  const int m = static_cast<int>(p.m), n = static_cast<int>(p.n), k = static_cast<int>(p.k);
  const auto gemm = [&] {
    if constexpr (sizeof(T) == sizeof(float))
      return library.sgemm;
    else
      return library.dgemm;
  }();
  const int64_t grain = ceil_div(kGrain, p.n);
  for (int64_t i = 0; i < p.count(); ++i) {
    int64_t at[3];
    offsets_of(p.batch, i, at);
    T* const out = c.out[0].as<T>() + at[0];
    if (bias != nullptr)
      parallel_for(c.ctx, p.m, grain, [&](int64_t from, int64_t to) {
        for (int64_t row = from; row < to; ++row)
          for (int64_t j = 0; j < p.n; ++j) out[row * p.out_row + j] = bias[j];
      });
    gemm(Blas::row_major, a.stored, b.stored, m, n, k, T(1), c.in[0].as<const T>() + at[1], a.leading,
         c.in[1].as<const T>() + at[2], b.leading, T(bias != nullptr), out, static_cast<int>(p.out_row));
    if (const Finish<T> finish = finish_function<T>(p.finish))
      parallel_for(c.ctx, p.m, grain, [&](int64_t from, int64_t to) {
        for (int64_t row = from; row < to; ++row) finish(out + row * p.out_row, p.n);
      });
  }
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
