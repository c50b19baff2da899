// conv2d, its transpose (the gradient of its input) and the gradient of its weight, for images [N, C, H, W] and weights
// [O, C / groups, kh, kw]; attrs: stride, padding before the first row and column, and dilation, each by rows and by
// columns, then groups. What is padded behind the last row follows from the output's size. conv_correlate.h and
// conv_weight_gradient.h say how work is split and what bounds it.
#include "cpu/conv_correlate.h"
#include "cpu/conv_weight_gradient.h"
#include "cpu/dense.h"
#include "cpu/dtypes.h"
#include "cpu/families.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

/** What conv2d and its gradients are told of themselves. Index 0 is along rows (vertical), 1 along columns. */
struct Geometry {
  int64_t stride[2], padding[2], dilation[2], groups;
  explicit Geometry(const Call& c)
      : stride{attr(c, 0), attr(c, 1)},
        padding{attr(c, 2), attr(c, 3)},
        dilation{attr(c, 4), attr(c, 5)},
        groups(attr(c, 6)) {}
  static int64_t attr(const Call& c, int i) { return static_cast<int64_t>(c.attrs[i]); }
};

/** Taps under construction: where in the image each lies, and where its weight does. */
struct TapList {
  int64_t count = 0;
  int64_t *dy, *dx, *weight;
  TapList(Context* ctx, int64_t room)
      : dy(scratch_array<int64_t>(ctx, room)),
        dx(scratch_array<int64_t>(ctx, room)),
        weight(scratch_array<int64_t>(ctx, room)) {}
  void add(int64_t y, int64_t x, int64_t w) {
    dy[count] = y;
    dx[count] = x;
    weight[count++] = w;
  }
  Taps taps() const { return {count, dy, dx}; }
};

template <class T>
Source<T> source_of(const View& v) {
  return {v.as<const T>(), v.strides[0], v.strides[1], v.strides[2], v.strides[3], v.shape[2], v.shape[3]};
}

/** All taps of a convolution, in the order of the weight's last two dimensions. */
TapList forward_taps(Context* ctx, const Geometry& geometry, int64_t kh, int64_t kw, int64_t w_row, int64_t w_column) {
  TapList list(ctx, kh * kw);
  for (int64_t r = 0; r < kh; ++r)
    for (int64_t s = 0; s < kw; ++s)
      list.add(r * geometry.dilation[0] - geometry.padding[0], s * geometry.dilation[1] - geometry.padding[1],
               r * w_row + s * w_column);
  return list;
}

bool lies_dense(const View& w) {
  return (w.shape[3] == 1 || w.strides[3] == 1) && (w.shape[2] == 1 || w.strides[2] == w.shape[3]) &&
         (w.shape[1] == 1 || w.strides[1] == w.shape[2] * w.shape[3]);
}

template <class T>
void run_conv2d(const Call& c) {
  const Geometry geometry(c);
  const View &x = c.in[0], &w = c.in[1], &out = c.out[0];
  const TapList list = forward_taps(c.ctx, geometry, w.shape[2], w.shape[3], w.strides[2], w.strides[3]);
  Correlation<T> p;
  p.images = x.shape[0];
  p.groups = geometry.groups;
  p.m = w.shape[0] / p.groups;
  p.channels = w.shape[1];
  p.source = source_of<T>(x);
  p.grid = {out.shape[2], out.shape[3], geometry.stride[0], geometry.stride[1]};
  p.taps = list.taps();
  p.weights = {w.as<const T>(), p.m * w.strides[0], w.strides[0], w.strides[1], list.weight, lies_dense(w)};
  p.target = {out.as<T>(), out.strides[0], out.strides[1], out.strides[2], out.strides[3]};
  p.bias = c.n_in > 2 ? dense_vector<T>(c.ctx, c.in[2]) : nullptr;
  correlate(c.ctx, p);
}

/**
 * The transpose scatters: x[y] * weight[r] goes to row y * stride + r * dilation - padding. Seen from an output row,
 * the taps that hit it are those with the right remainder in the stride, so the output falls into stride * stride
 * grids, each of which is an ordinary convolution of x with its own taps and step 1.
 */
