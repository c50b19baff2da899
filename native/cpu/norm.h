// What the normalisations share: y = (x - mean) / sqrt(variance + eps) * weight + bias, and its loops over rows of
// neighbours in memory that have one mean.
// Sums of a few numbers in the element's own type go on in float64, and what is summed for the moments are differences
// from an origin near the mean: so a large mean costs no digits, and a row is read once for both.
#pragma once
#include <math.h>

#include "cpu/fold.h"
#include "cpu/move.h"
#include "cpu/simd.h"
#include "cpu/slots.h"

namespace athanor {
namespace ATHANOR_ISA {

/** n weights, biases or statistics side by side; a single number is repeated. */
template <class T>
static __attribute__((noinline)) const T* dense_parameter(const Call& c, const View& v, int64_t n) {
  if (v.ndim > 0) return dense_view(c, v).template as<const T>();
  T* out = scratch_array<T>(c.ctx, n);
  for (int64_t i = 0; i < n; ++i) out[i] = *v.as<const T>();
  return out;
}

/** The gradient of n parameters, or of the one number that stood for them. */
template <class T>
static __attribute__((noinline)) void store_parameter_gradient(const View& out, int64_t n, const double* values) {
  if (out.ndim == 0) {
    *out.as<T>() = static_cast<T>(Fold<F_sum, double>::row(values, n, 1));
  } else {
    for (int64_t i = 0; i < n; ++i) out.as<T>()[i] = static_cast<T>(values[i]);
  }
}

/** An output as dense memory: its own, or scratch memory that store() copies from. */
template <class T>
struct DenseOutput {
  const View& out;
  View dense;

  DenseOutput(const Call& c, const View& out)
      : out(out), dense(is_contiguous(out) ? out : dense_like(out, scratch_array<T>(c.ctx, numel(out)))) {}
  T* data() const { return dense.as<T>(); }
  void store(Context* ctx) const {
    if (dense.data != out.data) copy_view(ctx, out, dense);
  }
};

template <class T>
ATHANOR_ALWAYS_INLINE T reciprocal_root(double variance, double eps) {
  return static_cast<T>(1 / ::sqrt(variance + eps));
}

/** 1 in the first n lanes, 0 in the others. */
template <class T>
ATHANOR_ALWAYS_INLINE Vec<T> first_ones(int64_t n) {
  T ones[kLanes<T>];
  for (int i = 0; i < kLanes<T>; ++i) ones[i] = i < n ? T(1) : T(0);
  return load(ones);
}

constexpr int64_t kAheadBytes = 2048;  // what a core reads while one line comes from memory
/** Asks for what lies that far behind a place, also in the row that follows: the hardware begins anew with each page.
 */
template <class T>
ATHANOR_ALWAYS_INLINE void fetch_ahead(const T* p) {
  __builtin_prefetch(p + kAheadBytes / static_cast<int64_t>(sizeof(T)));
}

/** Two sums over many elements. */
struct Sums {
  double first, second;

  __attribute__((always_inline)) Sums operator+(const Sums& o) const { return {first + o.first, second + o.second}; }
};

/** Two sums on their way, in lanes of float64. */
template <class T>
struct LaneSums {
  Vec<double> a, b;

  __attribute__((always_inline)) void clear() { a = b = Vec<double>{}; }
  __attribute__((always_inline)) void add(const Vec<T>& u, const Vec<T>& v) {
    widen(u, a);
    widen(v, b);
  }
  __attribute__((always_inline)) Sums total() const { return {sum_lanes<double>(a), sum_lanes<double>(b)}; }

