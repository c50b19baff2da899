// log(sum(exp(x))) of rows and columns.
// Pieces that fit the first cache are read twice, for their maximum and for the sum of exp(x - maximum); pieces are
// joined by rescaling (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018). Item size bytes and
// one exp per element: bound by read bandwidth where exp is vector code.
#pragma once
#include "cpu/fold.h"

namespace athanor {
namespace ATHANOR_ISA {

/** exp(x - 0) of an infinite or nan maximum gives the right limit: 0, infinity or nan. */
template <class T>
ATHANOR_ALWAYS_INLINE T finite_or_zero(T x) {
  return x - x == 0 ? x : T(0);
}

template <class T>
struct LogSumExp {
  /** sum of exp(x - finite_or_zero(max)) */
  struct State {
    T max;
    double sum;
  };
  using Max = Fold<F_max, T>;
  static constexpr int64_t kPiece = 1024, kShortRow = 0;

  ATHANOR_ALWAYS_INLINE State start() { return {m::Limits<T>::low, 0}; }

  /** The result, in float64: a large maximum costs no digits of what is added to it. */
  ATHANOR_ALWAYS_INLINE double finish(State s) { return static_cast<double>(finite_or_zero(s.max)) + m::log(s.sum); }

  static State merge(State a, State b, int64_t) {
    const T max = m::maximum(a.max, b.max);
    return {max, rescaled(a, max) + rescaled(b, max)};
  }
  /** A sum of 0 stays 0 even where its maximum, 0 in place of -infinity, lies above the other. */
  static double rescaled(State s, T max) {
    return s.sum == 0 ? 0 : s.sum * m::exp(static_cast<double>(finite_or_zero(s.max)) - finite_or_zero(max));
  }

  static State row(const T* x, int64_t n, int64_t step) {
    T piece[kPiece];
    State total = start();
    for (int64_t i = 0; i < n; i += kPiece) {
      const int64_t k = min_of(kPiece, n - i);
      const T* from = x + i * step;
      if (step != 1) {
        for (int64_t j = 0; j < k; ++j) piece[j] = from[j * step];
        from = piece;
      }
      const T max = Max::dense_row(from, k), shift = finite_or_zero(max);
#pragma omp simd
      for (int64_t j = 0; j < k; ++j) piece[j] = m::exp(from[j] - shift);
      total = merge(total, {max, Fold<F_sum, T>::dense_row(piece, k)}, 0);
    }
    return total;
  }

  static constexpr int64_t kColumns = 256;
  static constexpr int64_t kRows = 32;  // 32 rows of 256 float32 columns are 32 KB

  static void columns(const FoldPlan& p, const T* x, int64_t n, int64_t step, State* out) {
    T dense[kRows * kColumns];
    for (int64_t c = 0; c < n; ++c) out[c] = start();
    Odometer r = Odometer::at(p.folded, p.n_folded, 0);
    for (int64_t row = 0; row < p.count; row += kRows) {
      const int64_t k = min_of(kRows, p.count - row);
      const T* from[kRows];
      for (int64_t i = 0; i < k; ++i, r.next()) from[i] = x + r.in;
      if (step != 1) lay_dense(from, k, n, step, dense);
      join_block(from, k, n, out);
    }
  }

  ATHANOR_ALWAYS_INLINE void join_block(const T* const* from, int64_t k, int64_t n, State* out) {
    T max[kColumns], sum[kColumns];
    for (int64_t c = 0; c < n; ++c) max[c] = m::Limits<T>::low, sum[c] = 0;
    for (int64_t i = 0; i < k; ++i) {
      const T* row = from[i];
#pragma omp simd
      for (int64_t c = 0; c < n; ++c) max[c] = m::maximum(max[c], row[c]);
    }
    for (int64_t i = 0; i < k; ++i) {
      const T* row = from[i];
#pragma omp simd
      for (int64_t c = 0; c < n; ++c) sum[c] += m::exp(row[c] - finite_or_zero(max[c]));
    }
    for (int64_t c = 0; c < n; ++c) out[c] = merge(out[c], {max[c], static_cast<double>(sum[c])}, 0);
  }
};

}  // namespace ATHANOR_ISA
}  // namespace athanor
