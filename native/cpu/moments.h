// Mean and sum of squared deviations in one pass over memory: pieces that fit the first cache are read twice, first for
// their mean, then for the deviations from it, and joined with the others (Chan, Golub and LeVeque, "Updating formulae
// and a pairwise algorithm for computing sample variances", 1979). All in float64, so a large mean costs no digits.
#pragma once
#include "cpu/fold.h"

namespace athanor {
namespace ATHANOR_ISA {

struct Moments {
  double n, mean, m2;
};

ATHANOR_ALWAYS_INLINE Moments join_moments(Moments a, Moments b) {
  const double n = a.n + b.n;
  if (b.n == 0) return a;
  if (a.n == 0) return b;
  const double delta = b.mean - a.mean;
  return {n, a.mean + delta * (b.n / n), a.m2 + b.m2 + delta * delta * (a.n * b.n / n)};
}

template <class T>
struct FoldMoments {
  using State = Moments;
  using V = Lanes<double>::type;
  static constexpr int64_t kLanes = Lanes<double>::count;
  static constexpr int64_t kPiece = 2048;  // 8 KB of float32
  static constexpr int64_t kShortRow = 0;

  ATHANOR_ALWAYS_INLINE State start() { return {0, 0, 0}; }
  ATHANOR_ALWAYS_INLINE State merge(State a, State b, int64_t) { return join_moments(a, b); }

  static double squares(const T* x, int64_t n, double mean) {
    double total = 0;
    if (n >= kLanes) {
      const V m = splat<double>(mean);
      V a = V{}, b = a;
      for (; n >= 2 * kLanes; n -= 2 * kLanes, x += 2 * kLanes) {
        const V u = load_lanes<double>(x) - m, v = load_lanes<double>(x + kLanes) - m;
        a += u * u;
        b += v * v;
      }
      for (; n >= kLanes; n -= kLanes, x += kLanes) {
        const V u = load_lanes<double>(x) - m;
        a += u * u;
      }
      a += b;
      for (int64_t l = 0; l < kLanes; ++l) total += a[l];
    }
    for (int64_t i = 0; i < n; ++i) total += (x[i] - mean) * (x[i] - mean);
    return total;
  }

  ATHANOR_ALWAYS_INLINE State dense_piece(const T* x, int64_t n) {
    const double mean = static_cast<double>(Fold<F_sum, T>::dense_row(x, n)) / static_cast<double>(n);
    return {static_cast<double>(n), mean, squares(x, n, mean)};
  }

  static State row(const T* x, int64_t n, int64_t step) {
    T piece[kPiece];
    State total = start();
    for (int64_t i = 0; i < n; i += kPiece) {
      const int64_t k = min_of(kPiece, n - i);
      if (step != 1)
        for (int64_t j = 0; j < k; ++j) piece[j] = x[(i + j) * step];
      total = join_moments(total, dense_piece(step == 1 ? x + i : piece, k));
    }
    return total;
  }

  static constexpr int64_t kColumns = 256;
  static constexpr int64_t kRows = 32;  // 32 rows of 256 float32 columns are 32 KB

  static void columns(const FoldPlan& p, const T* x, int64_t n, int64_t step, State* out) {
    T dense[kRows * kColumns];
    double mean[kColumns], m2[kColumns];
    for (int64_t c = 0; c < n; ++c) mean[c] = m2[c] = 0;  // the result where there are no rows
    Odometer r = Odometer::at(p.folded, p.n_folded, 0);
    for (int64_t row = 0; row < p.count; row += kRows) {
      const int64_t k = min_of(kRows, p.count - row);
      const T* from[kRows];
      for (int64_t i = 0; i < k; ++i, r.next()) from[i] = x + r.in;
      if (step != 1) lay_dense(from, k, n, step, dense);
      join_block(from, k, n, row, mean, m2);
    }
    for (int64_t c = 0; c < n; ++c) out[c] = {static_cast<double>(p.count), mean[c], m2[c]};
  }

  /** Joins k rows to the moments of the `before` rows above them. */
  ATHANOR_ALWAYS_INLINE void join_block(const T* const* from, int64_t k, int64_t n, int64_t before, double* mean,
                                        double* m2) {
    double sum[kColumns], deviations[kColumns];
    for (int64_t c = 0; c < n; ++c) sum[c] = deviations[c] = 0;
    for (int64_t i = 0; i < k; ++i) {
      const T* row = from[i];
#pragma omp simd
      for (int64_t c = 0; c < n; ++c) sum[c] += row[c];
    }
    const double all = static_cast<double>(before + k), share = static_cast<double>(k) / all;
    for (int64_t c = 0; c < n; ++c) sum[c] /= static_cast<double>(k);
    for (int64_t i = 0; i < k; ++i) {
      const T* row = from[i];
#pragma omp simd
      for (int64_t c = 0; c < n; ++c) deviations[c] += (row[c] - sum[c]) * (row[c] - sum[c]);
    }
    if (before == 0) {  // joining with nothing would multiply its 0 with a delta that may have overflowed
      for (int64_t c = 0; c < n; ++c) mean[c] = sum[c], m2[c] = deviations[c];
      return;
    }
#pragma omp simd
    for (int64_t c = 0; c < n; ++c) {
      const double delta = sum[c] - mean[c];
      mean[c] += delta * share;
      m2[c] += deviations[c] + delta * delta * (static_cast<double>(before) * share);
    }
  }
};

}  // namespace ATHANOR_ISA
}  // namespace athanor
