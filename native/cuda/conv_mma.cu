// Convolution on tensor cores: the products of conv.cu by the loop of gemm_sm80.h, with factors that find each chunk of
// 16 bytes where the images lie. A chunk is a few channels of one pixel, so images have channels last: those that do
// are read as they are, others are copied first (one pass, a few FLOPs a byte less than the products even for 1 x 1). A
// group's channels are padded with zeros to whole chunks. The depth of a convolution runs over taps and, fastest,
// channels; of a weight's gradient over the places of all images, and the loop cuts it into parts where tiles are few.
// 2 FLOPs for each product; the image is read once a tap and tile of output channels, from the second-level cache.
#include "cuda/conv.h"
#include "cuda/gemm_sm80.h"
#include "cuda/pack.h"

namespace athanor {
namespace cuda {
namespace {

/** Images whose channels are neighbours, `length` numbers a group with what pads them. */
template <class T>
struct ChannelsLast {
  const T* data;
  int64_t group, n, h, w;  // steps
  int64_t length;

  /** From place to place where all of them follow each other: 0 where they do not. */
  int64_t pixel(int64_t height, int64_t width) const { return h == width * w && n == height * h ? w : 0; }
};

template <class T>
ChannelsLast<T> packed_channels(const Call& c, const View& v, int64_t groups) {
  const int64_t channels = v.shape[1] / groups, length = packed_length<T>(channels);
  const int64_t pixels = v.shape[0] * v.shape[2] * v.shape[3];
  View turned = v;  // [groups, N, H, W, C / groups]
  const int64_t shape[] = {groups, v.shape[0], v.shape[2], v.shape[3], channels};
  const int64_t strides[] = {channels * v.strides[1], v.strides[0], v.strides[2], v.strides[3], v.strides[1]};
  turned.ndim = 5;
  for (int d = 0; d < 5; ++d) turned.shape[d] = shape[d], turned.strides[d] = strides[d];
  return {packed_lines<T>(c, turned), pixels * length, v.shape[2] * v.shape[3] * length,
          v.shape[3] * length,        length,          length};
}

/** The images as they lie, if whole chunks of channels do, else a copy. `even`: places follow each other evenly. */
template <class T>
ChannelsLast<T> channels_last(const Call& c, const View& v, int64_t groups, bool even) {
  constexpr int64_t wide = SliceOf<T>::wide;
  const int64_t channels = v.shape[1] / groups;
  bool whole = channels % wide == 0 && v.strides[1] == 1 && reinterpret_cast<uintptr_t>(v.data) % kChunkBytes == 0;
  for (const int d : {0, 2, 3}) whole = whole && v.strides[d] % wide == 0;
  const ChannelsLast<T> as_it_lies{v.as<const T>(), channels, v.strides[0], v.strides[2], v.strides[3], channels};
  if (whole && (!even || as_it_lies.pixel(v.shape[2], v.shape[3]) != 0)) return as_it_lies;
  return packed_channels<T>(c, v, groups);
}

/** Rows: what the places of an output read of the image, over taps and channels. */
template <class T>
struct PatchFactor {
  using Number = T;
  static constexpr bool across = false;
  ChannelsLast<T> x;
  Reach reach;
  Split places, taps;  // taps: (tap row, tap column, channel)
  int64_t lines;

  struct Line {
    const T* image;
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
  __device__ __forceinline__ Chunk<T> chunk(const Line& l, int64_t, int64_t d, int64_t end) const {
    const Triple t = taps.of(static_cast<uint32_t>(d));
    const int y = l.y + reach.tap(0, t.a), z = l.x + reach.tap(1, t.b);
    if (l.image == nullptr || d >= end || !reach.inside(y, z)) return {x.data, 0};
    return {l.image + y * x.h + z * x.w + t.c, SliceOf<T>::wide};
  }
};

/** Columns: what taps of input channels read, over the places of all images. */
template <class T>
struct TapFactor {
  using Number = T;
  static constexpr bool across = true;
  ChannelsLast<T> x;
  Reach reach;
  Split places, taps;  // taps: (tap row, tap column, channel)
  int64_t lines;

