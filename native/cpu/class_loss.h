// What the losses over classes share: scores x [N, C, ...], a label and a weight for each of the N ... positions.
#pragma once
#include "cpu/fold.h"
#include "cpu/lines.h"
#include "cpu/place.h"

namespace athanor {
namespace ATHANOR_ISA {

/** Weights of the classes; a single number serves all of them. */
template <class T>
struct ClassWeights {
  const T* data;
  int64_t step;

  explicit ClassWeights(const View& v) : data(v.as<const T>()), step(v.ndim == 0 ? 0 : v.strides[0]) {}
  __attribute__((always_inline)) T operator[](int64_t c) const { return data[c * step]; }

  double sum(int64_t classes) const { return Fold<F_sum, T>::row(data, classes, step); }
  /** sum of weight times x over the classes, which are `x_step` apart */
  double weigh(const T* x, int64_t x_step, int64_t classes) const {
    if (step == 0) return Fold<F_sum, T>::row(x, classes, x_step) * *data;
    double total = 0;
    for (int64_t c = 0; c < classes; ++c) total += static_cast<double>(x[c * x_step]) * data[c * step];
    return total;
  }
};

/** Whether every label is a class or the ignored one. If not, reports the first that is neither. */
static inline bool labels_fit(const Call& c, const View& labels, int64_t classes, int32_t ignored) {
  const Walk<1> w = make_walk<1>({&labels});
  const int32_t* label = labels.as<const int32_t>();
  const int64_t step = w.strides[0][w.ndim - 1];
  const uint32_t limit = static_cast<uint32_t>(min_of<int64_t>(classes, int64_t{1} << 31));  // negative ones are above
  const auto is_wrong = [&](int32_t y) { return (static_cast<uint32_t>(y) >= limit) & (y != ignored); };
  int64_t seen = 0, wrong = -1;
  int32_t found = 0;
  for_rows(c.ctx, w, INT64_MAX, [&](int64_t n, const int64_t* at) {
    const int32_t* row = label + at[0];
    uint32_t any = 0;  // looked at once a row: a loop that may end early is not made of vectors
    if (step == 1) {
#pragma omp simd reduction(| : any)
      for (int64_t i = 0; i < n; ++i) any |= is_wrong(row[i]);
    } else {
      for (int64_t i = 0; i < n; ++i) any |= is_wrong(row[i * step]);
    }
    for (int64_t i = 0; any != 0 && i < n && wrong < 0; ++i) {
      if (!is_wrong(row[i * step])) continue;
      wrong = seen + i;
      found = row[i * step];
    }
    seen += n;
  });
  if (wrong < 0) return true;
  c.ctx->fail(c.ctx, "label %d is out of range [0, %lld): at position %s", static_cast<int>(found),
              static_cast<long long>(classes), Place(labels, wrong).text);
  return false;
}

/** How the losses of the positions become the result; lib/ops/loss.ts has the same numbers. */
enum class Reduction : int { none = 0, mean = 1, sum = 2 };

/** Puts the losses and weights of the positions, and what they add up to, where the row wants them. */
template <class T>
void reduce_losses(Reduction how, int64_t n, const double* losses, const double* weights, T* out, T* total) {
  using Sum = Fold<F_sum, double>;
  const double divisor = how == Reduction::mean ? Sum::dense_row(weights, n) : 1;
  *total = static_cast<T>(divisor);
  if (how == Reduction::none) {
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(losses[i]);
  } else {
    *out = static_cast<T>(Sum::dense_row(losses, n) / divisor);
  }
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
