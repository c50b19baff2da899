// The kernels behind everything that folds axes: any set of axes of any layout, with one state an output.
//
// Where the innermost dimension in memory is folded, a warp or a block walks one output's elements, neighbours side by
// side
// (`fold_rows`); where it is kept, a row of threads takes neighbouring outputs and the rows of a block share their
// elements
// (`fold_columns`). A few outputs of many elements are cut into parts, whose states a last kernel joins in their order
// (`join_parts`), so a result does not depend on who ran when. Reads item size bytes and spends 1 to 5 FLOPs per
// element: bound by read bandwidth.
//
// A folder F has: In, Out, State; on the device start(), take(State&, In x, int64_t index), join(State&, const State&),
// shuffle(State, int lanes) and write(Out*, State, int64_t n).
#pragma once
#include "cpu/fold_plan.h"
#include "cuda/fast_divide.h"
#include "cuda/runtime.h"

namespace athanor {
namespace cuda {

constexpr int kFoldThreads = 256;
constexpr int kColumnThreads = 32;  // outputs of a block, by columns: a warp reads them side by side
constexpr int kRowThreads = kFoldThreads / kColumnThreads;
constexpr int64_t kMostFolded = (int64_t{1} << 31) - 1;  // fast divisions take 31 bits

/** A list of dimensions to count through, the last one fastest. */
struct FoldWalk {
  int n;
  FastDivide sizes[kMaxDims];
  int64_t in[kMaxDims], out[kMaxDims];

  FoldWalk(const FoldDim* dims, int count) : n(count) {
    for (int d = 0; d < count; ++d) {
      sizes[d] = FastDivide(static_cast<uint32_t>(dims[d].size > 0 ? dims[d].size : 1));
      in[d] = dims[d].in;
      out[d] = dims[d].out;
    }
  }

