// Layer normalisation (layerNorm) and root mean square normalisation (rmsNorm: no mean is subtracted, nothing is added)
// over the last axes, taken as lines of `length` elements, and their gradients. attrs: length, eps.
// A line is read for its mean, for its variance and to be normalised, mostly from the first cache. Reads and writes
// item size bytes an element, twice that backward, for about 8 FLOPs: bound by bandwidth. Split over lines. The
// gradients of weight and bias are summed over a few lines in registers, then over the lines of a piece, then over
// pieces in their order.
#include "cpu/exp_rows.h"
#include "cpu/families.h"
#include "cpu/norm.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

int64_t line_grain(int64_t length) { return ceil_div(kGrain / 2, max_of<int64_t>(1, length)); }

/** f(place, lanes in use) for the vectors of a line; whole ones get their number of lanes as a constant. */
template <class T, class F>
ATHANOR_ALWAYS_INLINE void line_vectors(int64_t length, const F& f) {
  int64_t i = 0;
  for (; i + kLanes<T> <= length; i += kLanes<T>) f(i, kLanes<T>);
  if (i < length) f(i, static_cast<int>(length - i));
}
template <class T>
ATHANOR_ALWAYS_INLINE Vec<T> load_some(const T* p, int lanes) {
  return lanes == kLanes<T> ? load(p) : load_n(p, lanes);
}
template <class T>
ATHANOR_ALWAYS_INLINE void store_some(T* p, const Vec<T>& v, int lanes) {
  lanes == kLanes<T> ? store(p, v) : store_n(p, v, lanes);
}

/** The mean of a line as far as T holds it: the first of two passes over what the first cache holds. */
template <class T>
ATHANOR_ALWAYS_INLINE T row_origin(int64_t length, const T* x) {
  const T origin = static_cast<T>(row_sum(length, x) / static_cast<double>(length));
  return origin - origin == 0 ? origin : T(0);
}

/** Mean and biased variance of a line; of its elements as they are, the mean square, where nothing is centred. */
template <class T, bool kCentred>
ATHANOR_ALWAYS_INLINE MeanVariance line_moments(int64_t length, const T* x) {
  LaneSums<T> sums;
  sums.clear();
  const T origin = kCentred && length > 0 ? row_origin(length, x) : T(0);
  add_deviations(length, x, origin, sums);
  MeanVariance m = {0, sums.total().second / static_cast<double>(length)};
  if (kCentred) m = moments_of(sums.total(), static_cast<double>(origin), length);
  return is_finite(m.variance) ? m : wide_moments(x, 1, 0, length, kCentred);
}

// in: x, weight, [bias]; out: out, [mean], (biased) variance or mean square
template <class T, bool kCentred>
void forward(const Call& c) {
  const int64_t length = static_cast<int64_t>(c.attrs[0]), lines = numel(c.out[1]);
  const double eps = c.attrs[1];
  const T* x = dense_view(c, c.in[0]).template as<const T>();
  const T* weight = dense_parameter<T>(c, c.in[1], length);
  const T* bias = kCentred ? dense_parameter<T>(c, c.in[2], length) : nullptr;
  const DenseOutput<T> out(c, c.out[0]), means(c, c.out[1]), variances(c, c.out[kCentred ? 2 : 1]);
  parallel_for(c.ctx, lines, line_grain(length), [&](int64_t begin, int64_t end) {
    for (int64_t l = begin; l < end; ++l) {
      const T* from = x + l * length;
      T* to = out.data() + l * length;
      const MeanVariance m = line_moments<T, kCentred>(length, from);
      if (kCentred) means.data()[l] = static_cast<T>(m.mean);
      variances.data()[l] = static_cast<T>(m.variance);
      const Vec<T> mean = splat(static_cast<T>(m.mean)), root = splat(reciprocal_root<T>(m.variance, eps));
      line_vectors<T>(length, [&](int64_t i, int n) {
        const Vec<T> xi = load_some(from + i, n), w = load_some(weight + i, n);
        store_some(to + i, kCentred ? (xi - mean) * root * w + load_some(bias + i, n) : xi * root * w, n);
      });
    }
  });
  out.store(c.ctx), variances.store(c.ctx);
  if (kCentred) means.store(c.ctx);
}

constexpr int64_t kLinesTogether = 8;  // 16 rows of g and x, of up to a thousand float32, fit the second cache well

/** What the gradient of a line needs: its mean and root, and the means of h = g weight and of h y. */
template <class T>
struct LineSlopes {
  T mean, root, h, hy;
};

