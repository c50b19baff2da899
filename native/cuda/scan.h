// Running sums along lines: what the threads of a warp or a block do together. A group takes a tile of a line at a
// time, each thread a few neighbours of it, adds up what the threads before it have, and hands the whole on to the next
// tile. Sums are kept in float64 (integers: 32 bits, wrapping around), in an order that depends on the sizes alone.
#pragma once
#include "cuda/lines.h"
#include "math/folds.h"

namespace athanor {
namespace cuda {

constexpr int kScanEach = 4;  // neighbours of a thread: float32 ones are 16 bytes

template <class A>
struct WarpSums {
  A of[kLineThreads / kWarp];
};

/** The threads that share a line. */
template <class A, int Threads>
struct RunningSum {
  int t;  // this thread's place among them

  /** The sum of what the threads before this one have, and that of all. */
  __device__ __forceinline__ A before(A value, A* total) const {
    const int lane = t % kWarp;
    A sum = value;
#pragma unroll
    for (int apart = 1; apart < kWarp; apart *= 2) {
      const A below = __shfl_up_sync(kFullMask, sum, static_cast<unsigned>(apart));
      if (lane >= apart) sum += below;
    }
    // Not sum - value: of an infinity that would be nan.
    const A shifted = __shfl_up_sync(kFullMask, sum, 1u), in_warp = lane == 0 ? A(0) : shifted;
    if (Threads == kWarp) {
      *total = __shfl_sync(kFullMask, sum, kWarp - 1);
      return in_warp;
    }
    ATHANOR_SHARED(WarpSums<A>, shared);
#ifndef ATHANOR_FAULT_SCAN  // a test leaves this barrier out, and must see wrong results
    __syncthreads();        // the sums of the round before have been read
#endif
    if (lane == kWarp - 1) shared.of[t / kWarp] = sum;
    __syncthreads();
    A earlier = 0, whole = 0;
    for (int w = 0; w < Threads / kWarp; ++w) {
      if (w == t / kWarp) earlier = whole;
      whole += shared.of[w];
    }
    *total = whole;
    return earlier + in_warp;
  }
};

/** Lines, cut into pieces where they are few and long; out, x. */
template <class T>
struct ScanJob {
  using A = m::Sum<T>;
  LineWalk<2> walk;
  int64_t piece;    // elements of a piece
  uint32_t pieces;  // of each line
  A* totals;        // of the pieces of each line; null where there is one
  T* out;
  const T* x;
};

/** totals = the sum of each piece: grid (lines, pieces). */
template <class T>
__global__ void __launch_bounds__(kLineThreads) sum_pieces(ScanJob<T> job) {
  using A = typename ScanJob<T>::A;
  const RunningSum<A, kLineThreads> group{static_cast<int>(threadIdx.x)};
  int64_t at[2];
  job.walk.locate(blockIdx.x, at);
  const T* const x = job.x + at[1];
  const int64_t begin = blockIdx.y * job.piece;
  const int64_t end = begin + job.piece < job.walk.length ? begin + job.piece : job.walk.length;
  A sum = 0, total;
  for (int64_t i = begin + group.t; i < end; i += kLineThreads) sum += static_cast<A>(x[i * job.walk.step[1]]);
  group.before(sum, &total);
  if (group.t == 0) job.totals[static_cast<int64_t>(blockIdx.x) * job.pieces + blockIdx.y] = total;
}

/** A warp or a block a line (or a piece of one: grid (lines, pieces)). */
template <class T, int Threads>
__global__ void __launch_bounds__(kLineThreads) scan_lines(ScanJob<T> job) {
  using A = typename ScanJob<T>::A;
  constexpr uint32_t together = kLineThreads / Threads;
  const RunningSum<A, Threads> group{static_cast<int>(threadIdx.x) % Threads};
  const uint32_t line = blockIdx.x * together + threadIdx.x / Threads;
  if (line >= job.walk.lines) return;  // whole warps, or the block
  int64_t at[2];
  job.walk.locate(line, at);
  T* const out = job.out + at[0];
  const T* const x = job.x + at[1];
  const int64_t begin = blockIdx.y * job.piece;
  const int64_t end = begin + job.piece < job.walk.length ? begin + job.piece : job.walk.length;

  A carry = 0, total;
  if (job.totals != nullptr) {  // what the pieces before this one come to
    const A* const totals = job.totals + static_cast<int64_t>(line) * job.pieces;
    for (uint32_t p = static_cast<uint32_t>(group.t); p < blockIdx.y; p += Threads) carry += totals[p];
    group.before(carry, &total);
    carry = total;
  }
  for (int64_t first = begin; first < end; first += Threads * kScanEach) {
    const int64_t own = first + group.t * kScanEach;
    A sums[kScanEach], sum = 0;
#pragma unroll
    for (int e = 0; e < kScanEach; ++e) {
      if (own + e < end) sum += static_cast<A>(x[(own + e) * job.walk.step[1]]);
      sums[e] = sum;
    }
    const A start = carry + group.before(sum, &total);
    carry += total;
#pragma unroll
    for (int e = 0; e < kScanEach; ++e)
      if (own + e < end) out[(own + e) * job.walk.step[0]] = static_cast<T>(start + sums[e]);
  }
}

}  // namespace cuda
}  // namespace athanor