  ATHANOR_INLINE_MEMBER void locate(uint32_t i, int64_t* in_at, int64_t* out_at) const {
    int64_t from = 0, to = 0;
    for (int d = n - 1; d > 0; --d) {
      const uint32_t above = sizes[d].quotient(i), index = i - above * sizes[d].divisor;
      from += index * in[d];
      to += index * out[d];
      i = above;
    }
    if (n > 0) {
      from += i * in[0];
      to += i * out[0];
    }
    *in_at = from;
    *out_at = to;
  }
  ATHANOR_INLINE_MEMBER int64_t in_at(uint32_t i) const {
    int64_t from, to;
    locate(i, &from, &to);
    return from;
  }
};

/** What one launch folds: `parts` pieces of `part` elements each, of every output. */
struct FoldJob {
  FoldWalk kept, folded;
  uint32_t outputs, count;
  uint32_t parts, part;
};

/** The states of the lanes of each group of `Lanes`, joined in the first of them. */
template <class F, int Lanes>
__device__ __forceinline__ void join_lanes(typename F::State& state) {
#pragma unroll
  for (int apart = Lanes / 2; apart > 0; apart /= 2) F::join(state, F::shuffle(state, apart));
}

template <class F>
struct BlockStates {
  typename F::State of[kFoldThreads / kWarp];
};

/** Threads of one output: a warp (eight outputs a block), or all of a block. */
template <class F, int Threads>
__global__ void __launch_bounds__(kFoldThreads)
    fold_rows(FoldJob job, F folder, const typename F::In* x, typename F::Out* out, typename F::State* partial) {
  constexpr int together = kFoldThreads / Threads;
  const int t = static_cast<int>(threadIdx.x) % Threads;
  const uint32_t o = blockIdx.x * together + threadIdx.x / Threads;
  typename F::State state = folder.start();
  int64_t from = 0, to = 0;
  if (o < job.outputs) {
    job.kept.locate(o, &from, &to);
    const uint32_t begin = blockIdx.y * job.part;
    const uint32_t end = job.count - begin < job.part ? job.count : begin + job.part;
#pragma unroll 4
    for (uint32_t i = begin + static_cast<uint32_t>(t); i < end; i += Threads)
      folder.take(state, x[from + job.folded.in_at(i)], i);
  }
  join_lanes<F, kWarp>(state);
  if (Threads > kWarp) {
    ATHANOR_SHARED(BlockStates<F>, shared);
    if (t % kWarp == 0) shared.of[t / kWarp] = state;
#ifndef ATHANOR_FAULT_FOLD  // a test leaves the barriers of folds out, and must see wrong results
    __syncthreads();
#endif
    if (t == 0)
      for (int w = 1; w < Threads / kWarp; ++w) F::join(state, shared.of[w]);
  }
  if (t != 0 || o >= job.outputs) return;
  if (partial != nullptr)
    partial[static_cast<int64_t>(blockIdx.y) * job.outputs + o] = state;
  else
    folder.write(out + to, state, job.count);
}

template <class F>
struct ColumnStates {
  typename F::State of[kRowThreads][kColumnThreads];
};

template <class F>
__global__ void __launch_bounds__(kFoldThreads)
    fold_columns(FoldJob job, F folder, const typename F::In* x, typename F::Out* out, typename F::State* partial) {
  const uint32_t o = blockIdx.x * kColumnThreads + threadIdx.x;
  typename F::State state = folder.start();
  int64_t from = 0, to = 0;
  if (o < job.outputs) {
    job.kept.locate(o, &from, &to);
    const uint32_t begin = blockIdx.y * job.part;
    const uint32_t end = job.count - begin < job.part ? job.count : begin + job.part;
#pragma unroll 4
    for (uint32_t i = begin + threadIdx.y; i < end; i += kRowThreads)
      folder.take(state, x[from + job.folded.in_at(i)], i);
  }
  ATHANOR_SHARED(ColumnStates<F>, shared);
  shared.of[threadIdx.y][threadIdx.x] = state;
#ifndef ATHANOR_FAULT_FOLD
  __syncthreads();
#endif
  if (threadIdx.y != 0 || o >= job.outputs) return;
  for (int row = 1; row < kRowThreads; ++row) F::join(state, shared.of[row][threadIdx.x]);
  if (partial != nullptr)
    partial[static_cast<int64_t>(blockIdx.y) * job.outputs + o] = state;
  else
    folder.write(out + to, state, job.count);
}

template <class F>
__global__ void __launch_bounds__(kFoldThreads)
    join_parts(FoldJob job, F folder, typename F::Out* out, const typename F::State* partial) {
  const uint32_t o = blockIdx.x * kFoldThreads + threadIdx.x;
  if (o >= job.outputs) return;
  typename F::State state = partial[o];
  for (uint32_t p = 1; p < job.parts; ++p) F::join(state, partial[static_cast<int64_t>(p) * job.outputs + o]);
  int64_t from, to;
  job.kept.locate(o, &from, &to);
  folder.write(out + to, state, job.count);
}

/** Folds the axes whose bits are set in `mask` of the call's first input into its first output. */
template <class F>
void run_fold(const Call& c, unsigned mask, const F& folder) {
  const FoldPlan p = make_fold_plan(c.in[0], c.out[0], mask);
  if (p.outputs == 0) return;
  if (p.outputs > kMostFolded || p.count > kMostFolded) {
    c.ctx->fail(c.ctx, "more than 2^31 - 1 elements are folded, or results made, in one call");
    return;
  }
  const auto* x = c.in[0].as<const typename F::In>();
  auto* out = c.out[0].as<typename F::Out>();
  const bool by_rows = p.by_rows, wide = by_rows && p.count >= 4 * kFoldThreads;
  const int64_t groups =
      by_rows ? (wide ? p.outputs : (p.outputs + 7) / 8) : (p.outputs + kColumnThreads - 1) / kColumnThreads;
  // Enough blocks to fill the device twice over, each with work for all of its threads.
  const int64_t wanted = 8 * static_cast<int64_t>(context_of(c).multiprocessors), least = 8 * kFoldThreads;
  int64_t parts = 1;
  if ((wide || !by_rows) && groups < wanted) {
    const int64_t most = (by_rows ? p.count : p.count * kColumnThreads) / least;
    parts = wanted / groups < most ? wanted / groups : most;
    if (parts < 1) parts = 1;
  }
  const int64_t part = p.count > 0 ? (p.count + parts - 1) / parts : 1;
  parts = p.count > 0 ? (p.count + part - 1) / part : 1;
  const FoldJob job = {FoldWalk(p.kept, p.n_kept),     FoldWalk(p.folded, p.n_folded), static_cast<uint32_t>(p.outputs),
                       static_cast<uint32_t>(p.count), static_cast<uint32_t>(parts),   static_cast<uint32_t>(part)};
  using State = typename F::State;
  State* partial = parts > 1 ? scratch_array<State>(c, parts * p.outputs) : nullptr;
  const dim3 grid(static_cast<unsigned>(groups), static_cast<unsigned>(parts));
  if (!by_rows)
    launch(c, fold_columns<F>, grid, dim3(kColumnThreads, kRowThreads), 0, job, folder, x, out, partial);
  else if (wide)
    launch(c, fold_rows<F, kFoldThreads>, grid, dim3(kFoldThreads), 0, job, folder, x, out, partial);
  else
    launch(c, fold_rows<F, kWarp>, grid, dim3(kFoldThreads), 0, job, folder, x, out, partial);
  if (parts > 1) {
    const int64_t blocks = (p.outputs + kFoldThreads - 1) / kFoldThreads;
    launch(c, join_parts<F>, dim3(static_cast<unsigned>(blocks)), dim3(kFoldThreads), 0, job, folder, out, partial);
  }
}

}  // namespace cuda
}  // namespace athanor
