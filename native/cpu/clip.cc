// Gradient clipping over all gradients at once.
//   totalNorm   (sum over all tensors of |x|^p)^(1/p), or the largest |x|; item size bytes and 2 FLOPs per element
//   clipScale   x * min(1, limit / (norm + 1e-6)) for each tensor; 2 * item size bytes and 1 FLOP per element
// Both are bound by memory. A norm is summed in double over blocks of a fixed size, one partial sum each, added in
// order: it depends on the data alone.
#include <math.h>

#include "cpu/families.h"
#include "cpu/move.h"
#include "cpu/segments.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

constexpr int64_t kBlock = 8192;  // elements a partial sum: two pages of float32, and few enough partials to add alone

enum class Norm { one, two, largest, general };

/** The part of the sum (or the maximum) that n elements make. NaN wins over any number. */
template <Norm kNorm, class T>
ATHANOR_ALWAYS_INLINE double part_of(int64_t n, const T* x, int64_t sx, double p) {
  double part = 0;
  if (kNorm == Norm::largest) {
    double largest = 0;
#pragma omp simd reduction(+ : part) reduction(max : largest)
    for (int64_t i = 0; i < n; ++i) {
      const double size = __builtin_fabs(static_cast<double>(x[i * sx]));
      largest = size > largest ? size : largest;
      part += size != size ? size : 0;
    }
    return part != part ? part : largest;
  }
  if (kNorm == Norm::general) {
    for (int64_t i = 0; i < n; ++i) part += ::pow(__builtin_fabs(static_cast<double>(x[i * sx])), p);
    return part;
  }
  const auto term = [](double v) { return kNorm == Norm::two ? v * v : __builtin_fabs(v); };
  if (sx == 1) {
#pragma omp simd reduction(+ : part)
    for (int64_t i = 0; i < n; ++i) part += term(static_cast<double>(x[i]));
  } else {
    for (int64_t i = 0; i < n; ++i) part += term(static_cast<double>(x[i * sx]));
  }
  return part;
}

template <Norm kNorm>
ATHANOR_ALWAYS_INLINE double join_parts(double a, double b) {
  if (kNorm != Norm::largest) return a + b;
  return a != a || a > b ? a : b;
}

template <Norm kNorm, class T>
double norm_sum(const Call& c, double p) {
  auto* walks = static_cast<Walk<1>*>(c.ctx->scratch(c.ctx, static_cast<size_t>(c.n_in) * sizeof(Walk<1>)));
  auto* first = static_cast<int64_t*>(c.ctx->scratch(c.ctx, static_cast<size_t>(c.n_in + 1) * sizeof(int64_t)));
  first[0] = 0;
  for (int k = 0; k < c.n_in; ++k) {
    walks[k] = make_walk<1>({&c.in[k]});
    first[k + 1] = first[k] + ceil_div(walks[k].elements(), kBlock);
  }
  const int64_t blocks = first[c.n_in];
  auto* parts = static_cast<double*>(c.ctx->scratch(c.ctx, static_cast<size_t>(blocks) * sizeof(double)));
  const auto length = [&](int k) { return first[k + 1] - first[k]; };
  parallel_segments(c.ctx, c.n_in, 1, 2, length, [&](int k, int64_t begin, int64_t end) {
    const Walk<1>& w = walks[k];
    const T* x = static_cast<const T*>(w.data[0]);
    const int64_t sx = w.strides[0][w.ndim - 1], elements = w.elements();
    for (int64_t b = begin; b < end; ++b) {
      double part = 0;
      rows_between(w, b * kBlock, min_of(elements, (b + 1) * kBlock), [&](int64_t n, const int64_t* at) {
        part = join_parts<kNorm>(part, part_of<kNorm>(n, x + at[0], sx, p));
      });
      parts[first[k] + b] = part;
    }
  });
  double sum = 0;
  for (int64_t b = 0; b < blocks; ++b) sum = join_parts<kNorm>(sum, parts[b]);
  return sum;
}

template <class T>
double norm_of(const Call& c, double p) {
  if (p == 2) return ::sqrt(norm_sum<Norm::two, T>(c, p));
  if (p == 1) return norm_sum<Norm::one, T>(c, p);
  if (__builtin_isinf(p)) return norm_sum<Norm::largest, T>(c, p);
  return ::pow(norm_sum<Norm::general, T>(c, p), 1 / p);
}

void total_norm(const Call& c) {
  const View& out = c.out[0];
  const bool known = with_floats(out.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    *out.as<T>() = static_cast<T>(norm_of<T>(c, c.attrs[0]));
  });
  if (!known) refuse_dtype(c, out.dtype);
}

template <class T>
void scale_all(const Call& c) {
  const T norm = *c.in[0].as<const T>();
  if (c.attrs[1] != 0 && !__builtin_isfinite(norm)) {
    c.ctx->fail(c.ctx, "the total norm is not finite: %g", static_cast<double>(norm));
    return;
  }
  const T ratio = T(c.attrs[0]) / (norm + T(1e-6));
  const T factor = ratio > T(1) ? T(1) : ratio;  // a NaN norm stays NaN
  auto* walks = static_cast<Walk<2>*>(c.ctx->scratch(c.ctx, static_cast<size_t>(c.n_out) * sizeof(Walk<2>)));
  bool in_place = true;
  for (int k = 0; k < c.n_out; ++k) {
    walks[k] = make_walk<2>({&c.out[k], &c.in[1 + k]});
    in_place = in_place && c.out[k].data == c.in[1 + k].data;
  }
  if (in_place && factor == T(1)) return;
  const auto length = [&](int k) { return walks[k].elements(); };
  parallel_segments(c.ctx, c.n_out, kCut, kGrain, length, [&](int k, int64_t begin, int64_t end) {
    const Walk<2>& w = walks[k];
    const int64_t so = w.strides[0][w.ndim - 1], sx = w.strides[1][w.ndim - 1];
    rows_between(w, begin, end, [&](int64_t n, const int64_t* at) {
      T* to = static_cast<T*>(w.data[0]) + at[0];
      const T* from = static_cast<const T*>(w.data[1]) + at[1];
      if (so == 1 && sx == 1) {
#pragma omp simd
        for (int64_t i = 0; i < n; ++i) to[i] = from[i] * factor;
      } else {
        for (int64_t i = 0; i < n; ++i) to[i * so] = from[i * sx] * factor;
      }
    });
  });
}

void clip_scale(const Call& c) {
  const DType t = c.in[0].dtype;
  if (!with_floats(t, [&](auto tag) { scale_all<typename decltype(tag)::type>(c); })) refuse_dtype(c, t);
}

const Kernel kernels_total_norm[] = {{"blocks", nullptr, total_norm}};
const Kernel kernels_clip_scale[] = {{"flat", nullptr, clip_scale}};

}  // namespace

const OpKernels clip[] = {
    ATHANOR_OP(totalNorm, kernels_total_norm), ATHANOR_OP(clipScale, kernels_clip_scale), {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