template <class T>
void run_conv_transpose2d(const Call& c) {
  const Geometry geometry(c);
  const View &x = c.in[0], &w = c.in[1], &out = c.out[0];
  Correlation<T> p;
  p.images = x.shape[0];
  p.groups = geometry.groups;
  p.m = w.shape[1];
  p.channels = w.shape[0] / p.groups;
  p.source = source_of<T>(x);
  p.bias = c.n_in > 2 ? dense_vector<T>(c.ctx, c.in[2]) : nullptr;
  TapList list(c.ctx, w.shape[2] * w.shape[3]);
  for (int64_t a = 0; a < min_of(geometry.stride[0], out.shape[2]); ++a) {
    for (int64_t b = 0; b < min_of(geometry.stride[1], out.shape[3]); ++b) {
      list.count = 0;
      for (int64_t r = 0; r < w.shape[2]; ++r) {
        for (int64_t s = 0; s < w.shape[3]; ++s) {
          const int64_t y = a + geometry.padding[0] - r * geometry.dilation[0];
          const int64_t z = b + geometry.padding[1] - s * geometry.dilation[1];
          if (y % geometry.stride[0] == 0 && z % geometry.stride[1] == 0)
            list.add(y / geometry.stride[0], z / geometry.stride[1], r * w.strides[2] + s * w.strides[3]);
        }
      }
      p.taps = list.taps();
      p.grid = {ceil_div(out.shape[2] - a, geometry.stride[0]), ceil_div(out.shape[3] - b, geometry.stride[1]), 1, 1};
      p.weights = {w.as<const T>(), p.channels * w.strides[0], w.strides[1], w.strides[0], list.weight, false};
      p.target = {out.as<T>() + a * out.strides[2] + b * out.strides[3], out.strides[0], out.strides[1],
                  geometry.stride[0] * out.strides[2], geometry.stride[1] * out.strides[3]};
      correlate(c.ctx, p);
    }
  }
}

template <class T>
void run_weight_gradient(const Call& c) {
  const Geometry geometry(c);
  const View &x = c.in[0], &out = c.out[0];
  const View g = dense_planes<T>(c.ctx, c.in[1]);
  WeightGradient<T> p;
  p.images = x.shape[0];
  p.groups = geometry.groups;
  p.m = out.shape[0] / p.groups;
  p.channels = out.shape[1];
  p.source = source_of<T>(x);
  p.grid = {g.shape[2], g.shape[3], geometry.stride[0], geometry.stride[1]};
  p.taps = forward_taps(c.ctx, geometry, out.shape[2], out.shape[3], 0, 0).taps();
  p.g = g.as<const T>();
  p.g_n = g.strides[0];
  p.g_m = g.strides[1];
  const bool direct = is_contiguous(out);
  p.out = direct ? out.as<T>() : scratch_array<T>(c.ctx, numel(out));
  weight_gradient(c.ctx, p);
  if (direct) return;
  const T* from = p.out;
  for (int64_t o = 0; o < out.shape[0]; ++o)
    for (int64_t i = 0; i < out.shape[1]; ++i)
      for (int64_t r = 0; r < out.shape[2]; ++r)
        for (int64_t s = 0; s < out.shape[3]; ++s)
          out.as<T>()[o * out.strides[0] + i * out.strides[1] + r * out.strides[2] + s * out.strides[3]] = *from++;
}

#define ATHANOR_CONV_KERNELS(name, run)                                                       \
  void k_##name(const Call& c) {                                                              \
    if (!with_floats(c.in[0].dtype, [&](auto tag) { run<typename decltype(tag)::type>(c); })) \
      refuse_dtype(c, c.in[0].dtype);                                                         \
  }                                                                                           \
  const Kernel kernels_##name[] = {{"rows", nullptr, k_##name}};

ATHANOR_CONV_KERNELS(conv2d, run_conv2d)
ATHANOR_CONV_KERNELS(convTranspose2d, run_conv_transpose2d)
ATHANOR_CONV_KERNELS(conv2dWeightGradient, run_weight_gradient)

}  // namespace

const OpKernels conv[] = {ATHANOR_OP(conv2d, kernels_conv2d),
                          ATHANOR_OP(convTranspose2d, kernels_convTranspose2d),
                          ATHANOR_OP(conv2dWeightGradient, kernels_conv2dWeightGradient),
                          {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