 private:
  ATHANOR_ALWAYS_INLINE void widen(const Vec<T>& v, Vec<double>& sum) {
    typename LanesFor<T, double>::type parts[kLanes<T> / kLanes<double>];
    __builtin_memcpy(parts, &v, sizeof v);
    for (const auto& part : parts) sum += convert_lanes<double, T>(part);
  }
};

/** term(i, n, u, v) gives the pair of vectors to be summed for n <= lanes elements from i on, zeros beyond n. */
template <class T, class F>
ATHANOR_ALWAYS_INLINE void sum_pairs(int64_t n, LaneSums<T>& sums, const F& term) {
  constexpr int64_t L = kLanes<T>;
  LaneSums<T> own = sums;  // in registers
  Vec<T> u, v;
  int64_t i = 0;
  for (; i + 4 * L <= n; i += 4 * L) {
    Vec<T> a0, a1, a2, a3, b0, b1, b2, b3;
    term(i, L, a0, b0), term(i + L, L, a1, b1);
    term(i + 2 * L, L, a2, b2), term(i + 3 * L, L, a3, b3);
    own.add((a0 + a1) + (a2 + a3), (b0 + b1) + (b2 + b3));
  }
  if (i < n) {
    Vec<T> a{}, b{};
    for (; i + L <= n; i += L) term(i, L, u, v), a += u, b += v;
    if (i < n) term(i, n - i, u, v), a += u, b += v;
    own.add(a, b);
  }
  sums = own;
}

/** Adds the sums of x - origin and of its square over n elements. */
template <class T>
ATHANOR_ALWAYS_INLINE void add_deviations(int64_t n, const T* x, T origin, LaneSums<T>& sums) {
  const Vec<T> o = splat<T>(origin), last = o * first_ones<T>(n % kLanes<T>);
  sum_pairs<T>(n, sums, [&](int64_t i, int64_t k, Vec<T>& u, Vec<T>& v) {
    fetch_ahead(x + i);
    u = k == kLanes<T> ? load(x + i) - o : load_n(x + i, static_cast<int>(k)) - last;
    v = u * u;
  });
}

/** Mean and biased variance. */
struct MeanVariance {
  double mean, variance;
};

/** The same of n elements from the sums of their deviations from an origin. Not finite where a square left the range of
 *  the element's type: then they are to be summed again by wide_moments(). */
ATHANOR_ALWAYS_INLINE MeanVariance moments_of(const Sums& sums, double origin, int64_t n) {
  const double count = static_cast<double>(n), shift = sums.first / count;
  const double variance = sums.second / count - shift * shift;
  return {origin + shift, variance < 0 ? 0 : variance};
}

/** Mean and biased variance (about 0 where not centred) of `rows` rows of n elements, `step` apart, all in float64. */
template <class T>
static __attribute__((noinline)) MeanVariance wide_moments(const T* x, int64_t rows, int64_t step, int64_t n,
                                                           bool centred) {
  const double count = static_cast<double>(rows * n);
  double mean = 0, variance = 0;
  if (centred) {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t i = 0; i < n; ++i) mean += x[r * step + i];
    mean /= count;
  }
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t i = 0; i < n; ++i) variance += (x[r * step + i] - mean) * (x[r * step + i] - mean);
  return {mean, variance / count};
}

ATHANOR_ALWAYS_INLINE bool is_finite(double x) { return x - x == 0; }

/** A number near the mean of `rows` rows of n elements, `step` apart: the mean of samples spread over them. */
template <class T>
ATHANOR_ALWAYS_INLINE T origin_of(const T* x, int64_t rows, int64_t step, int64_t n) {
  constexpr int64_t kSamples = 16;  // an outlier among them may cost log10(16) digits
  const int64_t k = min_of<int64_t>(n, kLanes<T>);
  Vec<T> sum{};
  for (int64_t s = 0; s < kSamples; ++s)
    sum += load_n(x + rows * s / kSamples * step + (n - k) * s / kSamples, static_cast<int>(k));
  const T origin = sum_lanes<T>(sum) / static_cast<T>(kSamples * k);
  return origin - origin == 0 ? origin : T(0);
}

/** What no number lies below where a relu follows, and where none does: an instruction instead of a second loop. */
template <class T>
ATHANOR_ALWAYS_INLINE T floor_of(bool relu) {
  return relu ? T(0) : -static_cast<T>(__builtin_inf());
}

/** out = (x - mean) scale + shift, or the floor where that is below: what one mean and one weight make of a row. */
template <class T>
struct Affine {
  T mean, scale, shift, floor;

  ATHANOR_ALWAYS_INLINE Affine of(T mean, double variance, T weight, T bias, double eps, bool relu) {
    return {mean, reciprocal_root<T>(variance, eps) * weight, bias, floor_of<T>(relu)};
  }
  __attribute__((always_inline)) void row(int64_t n, T* out, const T* x) const {
    const Vec<T> m = splat<T>(mean), k = splat<T>(scale), b = splat<T>(shift), low = splat<T>(floor);
    const auto of = [&](const Vec<T>& v) {
      const Vec<T> y = (v - m) * k + b;
      return y < low ? low : y;
    };
    int64_t i = 0;
    for (; i + kLanes<T> <= n; i += kLanes<T>) store(out + i, of(load(x + i)));
    const int rest = static_cast<int>(n - i);
    if (rest > 0) store_n(out + i, of(load_n(x + i, rest)), rest);
  }
};

