// conv2d, its transpose (the gradient of its input) and the gradient of its weight, for images [N, C, H, W] and weights
// [O, C / groups, kh, kw]; attrs: stride, padding before the first row and column, and dilation, each by rows and by
// columns, then groups. What is padded behind the last row follows from the output's size. conv2dFused adds a residual
// and ends with relu, where asked to; what conv2dPack makes is left empty: weights are read where they lie.
//
// Each is a product of matrices by the main loop of gemm_simt.h, whose factors are read from where the images lie: no
// copy of the patches is made. Forward, a row is an output channel, a column a place of an output image, and the depth
// runs over the input channels and taps; the transpose is the same with another way from places to places; of the
// weight's gradient the depth runs over all places. 2 FLOPs for each product; a tile of 64 reads each number of an
// image 64 times less often than it is used.
#include "cpu/dtypes.h"
#include "cuda/conv_finish.h"
#include "cuda/dense.h"
#include "cuda/families.h"
#include "cuda/gemm_simt.h"

namespace athanor {
namespace cuda {
namespace {

/** A number as (a, b, c), c fastest. */
struct Triple {
  uint32_t a, b, c;
};
struct Split {
  FastDivide by_b, by_c;
  Split(int64_t b, int64_t c) : by_b(static_cast<uint32_t>(b)), by_c(static_cast<uint32_t>(c)) {}
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
  int64_t height, width;
  explicit Images(const View& v)
      : data(v.as<T>()),
        n(v.strides[0]),
        c(v.strides[1]),
        h(v.strides[2]),
        w(v.strides[3]),
        height(v.shape[2]),
        width(v.shape[3]) {}
};

/** Which place of an image tap r, s of an output's place reads: of a convolution, or of its transpose. */
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
  /** -1 where it is padding, or between the places of a transpose. */
  template <bool Transposed>
  ATHANOR_INLINE_MEMBER int64_t place(int d, int64_t out, int64_t tap, int64_t size) const {
    if (!Transposed) {
      const int64_t in = out * stride[d] - padding[d] + tap * dilation[d];
      return in >= 0 && in < size ? in : -1;
    }
    const int64_t scaled = out + padding[d] - tap * dilation[d], in = scaled / stride[d];
    return scaled >= 0 && in < size && in * stride[d] == scaled ? in : -1;
  }
};

/** Rows: an output channel's weights over input channels and taps. at[1] is the group. */
template <class T>
struct WeightFactor {
  using Number = T;
  static constexpr bool along_depth = true;
  const T* data;
  int64_t rows, depth;
  int64_t group, row, channel, r, s;  // steps
  Split taps;

  struct Line {
    const T* first;
  };
  __device__ __forceinline__ WeightFactor of_product(const int64_t (&at)[3]) const {
    WeightFactor moved = *this;
    moved.data += at[1] * group;
    return moved;
  }
  __device__ __forceinline__ Line line(int64_t i) const { return {i < rows ? data + i * row : nullptr}; }
  __device__ __forceinline__ T number(const Line& l, int64_t, int64_t d) const {
    if (l.first == nullptr || d >= depth) return T(0);
    const Triple t = taps.of(static_cast<uint32_t>(d));
    return l.first[t.a * channel + t.b * r + t.c * s];
  }
};

/** Columns: what the places of an output read of the image, over input channels and taps. */
template <class T, bool Transposed>
struct PatchFactor {
  using Number = T;
  static constexpr bool along_depth = false;
  Images<const T> x;
  Sweep sweep;
  Split places, taps;
  int64_t columns, depth, group;  // from group to group of x

