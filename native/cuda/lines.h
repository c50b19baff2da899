// Where the lines of one axis are, and threads that share a line: some of a warp, a warp, or a block where it is long.
#pragma once
#include "cpu/lines.h"
#include "cuda/fast_divide.h"
#include "cuda/runtime.h"
#include "math/arithmetic.h"

namespace athanor {
namespace cuda {

constexpr int kLineThreads = 256;
constexpr int64_t kLongLine = 1024;  // from here on a block has a line to itself

/** Where each operand's lines begin. */
template <int N>
struct LineWalk {
  int ndim;
  FastDivide sizes[kMaxDims];
  int64_t strides[N][kMaxDims];
  int64_t step[N];
  uint32_t lines;
  int64_t length;

  ATHANOR_INLINE_MEMBER void locate(uint32_t line, int64_t (&at)[N]) const {
    for (int k = 0; k < N; ++k) at[k] = 0;
    for (int d = ndim - 1; d >= 0; --d) {
      const uint32_t above = sizes[d].quotient(line), index = line - above * sizes[d].divisor;
      for (int k = 0; k < N; ++k) at[k] += index * strides[k][d];
      line = above;
    }
  }
};

// ---- what a group folds its numbers with
struct Add {
  __device__ __forceinline__ double operator()(double a, double b) const { return a + b; }
};
struct Maximum {
  __device__ __forceinline__ double operator()(double a, double b) const { return m::maximum(a, b); }
};

/** One number a warp. */
struct WarpNumbers {
  double of[kLineThreads / kWarp];
};

/** The threads that share a line, a power of two of them, and what they say to each other. All of a warp take part. */
template <int Threads>
struct Group {
  static constexpr int threads = Threads;
  int t;  // this thread's place among them

  /** fold over all of them, the same for each: fold(double, double) in an order that depends on nothing. */
  template <class Fold>
  __device__ __forceinline__ double all(double value, const Fold& fold) const {
#pragma unroll
    for (int apart = (Threads < kWarp ? Threads : kWarp) / 2; apart > 0; apart /= 2)
      value = fold(value, __shfl_xor_sync(kFullMask, value, apart));
    if (Threads <= kWarp) return value;
    ATHANOR_SHARED(WarpNumbers, shared);
#ifndef ATHANOR_FAULT_LINES  // a test leaves this barrier out, and must see wrong results
    __syncthreads();         // the numbers of the round before have been read
#endif
    if (t % kWarp == 0) shared.of[t / kWarp] = value;
    __syncthreads();
    value = shared.of[0];
    for (int w = 1; w < Threads / kWarp; ++w) value = fold(value, shared.of[w]);
    return value;
  }
};

/** The lines of a call's output and its first N - 1 inputs along the axis of the first attribute; false where there is
 * nothing to do, or too much. */
template <int N>
bool make_line_walk(const Call& c, LineWalk<N>* walk) {
  const View* views[N];
  for (int k = 0; k < N; ++k) views[k] = k == 0 ? &c.out[0] : &c.in[k - 1];
  const Lines<N> l = make_lines<N>(views, static_cast<int>(c.attrs[0]));
  const int64_t lines = l.walk.elements();
  if (lines == 0 || l.length == 0) return false;
  if (lines >= int64_t{1} << 31) {
    c.ctx->fail(c.ctx, "more than 2^31 - 1 lines in one call");
    return false;
  }
  walk->ndim = l.walk.ndim;
  walk->lines = static_cast<uint32_t>(lines);
  walk->length = l.length;
  for (int d = 0; d < walk->ndim; ++d) walk->sizes[d] = FastDivide(static_cast<uint32_t>(l.walk.shape[d]));
  for (int k = 0; k < N; ++k) {
    walk->step[k] = l.step[k];
    for (int d = 0; d < walk->ndim; ++d) walk->strides[k][d] = l.walk.strides[k][d];
  }
  return true;
}

}  // namespace cuda
}  // namespace athanor