template <class T, bool kCentred>
ATHANOR_ALWAYS_INLINE LineSlopes<T> line_slopes(int64_t length, const T* g, const T* x, const T* weight, T mean, T root,
                                                const T* out) {
  LaneSums<T> sums;
  sums.clear();
  const Vec<T> m = splat(mean);
  sum_pairs<T>(length, sums, [&](int64_t i, int64_t k, Vec<T>& u, Vec<T>& v) {
    const int n = static_cast<int>(k);
    __builtin_prefetch(out + i, 1);  // the lines of a block are written side by side, which no hardware foresees
    const Vec<T> xi = load_some(x + i, n);
    u = load_some(g + i, n) * load_some(weight + i, n);
    v = u * (kCentred ? xi - m : xi);
  });
  const Sums total = sums.total();
  const double n = static_cast<double>(length);
  return {mean, root, static_cast<T>(kCentred ? total.first / n : 0), static_cast<T>(total.second / n * root)};
}

// With h = g weight and y = (x - mean) root: gx = (h - mean(h) - y mean(h y)) root, gw = sum of g y, gb = sum of g.
// in: g, x, weight, [mean], variance or mean square; out: gx, gw, [gb], one number each where weight is one
template <class T, bool kCentred>
void gradient(const Call& c) {
  const View& variance_view = c.in[kCentred ? 4 : 3];
  const int64_t length = static_cast<int64_t>(c.attrs[0]), lines = numel(variance_view);
  const double eps = c.attrs[1];
  const T *g = dense_view(c, c.in[0]).template as<const T>(), *x = dense_view(c, c.in[1]).template as<const T>();
  const T* weight = dense_parameter<T>(c, c.in[2], length);
  const T* means = kCentred ? dense_view(c, c.in[3]).template as<const T>() : nullptr;
  const T* variances = dense_view(c, variance_view).template as<const T>();
  const DenseOutput<T> out(c, c.out[0]);
  const int64_t pieces = chunk_count(c.ctx, lines, line_grain(length));
  double* sums = scratch_array<double>(c.ctx, 2 * pieces * length);
  parallel_each(c.ctx, pieces, [&](int64_t piece) {
    double *gw = sums + 2 * piece * length, *gb = gw + length;
    for (int64_t i = 0; i < 2 * length; ++i) gw[i] = 0;
    const int64_t end = lines * (piece + 1) / pieces;
    for (int64_t first = lines * piece / pieces; first < end; first += kLinesTogether) {
      const int64_t together = min_of(kLinesTogether, end - first);
      LineSlopes<T> slopes[kLinesTogether];
      for (int64_t l = 0; l < together; ++l) {
        const int64_t at = (first + l) * length;
        slopes[l] = line_slopes<T, kCentred>(length, g + at, x + at, weight, kCentred ? means[first + l] : T(0),
                                             reciprocal_root<T>(variances[first + l], eps), out.data() + at);
      }
      line_vectors<T>(length, [&](int64_t i, int n) {
        const Vec<T> w = load_some(weight + i, n);
        Vec<T> weights{}, biases{};
        for (int64_t l = 0; l < together; ++l) {
          const int64_t at = (first + l) * length + i;
          const LineSlopes<T>& s = slopes[l];
          const Vec<T> gi = load_some(g + at, n), y = (load_some(x + at, n) - s.mean) * s.root;
          store_some(out.data() + at, (gi * w - s.h - y * s.hy) * s.root, n);
          weights += gi * y;
          if (kCentred) biases += gi;
        }
        for (int k = 0; k < n; ++k) gw[i + k] += weights[k];
        if (kCentred)
          for (int k = 0; k < n; ++k) gb[i + k] += biases[k];
      });
    }
  });
  for (int64_t piece = 1; piece < pieces; ++piece)
    for (int64_t i = 0; i < 2 * length; ++i) sums[i] += sums[2 * piece * length + i];
  out.store(c.ctx);
  store_parameter_gradient<T>(c.out[1], length, sums);
  if (kCentred) store_parameter_gradient<T>(c.out[2], length, sums + length);
}

ATHANOR_FLOAT_KERNEL(layer_norm_lines, forward<T, true>(c))
ATHANOR_FLOAT_KERNEL(layer_norm_grad_lines, gradient<T, true>(c))
ATHANOR_FLOAT_KERNEL(rms_norm_lines, forward<T, false>(c))
ATHANOR_FLOAT_KERNEL(rms_norm_grad_lines, gradient<T, false>(c))

const Kernel kernels_layerNorm[] = {{"lines", nullptr, layer_norm_lines}};
const Kernel kernels_layerNormGrad[] = {{"lines", nullptr, layer_norm_grad_lines}};
const Kernel kernels_rmsNorm[] = {{"lines", nullptr, rms_norm_lines}};
const Kernel kernels_rmsNormGrad[] = {{"lines", nullptr, rms_norm_grad_lines}};

}  // namespace

const OpKernels layer_norm[] = {ATHANOR_OP(layerNorm, kernels_layerNorm),
                                ATHANOR_OP(layerNormGrad, kernels_layerNormGrad),
                                ATHANOR_OP(rmsNorm, kernels_rmsNorm),
                                ATHANOR_OP(rmsNormGrad, kernels_rmsNormGrad),
                                {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