  struct Line {
    const T* image;
    int64_t y, x;
  };
  __device__ __forceinline__ PatchFactor of_product(const int64_t (&at)[3]) const {
    PatchFactor moved = *this;
    moved.x.data += at[1] * group;
    return moved;
  }
  __device__ __forceinline__ Line line(int64_t j) const {
    if (j >= columns) return {nullptr, 0, 0};
    const Triple p = places.of(static_cast<uint32_t>(j));
    return {x.data + p.a * x.n, p.b, p.c};
  }
  __device__ __forceinline__ T number(const Line& l, int64_t, int64_t d) const {
    if (l.image == nullptr || d >= depth) return T(0);
    const Triple t = taps.of(static_cast<uint32_t>(d));
    const int64_t y = sweep.place<Transposed>(0, l.y, t.b, x.height), z = sweep.place<Transposed>(1, l.x, t.c, x.width);
    return y < 0 || z < 0 ? T(0) : l.image[t.a * x.c + y * x.h + z * x.w];
  }
};

template <class T>
struct ImageResult {
  Images<T> out;
  Split places;
  int64_t rows, columns;
  ConvFinish<T> finish;
  __device__ __forceinline__ void put(int64_t i, int64_t j, T sum, const int64_t (&at)[3]) const {
    if (i >= rows || j >= columns) return;
    const int64_t channel = at[1] * rows + i;
    const Triple p = places.of(static_cast<uint32_t>(j));
    out.data[p.a * out.n + channel * out.c + p.b * out.h + p.c * out.w] = finish(sum, p.a, channel, p.b, p.c);
  }
};

/** A batch that is the groups of a convolution: at[1] is the group's number. */
Batch groups_of(int64_t groups) {
  Batch batch{};
  batch.ndim = 1;
  batch.count = static_cast<uint32_t>(groups);
  batch.sizes[0] = FastDivide(static_cast<uint32_t>(groups));
  batch.strides[1][0] = 1;
  return batch;
}

template <class T, class A, class B, class R>
void run_product(const Call& c, int64_t m, int64_t n, int64_t k, int64_t groups, const A& a, const B& b, const R& out) {
  if (m == 0 || n == 0) return;
  constexpr int64_t most = int64_t{1} << 31;
  if (n >= most || k >= most) {
    c.ctx->fail(c.ctx, "2^31 places or more in one convolution");
    return;
  }
  constexpr int tile = 64, depth = sizeof(T) == 8 ? 8 : 16;
  const dim3 grid(static_cast<unsigned>(ceil_div(n, tile)), static_cast<unsigned>(ceil_div(m, tile)),
                  static_cast<unsigned>(min_of<int64_t>(groups, 65535)));
  launch(c, gemm_simt<tile, depth, B, A, R>, grid, dim3(kSimtThreads), 0, k, b, a, out, groups_of(groups));
}

/** put(i, j) as (j, i): places are what there are most of, and take the grid's long side. */
template <class R>
struct Turned : R {
  explicit Turned(const R& r) : R(r) {}
  template <class T>
  __device__ __forceinline__ void put(int64_t j, int64_t i, T sum, const int64_t (&at)[3]) const {
    R::put(i, j, sum, at);
  }
};

template <class T, bool Transposed>
void convolve(const Call& c) {
  const View &x = c.in[0], &w = c.in[1], &out = c.out[0];
  const Sweep sweep(c);
  const int64_t kh = w.shape[2], kw = w.shape[3], out_channels = out.shape[1] / sweep.groups;
  const int64_t in_channels = x.shape[1] / sweep.groups;
  const int64_t n = out.shape[0] * out.shape[2] * out.shape[3], k = in_channels * kh * kw;
  if (numel(out) == 0) return;
  // Forward weights are [O, C / groups, ...], a transpose's [C, O / groups, ...].
  const int row = Transposed ? 1 : 0, channel = 1 - row;
  const WeightFactor<T> a{w.as<const T>(),
                          out_channels,
                          k,
                          w.strides[0] * (Transposed ? in_channels : out_channels),
                          w.strides[row],
                          w.strides[channel],
                          w.strides[2],
                          w.strides[3],
                          Split(kh, kw)};
  const Split places(out.shape[2], out.shape[3]);
  const PatchFactor<T, Transposed> b{Images<const T>(x),        sweep, places, Split(kh, kw), n, k,
                                     in_channels * x.strides[1]};
  const ImageResult<T> result{Images<T>(out), places, out_channels, n, ConvFinish<T>(c)};
  run_product<T>(c, out_channels, n, k, sweep.groups, a, b, Turned<ImageResult<T>>(result));
}

// ---- the gradient of the weight

/** Rows: what arrives at an output channel, over all places of all images. */
template <class T>
struct ChannelFactor {
  using Number = T;
  static constexpr bool along_depth = true;
  Images<const T> g;
  Split places;
  int64_t rows, depth, group;

  struct Line {
    const T* first;
  };
  __device__ __forceinline__ ChannelFactor of_product(const int64_t (&at)[3]) const {
    ChannelFactor moved = *this;
    moved.g.data += at[1] * group;
    return moved;
  }
  __device__ __forceinline__ Line line(int64_t i) const { return {i < rows ? g.data + i * g.c : nullptr}; }
  __device__ __forceinline__ T number(const Line& l, int64_t, int64_t d) const {
    if (l.first == nullptr || d >= depth) return T(0);
    const Triple p = places.of(static_cast<uint32_t>(d));
    return l.first[p.a * g.n + p.b * g.h + p.c * g.w];
  }
};

/** Columns: what a tap of an input channel reads, over all places of all images. */
template <class T>
struct TapFactor {
  using Number = T;
  static constexpr bool along_depth = true;
  Images<const T> x;
  Sweep sweep;
  Split places, taps;
  int64_t columns, depth, group;

