// Convolution of groups that have so few channels that a tile of products would be mostly empty, depthwise ones above
// all: forward and transposed a thread an output, which walks the taps of its group's channels; of the weight's
// gradient a block has a pair of an output and an input channel (with channels last: 32 neighbouring ones), walks the
// places of all images and keeps up to nine taps in registers. Few pairs are cut into parts, which are added in their
// order. 2 FLOPs a tap: images are read once from memory, and once a tap from the caches; bound by these.
#include "cuda/conv_direct.h"

#include "cuda/each.h"
#include "math/cast.h"

namespace athanor {
namespace cuda {
namespace {

// ---- forward and transposed

template <class T, class Stored>
struct DirectConvolution {
  Images<const Stored> x;
  Reach reach;
  const Stored* weight;
  int64_t w_group, w_row, w_channel, w_r, w_s;  // steps
  int channels;                                 // of a group
  uint32_t taps_y, taps_x;
  bool beside;             // neighbouring outputs are channels, not places
  FastDivide all, places;  // output channels; places of an image
  FastDivide columns;      // output channels of a group
  ImageResult<T> out;

  __device__ void operator()(uint32_t i) const {
    const uint32_t above = beside ? all.quotient(i) : places.quotient(i);
    uint32_t line = above, channel;
    if (beside) {
      channel = i - above * all.divisor;
    } else {
      const uint32_t image = all.quotient(above);
      channel = above - image * all.divisor;
      line = image * places.divisor + (i - above * places.divisor);
    }
    const uint32_t group = columns.quotient(channel), row = channel - group * columns.divisor;
    const Triple p = out.places.of(line);
    const int y0 = reach.place(0, p.b), x0 = reach.place(1, p.c);
    const Stored* image = x.data + p.a * x.n + static_cast<int64_t>(group) * channels * x.c;
    const Stored* w = weight + group * w_group + row * w_row;
    T sum = 0;
    for (int c = 0; c < channels; ++c, image += x.c, w += w_channel)
      for (uint32_t r = 0; r < taps_y; ++r) {
        const int y = y0 + reach.tap(0, r);
        if (static_cast<unsigned>(y) >= static_cast<unsigned>(reach.height)) continue;
        const Stored *const from = image + y * x.h, *const of = w + r * w_r;
      // Four taps at a time of float64 would keep some of their numbers in memory.
#pragma unroll(sizeof(T) == 8 ? 1 : 4)
        for (uint32_t s = 0; s < taps_x; ++s) {
          const int z = x0 + reach.tap(1, s);
          if (static_cast<unsigned>(z) < static_cast<unsigned>(reach.width))
            sum += m::Cast<T, Stored>::of(from[z * x.w]) * m::Cast<T, Stored>::of(of[s * w_s]);
        }
      }
    out.put(line, row, sum, Origin{group, {0, 0, 0}});
  }
};

template <class T, class Stored>
void convolve(const Call& c, bool transposed) {
  const View &x = c.in[0], &w = c.in[1], &out = c.out[0];
  if (numel(out) == 0) return;
  const int64_t groups = Sweep(c).groups, columns = out.shape[1] / groups;
  const int row = transposed ? 1 : 0, channel = 1 - row;
  each_convolution(c, transposed, [&](const Axis& y, const Axis& z) {
    const int64_t places = y.places * z.places, count = out.shape[0] * out.shape[1] * places;
    if (!countable(c, count, 0)) return;
    for_each_number(c, count,
                    DirectConvolution<T, Stored>{
                        Images<const Stored>(x), Reach(y, z, x.shape[2], x.shape[3]),
                        w.as<const Stored>() + y.tap_start * w.strides[2] + z.tap_start * w.strides[3],
                        w.shape[0] / groups * w.strides[0], w.strides[row], w.strides[channel],
                        w.strides[2] * y.tap_every, w.strides[3] * z.tap_every, static_cast<int>(x.shape[1] / groups),
                        static_cast<uint32_t>(y.taps), static_cast<uint32_t>(z.taps), out.strides[1] == 1,
                        FastDivide(static_cast<uint32_t>(out.shape[1])), FastDivide(static_cast<uint32_t>(places)),
                        FastDivide(static_cast<uint32_t>(columns)), image_result<T>(c, y, z, columns)});
  });
}

// ---- the gradient of the weight

template <class T>
struct JoinTaps {
  const T* sums;  // [part][pair][tap]
  int64_t parts, step;
  Split pairs;  // (output channel, input channel of its group, tap)
  FastDivide kw;
  T* out;
  int64_t o, c, r, s;  // steps
  __device__ void operator()(uint32_t i) const {
    T sum = sums[i];
    for (int64_t part = 1; part < parts; ++part) sum += sums[part * step + i];
    const Triple t = pairs.of(i);
    const uint32_t row = kw.quotient(t.c);
    out[t.a * o + t.b * c + row * r + (t.c - row * kw.divisor) * s] = sum;
  }
};

// in: x [N, C, H, W], g [N, O, OH, OW]
template <class T, class Stored>
void weight_gradient(const Call& c) {
  const View &x = c.in[0], &g = c.in[1], &out = c.out[0];
  if (numel(out) == 0) return;
  const Sweep s(c);
  const int64_t kh = out.shape[2], kw = out.shape[3], channels = out.shape[1];
  const int64_t pairs = out.shape[0] * channels, taps = kh * kw, places = g.shape[0] * g.shape[2] * g.shape[3];
  if (!countable(c, pairs * taps, places)) return;
  const Axis y = forward_axis(g.shape[2], kh, s.stride[0], s.padding[0], s.dilation[0]);
  const Axis z = forward_axis(g.shape[3], kw, s.stride[1], s.padding[1], s.dilation[1]);
  const bool beside = g.strides[1] == 1 && x.strides[1] == 1;
  const DirectParts plan = choose_direct_parts(pairs, taps, places, beside, context_of(c).multiprocessors);
  T* const sums = scratch_array<T>(c, plan.parts * pairs * taps);
  const DirectGradient<T, Stored> job{Images<const Stored>(x),
                                      Images<const Stored>(g),
                                      Reach(y, z, x.shape[2], x.shape[3]),
                                      Split(g.shape[2], g.shape[3]),
                                      static_cast<uint32_t>(pairs),
                                      static_cast<uint32_t>(channels),
                                      static_cast<uint32_t>(out.shape[0] / s.groups),
                                      static_cast<uint32_t>(taps),
                                      static_cast<uint32_t>(kw),
                                      static_cast<uint32_t>(places),
                                      plan.part,
                                      sums};
  const dim3 grid(plan.blocks, static_cast<unsigned>(ceil_div(taps, kDirectTaps)), plan.parts);
  launch(c, beside ? direct_gradient<T, Stored, true> : direct_gradient<T, Stored, false>, grid, dim3(kDirectThreads),
         0, job);
  for_each_number(
      c, pairs * taps,
      JoinTaps<T>{sums, plan.parts, pairs * taps, Split(channels, taps), FastDivide(static_cast<uint32_t>(kw)),
                  out.as<T>(), out.strides[0], out.strides[1], out.strides[2], out.strides[3]});
}

}  // namespace

bool conv_fits_direct(const Call& c) {
  const int64_t groups = Sweep(c).groups;
  return few_channels(groups, c.in[0].shape[1] / groups, c.out[0].shape[1] / groups);
}
bool weight_gradient_fits_direct(const Call& c) {
  const int64_t groups = Sweep(c).groups;
  return few_channels(groups, c.out[0].shape[1], c.out[0].shape[0] / groups);
}

void conv_direct(const Call& c, bool transposed) {
  with_stored_floats(c, [&](auto sum, auto stored) {
    convolve<typename decltype(sum)::type, typename decltype(stored)::type>(c, transposed);
  });
}
void weight_gradient_direct(const Call& c) {
  with_stored_floats(c, [&](auto sum, auto stored) {
    weight_gradient<typename decltype(sum)::type, typename decltype(stored)::type>(c);
  });
}

}  // namespace cuda
}  // namespace athanor
