// Ops that map each line of one axis to a line of the same length by way of a few numbers about all of it: softmax and
// its kin. Short and middling lines are held in registers, by eight threads, a warp or a block, so that each element is
// read once; longer ones are walked twice, in chunks that are held. Where the axis is not the innermost, the threads of
// a warp have neighbouring lines and the warps of a block share their elements, so that reads are side by side.
//
// An op K<T> has: inputs (1 or 2); nothing(), which changes no line that it is added to; take(x), which adds a chunk of
// elements x[input][k] to what it knows; settle(group), after which all threads of a line know the same; and
// result(x of each input).
#pragma once
#include "cuda/line_share.h"
#include "cuda/lines.h"

namespace athanor {
namespace cuda {

constexpr int kColumns = 32, kColumnRows = kLineThreads / kColumns;

/** A number of each thread of a block of columns. */
struct ColumnNumbers {
  double of[kColumnRows][kColumns];
};

/** The threads of a block that share a column, as Group. */
struct ColumnGroup {
  static constexpr int threads = kColumnRows;
  int t, column;

  template <class Fold>
  __device__ __forceinline__ double all(double value, const Fold& fold) const {
    ATHANOR_SHARED(ColumnNumbers, shared);
#ifndef ATHANOR_FAULT_COLUMNS  // a test leaves this barrier out, and must see wrong results
    __syncthreads();           // the numbers of the round before have been read
#endif
    shared.of[t][column] = value;
    __syncthreads();
    value = shared.of[0][column];
    for (int row = 1; row < kColumnRows; ++row) value = fold(value, shared.of[row][column]);
    return value;
  }
};

template <class T>
struct LineOperands {
  T* out;
  const T* in[2];
};

/** One line: E elements of a thread at a time, which are all that it has if `Once`. */
template <class K, int E, int V, bool Once, class G, class T, int N>
__device__ __forceinline__ void map_line(const G& group, const LineWalk<N>& walk, int64_t length,
                                         const LineOperands<T>& lines) {
  using Share = LineShare<G::threads, E, V>;
  const Share share{group.t, length, Share::off_of(lines.out)};
  K op;
  T x[N - 1][E];
  const auto load = [&](int64_t first) {
#pragma unroll
    for (int k = 0; k < N - 1; ++k) share.load(x[k], lines.in[k], walk.step[k + 1], first, K::nothing());
  };
  const auto store = [&](int64_t first) {
    share.store(lines.out, walk.step[0], first, [&](int k) { return op.result(x[0][k], x[N - 2][k]); });
  };
  if (Once) {
    load(0);
    op.take(x);
    op.settle(group);
    store(0);
    return;
  }
  const int64_t end = length + share.off;
  for (int64_t first = 0; first < end; first += Share::all) {
    load(first);
    op.take(x);
  }
  op.settle(group);
  for (int64_t first = 0; first < end; first += Share::all) {
    load(first);
    store(first);
  }
}

template <class T, int N>
__device__ __forceinline__ LineOperands<T> operands_at(const LineWalk<N>& walk, uint32_t line,
                                                       const LineOperands<T>& all) {
  int64_t at[N];
  walk.locate(line, at);
  return {all.out + at[0], {all.in[0] + at[1], all.in[1] + at[N - 1]}};
}

template <class K, int Threads, int E, int V, bool Once, class T, int N>
__global__ void __launch_bounds__(kLineThreads, held_blocks((N - 1) * E * sizeof(T), V))
    map_rows(LineWalk<N> walk, LineOperands<T> all) {
  const uint32_t line = blockIdx.x * (kLineThreads / Threads) + threadIdx.x / Threads;
  const bool inside = line < walk.lines;  // else of no length: a warp stays together
  map_line<K, E, V, Once>(Group<Threads>{static_cast<int>(threadIdx.x) % Threads}, walk, inside ? walk.length : 0,
                          operands_at(walk, inside ? line : 0, all));
}

template <class K, int E, bool Once, class T, int N>
__global__ void __launch_bounds__(kLineThreads) map_columns(LineWalk<N> walk, LineOperands<T> all) {
  const uint32_t line = blockIdx.x * kColumns + threadIdx.x;
  const bool inside = line < walk.lines;
  map_line<K, E, 1, Once>(ColumnGroup{static_cast<int>(threadIdx.y), static_cast<int>(threadIdx.x)}, walk,
                          inside ? walk.length : 0, operands_at(walk, inside ? line : 0, all));
}

/** Whether most operands have neighbouring lines side by side, and their elements further apart. */
template <int N>
bool lines_are_columns(const LineWalk<N>& walk) {
  int columns = 0;
  for (int k = 0; k < N; ++k) columns += walk.step[k] != 1 && walk.strides[k][walk.ndim - 1] == 1;
  return 2 * columns > N;
}

/** How far lines begin from multiples of V elements, the same for each operand: from 0 to V - 1, or V where it is now
 * one and now another, or -1 where vectors are of no use. */
template <int V, class T, int N>
int line_offset(const LineWalk<N>& walk, const LineOperands<T>& all) {
  const auto off = [](const T* at) { return static_cast<int>(reinterpret_cast<uintptr_t>(at) / sizeof(T) % V); };
  const int first = off(all.out);
  bool same = true;
  for (int k = 0; k < N; ++k) {
    if (walk.step[k] != 1 || (k > 0 && off(all.in[k - 1]) != first)) return -1;
    for (int d = 0; d < walk.ndim; ++d) {
      if ((walk.strides[k][d] - walk.strides[0][d]) % V != 0) return -1;
      same = same && walk.strides[k][d] % V == 0;
    }
  }
  return same ? first : V;
}

template <class K, int Threads, int E, int V, bool Once, class T, int N>
void launch_rows(const Call& c, const LineWalk<N>& walk, const LineOperands<T>& all) {
  constexpr uint32_t together = kLineThreads / Threads;
  launch(c, map_rows<K, Threads, E, V, Once, T, N>, dim3((walk.lines + together - 1) / together), dim3(kLineThreads), 0,
         walk, all);
}

/** Runs K over the lines along the axis of the first attribute. */
template <class K, class T>
void run_line_map(const Call& c) {
  constexpr int N = K::inputs + 1, V = kVector<T>;
  LineWalk<N> walk;
  if (!make_line_walk<N>(c, &walk)) return;
  const LineOperands<T> all{c.out[0].as<T>(), {c.in[0].as<const T>(), c.in[N - 2].as<const T>()}};
  const int64_t n = walk.length;
  // Held lines of float64 are twice the registers and several times the text, for a type that few compute in here: only
  // the shortest are held.
  constexpr bool few = sizeof(T) == 8;
  if (lines_are_columns(walk)) {
    const dim3 grid((walk.lines + kColumns - 1) / kColumns), block(kColumns, kColumnRows);
    if constexpr (!few)
      if (n <= 32 * kColumnRows) return launch(c, map_columns<K, 32, true, T, N>, grid, block, 0, walk, all);
    return launch(c, map_columns<K, 8, false, T, N>, grid, block, 0, walk, all);
  }
  const int off = line_offset<V>(walk, all);
  const int64_t held = n + (off < 0 ? 0 : off < V ? off : V - 1);
  if constexpr (few) {
    if (off >= 0 && held <= 32 * 8) return launch_rows<K, 32, 8, V, true>(c, walk, all);
    if (off >= 0) return launch_rows<K, 256, 8, V, false>(c, walk, all);
    return launch_rows<K, 256, 8, 1, false>(c, walk, all);
  } else {
    if (off >= 0) {
      if (held <= 8 * 8) return launch_rows<K, 8, 8, V, true>(c, walk, all);
      if (held <= 32 * 8) return launch_rows<K, 32, 8, V, true>(c, walk, all);
      if (held <= 32 * 32) return launch_rows<K, 32, 32, V, true>(c, walk, all);
      if (held <= 256 * 32) return launch_rows<K, 256, 32, V, true>(c, walk, all);
      return launch_rows<K, 256, 16, V, false>(c, walk, all);
    }
    if (held <= 32 * 8) return launch_rows<K, 32, 8, 1, true>(c, walk, all);
    if (held <= 256 * 32) return launch_rows<K, 256, 32, 1, true>(c, walk, all);
    launch_rows<K, 256, 16, 1, false>(c, walk, all);
  }
}

}  // namespace cuda
}  // namespace athanor