  struct Line {
    const T* first;  // the channel of the first pixel
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
    return {x.data + t.c, reach.tap(0, t.a), reach.tap(1, t.b)};
  }
  __device__ __forceinline__ Chunk<T> chunk(const Line& l, int64_t, int64_t d, int64_t end) const {
    const Triple p = places.of(static_cast<uint32_t>(d));
    const int y = reach.place(0, p.b) + l.r, z = reach.place(1, p.c) + l.s;
    if (l.first == nullptr || d >= end || !reach.inside(y, z)) return {x.data, 0};
    return {l.first + p.a * x.n + y * x.h + z * x.w, SliceOf<T>::wide};
  }
};

/** The weights that two axes meet, as [groups, rows, tap rows, tap columns, channels], channels packed. */
template <class T>
const T* packed_weights(const Call& c, const Axis& y, const Axis& z, int64_t groups, bool transposed) {
  const View& w = c.in[1];
  const int64_t first = w.shape[0] / groups;
  const int row = transposed ? 1 : 0, channel = 1 - row;
  View turned = w;
  turned.data = w.as<T>() + y.tap_start * w.strides[2] + z.tap_start * w.strides[3];
  const int64_t shape[] = {groups, transposed ? w.shape[1] : first, y.taps, z.taps, transposed ? first : w.shape[1]};
  const int64_t strides[] = {first * w.strides[0], w.strides[row], y.tap_every * w.strides[2],
                             z.tap_every * w.strides[3], w.strides[channel]};
  turned.ndim = 5;
  for (int d = 0; d < 5; ++d) turned.shape[d] = shape[d], turned.strides[d] = strides[d];
  return packed_lines<T>(c, turned);
}

template <class T>
void convolve(const Call& c, bool transposed) {
  const View &x = c.in[0], &out = c.out[0];
  if (numel(out) == 0) return;
  const int64_t groups = Sweep(c).groups, columns = out.shape[1] / groups;
  const ChannelsLast<T> images = channels_last<T>(c, x, groups, false);
  each_convolution(c, transposed, [&](const Axis& y, const Axis& z) {
    const int64_t lines = out.shape[0] * y.places * z.places, depth = y.taps * z.taps * images.length;
    if (!countable(c, lines, depth)) return;
    const PatchFactor<T> a{images, Reach(y, z, x.shape[2], x.shape[3]), Split(y.places, z.places),
                           Split(z.taps, images.length), lines};
    const LinedFactor<T, false> b{packed_weights<T>(c, y, z, groups, transposed), columns, depth, 2};
    const GemmPlan plan =
        choose_gemm({lines, columns, depth, groups, conv_arithmetic(c), context_of(c).multiprocessors});
    const auto work = work_of<float>(c, plan, lines, columns, depth, groups_of(groups, images.group, columns * depth));
    run_gemm_sm80<MmaTile256, MmaTile128, MmaTileNarrow, MmaTile64>(c, plan, work, a, b,
                                                                    image_result<float>(c, y, z, columns));
  });
}

// in: x [N, C, H, W], g [N, O, OH, OW]
template <class T>
void weight_gradient(const Call& c) {
  const View &x = c.in[0], &g = c.in[1], &out = c.out[0];
  if (numel(out) == 0) return;
  const Sweep s(c);
  const int64_t kh = out.shape[2], kw = out.shape[3], rows = out.shape[0] / s.groups;
  const ChannelsLast<T> images = channels_last<T>(c, x, s.groups, false),
                        arrived = channels_last<T>(c, g, s.groups, true);
  const int64_t columns = kh * kw * images.length, depth = g.shape[0] * g.shape[2] * g.shape[3];
  if (!countable(c, columns, depth)) return;
  const Axis y = forward_axis(g.shape[2], kh, s.stride[0], s.padding[0], s.dilation[0]);
  const Axis z = forward_axis(g.shape[3], kw, s.stride[1], s.padding[1], s.dilation[1]);
  const Split taps(kw, images.length);
  const LinedFactor<T, true> a{arrived.data, rows, arrived.pixel(g.shape[2], g.shape[3]), 1};
  const TapFactor<T> b{images, Reach(y, z, x.shape[2], x.shape[3]), Split(g.shape[2], g.shape[3]), taps, columns};
  const WeightResult<float> result{
      out.as<float>(), rows * out.strides[0], out.strides[0], out.strides[1],
      out.strides[2],  out.strides[3],        taps,           static_cast<uint32_t>(out.shape[1])};
  const GemmPlan plan =
      choose_gemm({rows, columns, depth, s.groups, conv_arithmetic(c), context_of(c).multiprocessors, 128});
  const auto work = work_of<float>(c, plan, rows, columns, depth, groups_of(s.groups, arrived.group, images.group));
  // The widest tile's sums leave too few registers for finding the chunks of places and taps.
  run_gemm_sm80<MmaTile128, MmaTileNarrow, MmaTile64>(c, plan, work, a, b, result);
}

/** Whether so few channels fill a chunk to a third at least: else most of what is multiplied would be padding. */
bool fills_chunks(const Call& c, int64_t channels) {
  const int64_t wide = c.in[0].dtype == DType::bf16 ? SliceOf<BFloat16>::wide : SliceOf<float>::wide;
  return ceil_div(channels, wide) * wide <= 3 * channels;
}

bool on_tensor_cores(const Call& c) {
  const Arithmetic arithmetic = conv_arithmetic(c);
  return (arithmetic == Arithmetic::tf32 || arithmetic == Arithmetic::bfloat16) && numel(c.in[0]) > 0 &&
         numel(c.in[1]) > 0;
}

}  // namespace

bool conv_fits_mma(const Call& c, bool) {
  const int64_t groups = Sweep(c).groups;
  const View& out = c.out[0];
  return on_tensor_cores(c) && fills_chunks(c, c.in[0].shape[1] / groups) &&
         fills_tensor_cores(out.shape[0] * out.shape[2] * out.shape[3], out.shape[1] / groups);
}

bool weight_gradient_fits_mma(const Call& c) {
  const View& out = c.out[0];
  return on_tensor_cores(c) && fills_chunks(c, out.shape[1]) &&
         fills_tensor_cores(out.shape[0] / Sweep(c).groups, out.shape[1] * out.shape[2] * out.shape[3]);
}

void conv_mma(const Call& c, bool transposed) {
  if (c.in[0].dtype == DType::bf16) return convolve<BFloat16>(c, transposed);
  convolve<float>(c, transposed);
}

void weight_gradient_mma(const Call& c) {
  if (c.in[0].dtype == DType::bf16) return weight_gradient<BFloat16>(c);
  weight_gradient<float>(c);
}

}  // namespace cuda
}  // namespace athanor