  struct Line {
    const T* first;
    int64_t r, s;
  };
  __device__ __forceinline__ TapFactor of_product(const int64_t (&at)[3]) const {
    TapFactor moved = *this;
    moved.x.data += at[1] * group;
    return moved;
  }
  __device__ __forceinline__ Line line(int64_t j) const {
    if (j >= columns) return {nullptr, 0, 0};
    const Triple t = taps.of(static_cast<uint32_t>(j));
    return {x.data + t.a * x.c, t.b, t.c};
  }
  __device__ __forceinline__ T number(const Line& l, int64_t, int64_t d) const {
    if (l.first == nullptr || d >= depth) return T(0);
    const Triple p = places.of(static_cast<uint32_t>(d));
    const int64_t y = sweep.place<false>(0, p.b, l.r, x.height), z = sweep.place<false>(1, p.c, l.s, x.width);
    return y < 0 || z < 0 ? T(0) : l.first[p.a * x.n + y * x.h + z * x.w];
  }
};

template <class T>
struct WeightResult {
  T* data;
  int64_t group, row, channel, r, s;
  Split taps;
  int64_t rows, columns;
  __device__ __forceinline__ void put(int64_t i, int64_t j, T sum, const int64_t (&at)[3]) const {
    if (i >= rows || j >= columns) return;
    const Triple t = taps.of(static_cast<uint32_t>(j));
    data[at[1] * group + i * row + t.a * channel + t.b * r + t.c * s] = sum;
  }
};

// in: x [N, C, H, W], g [N, O, OH, OW]
template <class T>
void weight_gradient(const Call& c) {
  const View &x = c.in[0], &g = c.in[1], &out = c.out[0];
  const Sweep sweep(c);
  const int64_t kh = out.shape[2], kw = out.shape[3], rows = out.shape[0] / sweep.groups, channels = out.shape[1];
  const int64_t n = channels * kh * kw, k = g.shape[0] * g.shape[2] * g.shape[3];
  if (numel(out) == 0) return;
  const Split places(max_of<int64_t>(1, g.shape[2]), max_of<int64_t>(1, g.shape[3])), taps(kh, kw);
  const ChannelFactor<T> a{Images<const T>(g), places, rows, k, rows * g.strides[1]};
  const TapFactor<T> b{Images<const T>(x), sweep, places, taps, n, k, channels * x.strides[1]};
  const WeightResult<T> result{out.as<T>(),
                               rows * out.strides[0],
                               out.strides[0],
                               out.strides[1],
                               out.strides[2],
                               out.strides[3],
                               taps,
                               rows,
                               n};
  run_product<T>(c, rows, n, k, sweep.groups, a, b, Turned<WeightResult<T>>(result));
}

template <bool Transposed>
void run_conv(const Call& c) {
  const bool known =
      with_floats(c.in[0].dtype, [&](auto tag) { convolve<typename decltype(tag)::type, Transposed>(c); });
  if (!known) refuse_dtype(c, c.in[0].dtype);
}

void run_weight_gradient(const Call& c) {
  const bool known = with_floats(c.in[0].dtype, [&](auto tag) { weight_gradient<typename decltype(tag)::type>(c); });
  if (!known) refuse_dtype(c, c.in[0].dtype);
}

const Kernel kernels_conv2d[] = {{"simt", nullptr, run_conv<false>}};
const Kernel kernels_conv2dFused[] = {{"simt", nullptr, run_conv<false>}};
const Kernel kernels_conv2dPack[] = {{"empty", nullptr, leave_empty}};
const Kernel kernels_convTranspose2d[] = {{"simt", nullptr, run_conv<true>}};
const Kernel kernels_conv2dWeightGradient[] = {{"simt", nullptr, run_weight_gradient}};

}  // namespace

const OpKernels conv[] = {ATHANOR_OP(conv2d, kernels_conv2d),
                          ATHANOR_OP(conv2dFused, kernels_conv2dFused),
                          ATHANOR_OP(conv2dPack, kernels_conv2dPack),
                          ATHANOR_OP(convTranspose2d, kernels_convTranspose2d),
                          ATHANOR_OP(conv2dWeightGradient, kernels_conv2dWeightGradient),
                          {nullptr, nullptr, 0}};

}  // namespace cuda
}  // namespace athanor
