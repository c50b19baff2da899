// conv2d (alone, or with a residual and relu), its transpose (the gradient of its input) and the gradient of its
// weight, for images [N, C, H, W] and weights [O, C / groups, kh, kw]; attrs: stride, padding before the first row and
// column, and dilation, each by rows and by columns, then groups. What is padded behind the last row follows from the
// output's size.
//
// Each is a product of matrices whose factors are read from where the images lie: no copy of the patches is made.
// Forward, a row is a place of an output image, a column an output channel, and the depth runs over the input channels
// and taps; the transpose is the same for each remainder of the output's places by the stride (conv.h); of the weight's
// gradient the depth runs over all places. Here are the exact ones, by the loop of gemm_simt.h; conv_mma.cu has those
// on tensor cores, conv_direct.cu those of groups with few channels. 2 FLOPs for each product; a tile of 64 reads each
// number of an image 64 times less often than it is used.
#include "cuda/conv.h"

#include "cpu/dtypes.h"
#include "cuda/dense.h"
#include "cuda/families.h"
#include "cuda/gemm_simt.h"

namespace athanor {
namespace cuda {
namespace {

/** Rows: what the places of an output read of the image, over input channels and taps. */
template <class T, class Stored>
struct PatchFactor {
  using Number = T;
  static constexpr bool along_depth = false;
  Images<const Stored> x;
  Reach reach;
  Split places, taps;
  int64_t lines, depth;

  struct Line {
    const Stored* image;
    int y, x;
  };
  __device__ __forceinline__ PatchFactor of_product(const Origin& o) const {
    PatchFactor moved = *this;
    moved.x.data += o.at[1];
    return moved;
  }
  __device__ __forceinline__ Line line(int64_t i) const {
    if (i >= lines) return {nullptr, 0, 0};
    const Triple p = places.of(static_cast<uint32_t>(i));
    return {x.data + p.a * x.n, reach.place(0, p.b), reach.place(1, p.c)};
  }
  __device__ __forceinline__ T number(const Line& l, int64_t, int64_t d) const {
    if (l.image == nullptr || d >= depth) return T(0);
    const Triple t = taps.of(static_cast<uint32_t>(d));
    const int y = l.y + reach.tap(0, t.b), z = l.x + reach.tap(1, t.c);
    return reach.inside(y, z) ? m::Cast<T, Stored>::of(l.image[t.a * x.c + y * x.h + z * x.w]) : T(0);
  }
};

/** Columns: an output channel's weights over input channels and taps. */
template <class T, class Stored>
struct WeightFactor {
  using Number = T;
  static constexpr bool along_depth = true;
  const Stored* data;
  int64_t lines, depth;
  int64_t line_step, channel, r, s;  // steps
  Split taps;

