// Products of which one side is short: a vector, or up to sixteen of them, times a matrix. Each number of the matrix is
// read once, and used as often as the other factor has lines, of which there are too few to fill a tile. Bound by
// reading the matrix: item size bytes for 2 FLOPs a line.
//
// Where the matrix lies along the depth a warp has four of its lines, 32 neighbours of the depth at a time, and adds up
// its lanes at the end (`skinny_dots`). Where its lines lie side by side a lane has one of them, and the warps of a
// block share out the depth (`skinny_columns`). Few lines of a long depth are cut into parts, which are added in order.
#pragma once
#include "cuda/gemm.h"
#include "math/cast.h"

namespace athanor {
namespace cuda {

constexpr int kSkinnyWarps = 8;
constexpr int kSkinnyThreads = kSkinnyWarps * kWarp;
constexpr int kSkinnyLines = 4;  // of a warp, by dots: as many loads on their way
static_assert(kSkinnyWarps * kSkinnyLines == kSkinnyBlock && kWarp == kSkinnyBlock, "both kernels have one grid");

/** The lines of a factor: rows of a, or columns of b. */
template <class Stored>
struct SkinnyFactor {
  const Stored* data;
  int64_t lines, line_step, depth_step;
  int operand;  // whose offset in the batch is its own
  __device__ __forceinline__ const Stored* line(int64_t i, const Origin& o) const {
    return data + o.at[operand] + i * line_step;
  }
};

/** A product: `many` lines times `few`; turned: the many are the rows of the result. */
template <class T, class Stored, class R>
struct SkinnyJob {
  Work<T> work;
  SkinnyFactor<Stored> many, few;
  bool turned;
  R out;
  __device__ __forceinline__ void put(int64_t line, int f, T sum, const Origin& o, uint32_t part) const {
    if (line >= many.lines || f >= few.lines) return;
    work.put(out, turned ? line : f, turned ? f : line, sum, o, part);
  }
};

/** What is left to do for a block: the next product, or part of one. */
template <class T>
struct SkinnyItem {
  uint32_t part;
  Origin origin;
  int64_t from, to;
  __device__ __forceinline__ SkinnyItem(const Work<T>& work, uint32_t item) {
    const uint32_t product = item / work.parts;
    part = item - product * work.parts;
    origin = work.batch.locate(product);
    from = part * work.part_depth;
    to = min_of(work.depth, from + work.part_depth);
  }
};

template <class T, int Few>
struct SkinnyStrip {
  T of[kSkinnyWarps][Few * kSkinnyLines];
};

template <int Few, class T, class Stored, class R>
__global__ void __launch_bounds__(kSkinnyThreads) skinny_dots(SkinnyJob<T, Stored, R> job) {
  using Strip = SkinnyStrip<T, Few>;
  ATHANOR_SHARED(Strip, shared);
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kSkinnyBlock + warp * kSkinnyLines;
  if (first >= job.many.lines) return;  // the whole warp, and blocks have no barrier
  for (uint32_t i = blockIdx.z; i < job.work.items(); i += gridDim.z) {
    const SkinnyItem<T> item(job.work, i);
    const Stored *x[kSkinnyLines], *y[Few];
#pragma unroll
    for (int l = 0; l < kSkinnyLines; ++l) x[l] = job.many.line(min_of(first + l, job.many.lines - 1), item.origin);
#pragma unroll
    for (int f = 0; f < Few; ++f) y[f] = job.few.line(min_of<int64_t>(f, job.few.lines - 1), item.origin);
    T sums[Few][kSkinnyLines] = {};
#pragma unroll(Few > 4 ? 1 : 4)
    for (int64_t d = item.from + lane; d < item.to; d += kWarp) {
      T a[kSkinnyLines];
#pragma unroll
      for (int l = 0; l < kSkinnyLines; ++l) a[l] = m::Cast<T, Stored>::of(x[l][d * job.many.depth_step]);
#pragma unroll
      for (int f = 0; f < Few; ++f) {
        const T b = m::Cast<T, Stored>::of(y[f][d * job.few.depth_step]);
#pragma unroll
        for (int l = 0; l < kSkinnyLines; ++l) sums[f][l] = m::add(sums[f][l], m::mul(a[l], b));
      }
    }
    T* const strip = shared.of[warp];
#pragma unroll
    for (int f = 0; f < Few; ++f)
#pragma unroll
      for (int l = 0; l < kSkinnyLines; ++l) {
        T sum = sums[f][l];
#pragma unroll
        for (int apart = kWarp / 2; apart > 0; apart /= 2)
          sum = m::add(sum, static_cast<T>(__shfl_xor_sync(kFullMask, sum, apart)));
        if (lane == 0) strip[f * kSkinnyLines + l] = sum;
      }
#ifndef ATHANOR_FAULT_SKINNY  // a test leaves this barrier out, and must see wrong results
    __syncwarp();
#endif
#pragma unroll 1
    for (int e = lane; e < Few * kSkinnyLines; e += kWarp)
      job.put(first + e % kSkinnyLines, e / kSkinnyLines, strip[e], item.origin, item.part);
    __syncwarp();
  }
}

template <class T, int Few>
struct SkinnySums {
  T of[kSkinnyWarps][Few][kWarp];
};

template <int Few, class T, class Stored, class R>
__global__ void __launch_bounds__(kSkinnyThreads) skinny_columns(SkinnyJob<T, Stored, R> job) {
  using Sums = SkinnySums<T, Few>;
  ATHANOR_SHARED(Sums, shared);
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  const int64_t line = static_cast<int64_t>(blockIdx.x) * kSkinnyBlock + lane;
  for (uint32_t i = blockIdx.z; i < job.work.items(); i += gridDim.z) {
    const SkinnyItem<T> item(job.work, i);
    const Stored* const x = job.many.line(min_of(line, job.many.lines - 1), item.origin);
    const Stored* y[Few];
#pragma unroll
    for (int f = 0; f < Few; ++f) y[f] = job.few.line(min_of<int64_t>(f, job.few.lines - 1), item.origin);
    T sums[Few] = {};
#pragma unroll(Few > 4 ? 4 : 8)
    for (int64_t d = item.from + warp; d < item.to; d += kSkinnyWarps) {
      const T a = m::Cast<T, Stored>::of(x[d * job.many.depth_step]);
#pragma unroll
      for (int f = 0; f < Few; ++f)
        sums[f] = m::add(sums[f], m::mul(a, m::Cast<T, Stored>::of(y[f][d * job.few.depth_step])));
    }
#pragma unroll
    for (int f = 0; f < Few; ++f) shared.of[warp][f][lane] = sums[f];
#ifndef ATHANOR_FAULT_SKINNY
    __syncthreads();
#endif
#pragma unroll 1
    for (int f = warp; f < Few; f += kSkinnyWarps) {
      T sum = shared.of[0][f][lane];
      for (int w = 1; w < kSkinnyWarps; ++w) sum = m::add(sum, shared.of[w][f][lane]);
      job.put(line, f, sum, item.origin, item.part);
    }
    __syncthreads();  // the next item fills the memory again
  }
}

}  // namespace cuda
}  // namespace athanor
