// The geometry of a convolution, its transpose and the gradient of its weight, as kernels see it: which place of an
// image tap t of place p reads. Everything is affine: place p of an axis reads step p + start + tap_step t. A transpose
// of stride s is s ordinary convolutions an axis, one for each remainder of the output's places, each with the taps
// that meet it: none multiplies the zeros in between.
#pragma once
#include "cpu/dtypes.h"
#include "cuda/conv_finish.h"
#include "cuda/fast_divide.h"
#include "cuda/gemm.h"
#include "math/bfloat16.h"

namespace athanor {
namespace cuda {

/** One axis of a sweep. */
struct Axis {
  int64_t places;               // of the output
  int64_t out_start, out_step;  // where place p of these is among all of the output's
  int64_t step, start, tap_step;
  int64_t taps;
  int64_t tap_start, tap_every;  // which of the weight's: tap_start + t tap_every
};

/** What a call says of itself, by rows and by columns. */
struct Sweep {
  int64_t stride[2], padding[2], dilation[2];
  int64_t groups;
  explicit Sweep(const Call& c) {
    for (int d = 0; d < 2; ++d) {
      stride[d] = static_cast<int64_t>(c.attrs[d]);
      padding[d] = static_cast<int64_t>(c.attrs[2 + d]);
      dilation[d] = static_cast<int64_t>(c.attrs[4 + d]);
    }
    groups = static_cast<int64_t>(c.attrs[6]);
  }
};

/** An axis of a convolution with `taps` taps and an output of `places`. */
ATHANOR_HOST_INLINE Axis forward_axis(int64_t places, int64_t taps, int64_t stride, int64_t padding, int64_t dilation) {
  return {places, 0, 1, stride, -padding, dilation, taps, 0, 1};
}

/** Of a transpose: the places of the output with remainder `phase`, which is below the stride and their count. */
ATHANOR_HOST_INLINE Axis transposed_axis(int64_t places, int64_t taps, int64_t stride, int64_t padding,
                                         int64_t dilation, int64_t phase) {
  // Tap r meets them when phase + padding - r dilation is a multiple of the stride: every `every` taps, if at all.
  int64_t every = 1, first = 0;
  while (every * dilation % stride != 0) ++every;
  const auto misses = [&](int64_t r) { return (phase + padding - r * dilation) % stride != 0; };
  while (first < every && misses(first)) ++first;
  const bool none = first == every || first >= taps;
  return {ceil_div(places - phase, stride),
          phase,
          stride,
          1,
          none ? 0 : (phase + padding - first * dilation) / stride,
          -(every * dilation / stride),
          none ? 0 : ceil_div(taps - first, every),
          none ? 0 : first,
          every};
}

/** A number as (a, b, c), c fastest. */
struct Triple {
  uint32_t a, b, c;
};
struct Split {
  FastDivide by_b, by_c;
  Split(int64_t b, int64_t c)
      : by_b(static_cast<uint32_t>(max_of<int64_t>(1, b))), by_c(static_cast<uint32_t>(max_of<int64_t>(1, c))) {}
  ATHANOR_INLINE_MEMBER Triple of(uint32_t i) const {
    const uint32_t above = by_c.quotient(i), a = by_b.quotient(above);
    return {a, above - a * by_b.divisor, i - above * by_c.divisor};
  }
};

/** Images [N, C, H, W] of any layout. */
template <class T>
struct Images {
  T* data;
  int64_t n, c, h, w;  // steps
  int height, width;
  explicit Images(const View& v)
      : data(v.as<T>()),
        n(v.strides[0]),
        c(v.strides[1]),
        h(v.strides[2]),
        w(v.strides[3]),
        height(static_cast<int>(v.shape[2])),
        width(static_cast<int>(v.shape[3])) {}
};

/** What places read of an image of `height` x `width`, on the device. */
struct Reach {
  int step[2], start[2], tap_step[2];
  int height, width;
  Reach(const Axis& y, const Axis& x, int64_t height_, int64_t width_)
      : height(static_cast<int>(height_)), width(static_cast<int>(width_)) {
    const Axis* const axes[2] = {&y, &x};
    for (int d = 0; d < 2; ++d) {
      step[d] = static_cast<int>(axes[d]->step);
      start[d] = static_cast<int>(axes[d]->start);
      tap_step[d] = static_cast<int>(axes[d]->tap_step);
    }
  }
  /** What place p of axis d reads at tap 0. */
  ATHANOR_INLINE_MEMBER int place(int d, uint32_t p) const { return static_cast<int>(p) * step[d] + start[d]; }
  ATHANOR_INLINE_MEMBER int tap(int d, uint32_t t) const { return static_cast<int>(t) * tap_step[d]; }
  ATHANOR_INLINE_MEMBER bool inside(int y, int x) const {
    return static_cast<unsigned>(y) < static_cast<unsigned>(height) &&
           static_cast<unsigned>(x) < static_cast<unsigned>(width);
  }
};

/** Rows: places of all images; columns: a group's output channels. */
template <class T>
struct ImageResult {
  Images<T> out;
  Split places;
  int64_t channels;       // of a group
  int start[2], step[2];  // where places are among all of the output's
  ConvFinish<T> finish;