  struct Line {
    const Stored* first;
  };
  __device__ __forceinline__ WeightFactor of_product(const Origin& o) const {
    WeightFactor moved = *this;
    moved.data += o.at[2];
    return moved;
  }
  __device__ __forceinline__ Line line(int64_t i) const { return {i < lines ? data + i * line_step : nullptr}; }
  __device__ __forceinline__ T number(const Line& l, int64_t, int64_t d) const {
    if (l.first == nullptr || d >= depth) return T(0);
    const Triple t = taps.of(static_cast<uint32_t>(d));
    return m::Cast<T, Stored>::of(l.first[t.a * channel + t.b * r + t.c * s]);
  }
};

GemmPlan plan_of(const Call& c, int64_t m, int64_t n, int64_t k, int64_t groups) {
  return choose_gemm({m, n, k, groups, Arithmetic::wide, context_of(c).multiprocessors});
}

template <class T, class A, class B, class R>
void run_product(const Call& c, int64_t m, int64_t n, int64_t k, const Batch& groups, const A& a, const B& b,
                 const R& out) {
  constexpr int tile = 64, depth = sizeof(T) == 8 ? 8 : 16;
  const GemmPlan plan = plan_of(c, m, n, k, groups.count);
  const auto work = work_of<T>(c, plan, m, n, k, groups);
  launch(c, gemm_simt<tile, depth, A, B, R>, grid_of(plan, work), dim3(kSimtThreads), 0, work, a, b, out);
  add_parts(c, work, out);
}

/** T: in which numbers are multiplied and added; Stored: as which x and weight are stored. */
template <class T, class Stored>
void convolve(const Call& c, bool transposed) {
  const View &x = c.in[0], &w = c.in[1], &out = c.out[0];
  if (numel(out) == 0) return;
  const int64_t groups = Sweep(c).groups, channels = x.shape[1] / groups, columns = out.shape[1] / groups;
  // Forward weights are [O, C / groups, ...], a transpose's [C, O / groups, ...].
  const int row = transposed ? 1 : 0, channel = 1 - row;
  const Batch batch = groups_of(groups, channels * x.strides[1], w.shape[0] / groups * w.strides[0]);
  each_convolution(c, transposed, [&](const Axis& y, const Axis& z) {
    const int64_t lines = out.shape[0] * y.places * z.places, depth = channels * y.taps * z.taps;
    if (!countable(c, lines, depth)) return;
    const Split taps(y.taps, z.taps);
    const PatchFactor<T, Stored> a{
        Images<const Stored>(x), Reach(y, z, x.shape[2], x.shape[3]), Split(y.places, z.places), taps, lines, depth};
    const WeightFactor<T, Stored> b{w.as<const Stored>() + y.tap_start * w.strides[2] + z.tap_start * w.strides[3],
                                    columns,
                                    depth,
                                    w.strides[row],
                                    w.strides[channel],
                                    w.strides[2] * y.tap_every,
                                    w.strides[3] * z.tap_every,
                                    taps};
    run_product<T>(c, lines, columns, depth, batch, a, b, image_result<T>(c, y, z, columns));
  });
}

// ---- the gradient of the weight

/** Rows: what arrives at an output channel, over all places of all images. */
template <class T, class Stored>
struct ChannelFactor {
  using Number = T;
  static constexpr bool along_depth = true;
  Images<const Stored> g;
  Split places;
  int64_t lines, depth;

  struct Line {
    const Stored* first;
  };
  __device__ __forceinline__ ChannelFactor of_product(const Origin& o) const {
    ChannelFactor moved = *this;
    moved.g.data += o.at[1];
    return moved;
  }
  __device__ __forceinline__ Line line(int64_t i) const { return {i < lines ? g.data + i * g.c : nullptr}; }
  __device__ __forceinline__ T number(const Line& l, int64_t, int64_t d) const {
    if (l.first == nullptr || d >= depth) return T(0);
    const Triple p = places.of(static_cast<uint32_t>(d));
    return m::Cast<T, Stored>::of(l.first[p.a * g.n + p.b * g.h + p.c * g.w]);
  }
};

/** Columns: what a tap of an input channel reads, over all places of all images. */
template <class T, class Stored>
struct TapFactor {
  using Number = T;
  static constexpr bool along_depth = true;
  Images<const Stored> x;
  Reach reach;
  Split places, taps;
  int64_t lines, depth;

