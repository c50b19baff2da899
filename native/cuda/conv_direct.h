// The gradient of the weight of a convolution whose groups have few channels (see conv_direct.cu): its kernel, and what
// it is chosen and cut by.
#pragma once
#include "cuda/conv.h"
#include "math/cast.h"

namespace athanor {
namespace cuda {

constexpr int kDirectThreads = 256;
constexpr int kDirectWarps = kDirectThreads / kWarp;
constexpr int kDirectTaps = 9;  // of a thread: all of 3 x 3

/** Whether groups have so few channels that less than a sixteenth of a tile would be filled. */
ATHANOR_HOST_INLINE bool few_channels(int64_t groups, int64_t inputs, int64_t outputs) {
  return groups > 1 && inputs <= 4 && outputs <= 4;
}

struct DirectParts {
  unsigned blocks, parts;
  uint32_t part;  // places of each part but the last
};

/** Blocks for the pairs of channels, and parts of the places: as many as make four blocks a multiprocessor. */
ATHANOR_HOST_INLINE DirectParts choose_direct_parts(int64_t pairs, int64_t taps, int64_t places, bool beside,
                                                    int multiprocessors) {
  constexpr int64_t rounds = 16;  // of a thread, at least: fewer are mostly the beginning and the end of a block
  const int64_t blocks = beside ? ceil_div(pairs, kWarp) : pairs, walkers = beside ? kDirectWarps : kDirectThreads;
  const int64_t wanted = 4 * static_cast<int64_t>(multiprocessors) / (blocks * ceil_div(taps, kDirectTaps));
  const int64_t parts = max_of<int64_t>(1, min_of(wanted, places / (rounds * walkers)));
  const int64_t part = max_of<int64_t>(1, ceil_div(places, parts));
  return {static_cast<unsigned>(blocks), static_cast<unsigned>(max_of<int64_t>(1, ceil_div(places, part))),
          static_cast<uint32_t>(part)};
}

template <class T, class Stored>
struct DirectGradient {
  Images<const Stored> x, g;
  Reach reach;
  Split places;
  uint32_t pairs, channels, rows;  // input channels of a group, output channels of a group
  uint32_t taps, kw, count, part;  // count: places of all images
  T* sums;                         // [part][pair][tap]
};

template <class T, bool Beside>
struct DirectSums {
  T of[kDirectWarps][kDirectTaps][Beside ? kWarp : 1];
};

/** Beside: a lane has a pair, and the warps share out the places; else all threads of a block have one pair. */
template <class T, class Stored, bool Beside>
__global__ void __launch_bounds__(kDirectThreads) direct_gradient(DirectGradient<T, Stored> job) {
  using Sums = DirectSums<T, Beside>;
  ATHANOR_SHARED(Sums, shared);
  const uint32_t lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const uint32_t pair = Beside ? blockIdx.x * kWarp + lane : blockIdx.x, own = pair < job.pairs ? pair : job.pairs - 1;
  const uint32_t o = own / job.channels, c = own - o * job.channels, channel = o / job.rows * job.channels + c;
  const Stored* const g = job.g.data + o * job.g.c;
  const Stored* const x = job.x.data + channel * job.x.c;
  const uint32_t first = blockIdx.y * kDirectTaps;
  constexpr int nowhere = -(1 << 29);  // far from any image
  int down[kDirectTaps], right[kDirectTaps];
#pragma unroll
  for (int t = 0; t < kDirectTaps; ++t) {
    const uint32_t tap = first + static_cast<uint32_t>(t), r = tap / job.kw;
    down[t] = tap < job.taps ? job.reach.tap(0, r) : nowhere;
    right[t] = job.reach.tap(1, tap - r * job.kw);
  }
  T sums[kDirectTaps] = {};
  const uint32_t begin = blockIdx.z * job.part;
  const uint32_t end = job.count - begin < job.part ? job.count : begin + job.part;
  for (uint32_t d = begin + (Beside ? warp : threadIdx.x); d < end; d += Beside ? kDirectWarps : kDirectThreads) {
    const Triple p = job.places.of(d);
    const T arrived = m::Cast<T, Stored>::of(g[p.a * job.g.n + p.b * job.g.h + p.c * job.g.w]);
    const Stored* const image = x + p.a * job.x.n;
    const int y = job.reach.place(0, p.b), z = job.reach.place(1, p.c);
#pragma unroll
    for (int t = 0; t < kDirectTaps; ++t)
      if (job.reach.inside(y + down[t], z + right[t]))
        sums[t] += arrived * m::Cast<T, Stored>::of(image[(y + down[t]) * job.x.h + (z + right[t]) * job.x.w]);
  }
#pragma unroll
  for (int t = 0; t < kDirectTaps; ++t) {
    T sum = sums[t];
    if (!Beside)
#pragma unroll
      for (int apart = kWarp / 2; apart > 0; apart /= 2) sum += __shfl_xor_sync(kFullMask, sum, apart);
    if (Beside || lane == 0) shared.of[warp][t][Beside ? lane : 0] = sum;
  }
#ifndef ATHANOR_FAULT_DIRECT  // a test leaves this barrier out, and must see wrong results
  __syncthreads();
#endif
  // Of a block's sums a thread adds up one over the warps: (tap, lane) or tap.
  for (uint32_t e = threadIdx.x; e < kDirectTaps * (Beside ? kWarp : 1); e += kDirectThreads) {
    const uint32_t t = Beside ? e / kWarp : e, l = Beside ? e % kWarp : 0;
    const uint32_t to = Beside ? blockIdx.x * kWarp + l : blockIdx.x;
    if (first + t >= job.taps || to >= job.pairs) continue;
    T sum = shared.of[0][t][l];
    for (int w = 1; w < kDirectWarps; ++w) sum += shared.of[w][t][l];
    job.sums[(static_cast<int64_t>(blockIdx.z) * job.pairs + to) * job.taps + first + t] = sum;
  }
}

}  // namespace cuda
}  // namespace athanor