  ATHANOR_INLINE_MEMBER bool by_rows() const { return out.c != 1; }
  __device__ __forceinline__ void put(int64_t i, int64_t j, T sum, const Origin& o) const {
    const int64_t channel = o.product * channels + j;
    const Triple p = places.of(static_cast<uint32_t>(i));
    const int64_t y = start[0] + static_cast<int>(p.b) * step[0], x = start[1] + static_cast<int>(p.c) * step[1];
    out.data[p.a * out.n + channel * out.c + y * out.h + x * out.w] = finish(sum, p.a, channel, y, x);
  }
};

/** Rows: a group's output channels; columns: taps by rows and columns and, fastest, `channels` of its input channels
 * and as many more as pad them. */
template <class T>
struct WeightResult {
  T* data;
  int64_t group, row, channel, r, s;  // steps
  Split taps;                         // (tap row, tap column, channel)
  uint32_t channels;

  ATHANOR_INLINE_MEMBER bool by_rows() const { return false; }
  __device__ __forceinline__ void put(int64_t i, int64_t j, T sum, const Origin& o) const {
    const Triple t = taps.of(static_cast<uint32_t>(j));
    if (t.c >= channels) return;
    data[o.product * group + i * row + t.c * channel + t.a * r + t.b * s] = sum;
  }
};

/** A batch that is the groups of a convolution; `a` and `b` numbers lie between those of the factors. */
ATHANOR_HOST_INLINE Batch groups_of(int64_t groups, int64_t a, int64_t b) {
  Batch batch{};
  batch.ndim = 1;
  batch.count = static_cast<uint32_t>(groups);
  batch.sizes[0] = FastDivide(static_cast<uint32_t>(groups));
  batch.strides[1][0] = a;
  batch.strides[2][0] = b;
  return batch;
}

/** The result of a call for the places of two axes. */
template <class T>
ImageResult<T> image_result(const Call& c, const Axis& y, const Axis& x, int64_t channels) {
  return {Images<T>(c.out[0]),
          Split(y.places, x.places),
          channels,
          {static_cast<int>(y.out_start), static_cast<int>(x.out_start)},
          {static_cast<int>(y.out_step), static_cast<int>(x.out_step)},
          ConvFinish<T>(c)};
}

/** one(y, x) for the convolution, or for each of those that its transpose falls into. */
template <class F>
void each_convolution(const Call& c, bool transposed, const F& one) {
  const Sweep s(c);
  const View &w = c.in[1], &out = c.out[0];
  if (!transposed) {
    one(forward_axis(out.shape[2], w.shape[2], s.stride[0], s.padding[0], s.dilation[0]),
        forward_axis(out.shape[3], w.shape[3], s.stride[1], s.padding[1], s.dilation[1]));
    return;
  }
  for (int64_t y = 0; y < min_of(s.stride[0], out.shape[2]); ++y)
    for (int64_t x = 0; x < min_of(s.stride[1], out.shape[3]); ++x)
      one(transposed_axis(out.shape[2], w.shape[2], s.stride[0], s.padding[0], s.dilation[0], y),
          transposed_axis(out.shape[3], w.shape[3], s.stride[1], s.padding[1], s.dilation[1], x));
}

/** Whether numbers that kernels count with have 31 bits; fails the call where they have more. */
ATHANOR_HOST_INLINE bool countable(const Call& c, int64_t a, int64_t b) {
  constexpr int64_t most = int64_t{1} << 31;
  if (a < most && b < most) return true;
  c.ctx->fail(c.ctx, "2^31 places or more in one convolution");
  return false;
}

/** How a convolution of this call's dtype is multiplied, if tensor cores may. */
ATHANOR_HOST_INLINE Arithmetic conv_arithmetic(const Call& c) {
  if (c.in[0].dtype == DType::bf16) return Arithmetic::bfloat16;
  const bool tf32 = context_of(c).float32_precision == Float32Precision::tf32;
  return c.in[0].dtype == DType::f32 && tf32 ? Arithmetic::tf32 : Arithmetic::wide;
}

/** body with the types of the sums and of what is stored. */
template <class F>
void with_stored_floats(const Call& c, const F& body) {
  if (c.in[0].dtype == DType::bf16) return body(Tag<float>{}, Tag<BFloat16>{});
  if (!with_floats(c.in[0].dtype, [&](auto tag) { body(tag, tag); })) refuse_dtype(c, c.in[0].dtype);
}

// On tensor cores: in conv_mma.cu.
bool conv_fits_mma(const Call& c, bool transposed);
bool weight_gradient_fits_mma(const Call& c);
void conv_mma(const Call& c, bool transposed);
void weight_gradient_mma(const Call& c);
// Of groups with few channels: in conv_direct.cu.
bool conv_fits_direct(const Call& c);
bool weight_gradient_fits_direct(const Call& c);
void conv_direct(const Call& c, bool transposed);
void weight_gradient_direct(const Call& c);

}  // namespace cuda
}  // namespace athanor