  struct Line {
    const Stored* first;
    int r, s;
  };
  __device__ __forceinline__ TapFactor of_product(const Origin& o) const {
    TapFactor moved = *this;
    moved.x.data += o.at[2];
    return moved;
  }
  __device__ __forceinline__ Line line(int64_t j) const {
    if (j >= lines) return {nullptr, 0, 0};
    const Triple t = taps.of(static_cast<uint32_t>(j));
    return {x.data + t.c * x.c, reach.tap(0, t.a), reach.tap(1, t.b)};
  }
  __device__ __forceinline__ T number(const Line& l, int64_t, int64_t d) const {
    if (l.first == nullptr || d >= depth) return T(0);
    const Triple p = places.of(static_cast<uint32_t>(d));
    const int y = reach.place(0, p.b) + l.r, z = reach.place(1, p.c) + l.s;
    return reach.inside(y, z) ? m::Cast<T, Stored>::of(l.first[p.a * x.n + y * x.h + z * x.w]) : T(0);
  }
};

// in: x [N, C, H, W], g [N, O, OH, OW]
template <class T, class Stored>
void weight_gradient(const Call& c) {
  const View &x = c.in[0], &g = c.in[1], &out = c.out[0];
  if (numel(out) == 0) return;
  const Sweep s(c);
  const int64_t kh = out.shape[2], kw = out.shape[3], rows = out.shape[0] / s.groups, channels = out.shape[1];
  const int64_t columns = channels * kh * kw, depth = g.shape[0] * g.shape[2] * g.shape[3];
  if (!countable(c, columns, depth)) return;
  const Axis y = forward_axis(g.shape[2], kh, s.stride[0], s.padding[0], s.dilation[0]);
  const Axis z = forward_axis(g.shape[3], kw, s.stride[1], s.padding[1], s.dilation[1]);
  const Split places(g.shape[2], g.shape[3]), taps(kw, channels);
  const ChannelFactor<T, Stored> a{Images<const Stored>(g), places, rows, depth};
  const TapFactor<T, Stored> b{
      Images<const Stored>(x), Reach(y, z, x.shape[2], x.shape[3]), places, taps, columns, depth};
  const WeightResult<T> result{out.as<T>(),    rows * out.strides[0], out.strides[0], out.strides[1],
                               out.strides[2], out.strides[3],        taps,           static_cast<uint32_t>(channels)};
  run_product<T>(c, rows, columns, depth, groups_of(s.groups, rows * g.strides[1], channels * x.strides[1]), a, b,
                 result);
}

// ---- the lists

template <bool Transposed>
void run_conv(const Call& c) {
  with_stored_floats(c, [&](auto sum, auto stored) {
    convolve<typename decltype(sum)::type, typename decltype(stored)::type>(c, Transposed);
  });
}
void run_weight_gradient(const Call& c) {
  with_stored_floats(c, [&](auto sum, auto stored) {
    weight_gradient<typename decltype(sum)::type, typename decltype(stored)::type>(c);
  });
}

template <bool Transposed>
bool fits_sm80(const Call& c) {
  return conv_fits_mma(c, Transposed);
}
template <bool Transposed>
void run_sm80(const Call& c) {
  conv_mma(c, Transposed);
}

template <bool Transposed>
void run_direct(const Call& c) {
  conv_direct(c, Transposed);
}

const Kernel kernels_conv2dPack[] = {{"empty", nullptr, leave_empty}};
const Kernel kernels_conv2d[] = {{"direct", conv_fits_direct, run_direct<false>},
                                 {"sm80", fits_sm80<false>, run_sm80<false>},
                                 {"simt", nullptr, run_conv<false>}};
const Kernel kernels_convTranspose2d[] = {{"direct", conv_fits_direct, run_direct<true>},
                                          {"sm80", fits_sm80<true>, run_sm80<true>},
                                          {"simt", nullptr, run_conv<true>}};
const Kernel kernels_conv2dWeightGradient[] = {{"direct", weight_gradient_fits_direct, weight_gradient_direct},
                                               {"sm80", weight_gradient_fits_mma, weight_gradient_mma},
                                               {"simt", nullptr, run_weight_gradient}};

}  // namespace

const OpKernels conv[] = {ATHANOR_OP(conv2d, kernels_conv2d),
                          ATHANOR_OP(conv2dFused, kernels_conv2d),
                          ATHANOR_OP(conv2dPack, kernels_conv2dPack),
                          ATHANOR_OP(convTranspose2d, kernels_convTranspose2d),
                          ATHANOR_OP(conv2dWeightGradient, kernels_conv2dWeightGradient),
                          {nullptr, nullptr, 0}};

}  // namespace cuda
}  // namespace athanor