/** The gradient that reaches a normalised row: g, or 0 where the result was on the floor. */
template <class T>
struct Upstream {
  Vec<T> mean, scale, shift, floor;

  explicit Upstream(const Affine<T>& a)
      : mean(splat<T>(a.mean)), scale(splat<T>(a.scale)), shift(splat<T>(a.shift)), floor(splat<T>(a.floor)) {}
  /** g as it gets there, given x - mean. */
  __attribute__((always_inline)) Vec<T> of(const Vec<T>& g, const Vec<T>& centred) const {
    return centred * scale + shift <= floor ? Vec<T>{} : g;
  }
};

/** out = what Affine makes of x, plus a residual, or the floor where that is below. */
template <class T>
ATHANOR_ALWAYS_INLINE void affine_sum_row(int64_t n, T* out, const T* x, const T* residual, const Upstream<T>& up) {
  row_vectors<T>(n, [&](int64_t i, int lanes) {
    const Vec<T> y = (load_n(x + i, lanes) - up.mean) * up.scale + up.shift + load_n(residual + i, lanes);
    store_n(out + i, y < up.floor ? up.floor : y, lanes);
  });
}
/** to = g, or 0 where affine_sum_row() was on the floor. */
template <class T>
ATHANOR_ALWAYS_INLINE void masked_row(int64_t n, T* to, const T* g, const T* x, const T* residual,
                                      const Upstream<T>& up) {
  row_vectors<T>(n, [&](int64_t i, int lanes) {
    fetch_ahead(x + i), fetch_ahead(g + i), fetch_ahead(residual + i);
    const Vec<T> y = (load_n(x + i, lanes) - up.mean) * up.scale + up.shift + load_n(residual + i, lanes);
    store_n(to + i, y <= up.floor ? Vec<T>{} : load_n(g + i, lanes), lanes);
  });
}

/** Adds the sums of g and of g (x - mean) over a row. */
template <class T>
ATHANOR_ALWAYS_INLINE void add_gradients(int64_t n, const T* g, const T* x, const Upstream<T>& up, LaneSums<T>& sums) {
  sum_pairs<T>(n, sums, [&](int64_t i, int64_t k, Vec<T>& u, Vec<T>& v) {
    const int rest = static_cast<int>(k);
    fetch_ahead(x + i), fetch_ahead(g + i);
    const Vec<T> centred = (k == kLanes<T> ? load(x + i) : load_n(x + i, rest)) - up.mean;
    u = up.of(k == kLanes<T> ? load(g + i) : load_n(g + i, rest), centred);
    v = u * centred;
  });
}

/** gx = scale g - slope (x - mean) - level: the gradient of a row, once the sums over it are known. */
template <class T>
struct BackAffine {
  T scale, slope, level;

  /** From the means of g weight and of g weight (x - mean) over what has one mean. */
  ATHANOR_ALWAYS_INLINE BackAffine of(const Sums& means, T root, T weight) {
    const double r = root;
    return {root * weight, static_cast<T>(means.second * r * r * r), static_cast<T>(means.first * r)};
  }
  __attribute__((always_inline)) void row(int64_t n, T* gx, const T* g, const T* x, const Upstream<T>& up) const {
    const Vec<T> k = splat<T>(scale), q = splat<T>(slope), p = splat<T>(level);
    const auto of = [&](const Vec<T>& gi, const Vec<T>& xi) {
      const Vec<T> centred = xi - up.mean;
      return up.of(gi, centred) * k - (centred * q + p);
    };
    int64_t i = 0;
    for (; i + kLanes<T> <= n; i += kLanes<T>) store(gx + i, of(load(g + i), load(x + i)));
    const int rest = static_cast<int>(n - i);
    if (rest > 0) store_n(gx + i, of(load_n(g + i, rest), load_n(x + i, rest)), rest);
  }
};

}  // namespace ATHANOR_ISA
}  // namespace athanor
