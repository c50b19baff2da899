// The general product: multiply-adds of the ordinary units, for every type and layout. A block computes a tile of Tile
// x Tile from slices of both factors in shared memory, each thread an Each x Each part of it in registers; the next
// slice is on its way from global memory to registers while this one is multiplied. 2 m n k FLOPs; each factor is read
// n / Tile (m / Tile) times. Of a tile of 128 a thread reads 16 numbers from shared memory, four at a time, for 64
// multiply-adds, which a warp gets in 4 accesses without conflicts: the multiply-add units are the bound.
#pragma once
#include "cuda/gemm.h"
#include "math/cast.h"

namespace athanor {
namespace cuda {

constexpr int kSimtThreads = 256;

template <class T, int Tile, int Depth>
struct SimtTiles {
  // Two slices: one is filled while the other is multiplied. A row more than a tile keeps writes across rows apart.
  alignas(16) T a[2][Depth][Tile + 4];
  alignas(16) T b[2][Depth][Tile + 4];
};

/**
 * A factor that lies in memory with two steps: a line is a row of A or a column of B. A factor F has
 *   of_product(origin): itself, for a product of the batch;
 *   Line line(i): what is worth remembering of line i while the depth is walked;
 *   number(line, i, d): the number of that line at place d of the depth, 0 beyond its ends;
 *   along_depth: whether neighbours along the depth should be fetched by neighbouring threads.
 */
template <class T, bool Along, class Stored = T>
struct StridedFactor {
  using Number = T;
  static constexpr bool along_depth = Along;
  const Stored* data;
  int64_t lines, line_step, depth, depth_step;
  int operand;  // whose offset in the batch is its own

  struct Line {};  // an address for each would take a quarter of the registers
  __device__ __forceinline__ StridedFactor of_product(const Origin& o) const {
    StridedFactor moved = *this;
    moved.data += o.at[operand];
    return moved;
  }
  __device__ __forceinline__ Line line(int64_t) const { return {}; }
  __device__ __forceinline__ T number(const Line&, int64_t i, int64_t d) const {
    return i < lines && d < depth ? m::Cast<T, Stored>::of(data[i * line_step + d * depth_step]) : T(0);
  }
};

/** A thread's share of the slices of a factor, on its way through registers. */
template <class F, int Tile, int Depth>
struct SimtSlice {
  using T = typename F::Number;
  static constexpr bool along = F::along_depth;
  static constexpr int each = Tile * Depth / kSimtThreads;
  int64_t first;
  typename F::Line lines[each];
  T value[each];

  static __device__ __forceinline__ int place(int i) { return static_cast<int>(threadIdx.x) + i * kSimtThreads; }
  static __device__ __forceinline__ int depth_of(int i) { return along ? place(i) % Depth : place(i) / Tile; }
  static __device__ __forceinline__ int line_of(int i) { return along ? place(i) / Depth : place(i) % Tile; }

  __device__ __forceinline__ void begin(const F& factor, int64_t tile) {
    first = tile;
#pragma unroll
    for (int i = 0; i < each; ++i) lines[i] = factor.line(first + line_of(i));
  }
  __device__ __forceinline__ void load(const F& factor, int64_t d0) {
#pragma unroll
    for (int i = 0; i < each; ++i) value[i] = factor.number(lines[i], first + line_of(i), d0 + depth_of(i));
  }
  __device__ __forceinline__ void store(T (&to)[Depth][Tile + 4]) const {
#pragma unroll
    for (int i = 0; i < each; ++i) to[depth_of(i)][line_of(i)] = value[i];
  }
};

/** Four numbers that are read together. */
template <class T>
struct alignas(sizeof(T) * 4 < 16 ? sizeof(T) * 4 : 16) Four {
  T at[4];
};

/**
 * Where thread (ty, tx) of 16 x 16 stands, and which of a tile's rows (columns) are its own: fours of neighbours, a
 * quarter of the threads' fours apart. A warp is 4 x 8 threads: its reads of A are 64 bytes, those of B 128.
 */
struct SimtThread {
  static constexpr int side = 16;
  int ty, tx;
  __device__ __forceinline__ SimtThread() {
    const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
    ty = warp / 2 * 4 + lane / 8;
    tx = warp % 2 * 8 + lane % 8;
  }
  static __device__ __forceinline__ int own(int t, int i) { return i / 4 * (side * 4) + t * 4 + i % 4; }
};

template <int Each, class T>
__device__ __forceinline__ void read_own(T (&to)[Each], const T* row, int t) {
#pragma unroll
  for (int g = 0; g < Each; g += 4) {
    const Four<T> four = *reinterpret_cast<const Four<T>*>(row + SimtThread::own(t, g));
#pragma unroll
    for (int i = 0; i < 4; ++i) to[g + i] = four.at[i];
  }
}

/**
 * A row of the sums of each of a warp's threads on its way out: 4 rows of the tile, of the columns of 8 threads. The
 * loop over them is not unrolled, so that a result's text is there a few times and not for each sum.
 */
template <class T, int Each>
struct SimtStrip {
  static constexpr int columns = 8 * Each;
  T at[4][columns];

  __device__ __forceinline__ void lay(const T (&sums)[Each]) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
    for (int g = 0; g < Each; g += 4) {
      Four<T> four;
#pragma unroll
      for (int j = 0; j < 4; ++j) four.at[j] = sums[g + j];
      *reinterpret_cast<Four<T>*>(&at[lane / 8][g * 8 + lane % 8 * 4]) = four;
    }
  }
  template <class R>
  __device__ __forceinline__ void put(const Work<T>& work, const R& out, int64_t row0, int64_t column0, int i,
                                      const Origin& origin, uint32_t part) const {
    const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
    const bool by_rows = work.parts == 1 && out.by_rows();
#pragma unroll 1
    for (int e = lane; e < 4 * columns; e += kWarp) {
      const int y = by_rows ? e % 4 : e / columns, x = by_rows ? e / 4 : e % columns;
      // Threads' fours of columns follow each other; the next four of the same threads lie a quarter further.
      const int64_t row = row0 + SimtThread::own(warp / 2 * 4 + y, i);
      const int64_t column = column0 + x / 32 * (SimtThread::side * 4) + warp % 2 * 32 + x % 32;
      work.put(out, row, column, at[y][x], origin, part);
    }
  }
};

// Two blocks of small tiles fit a multiprocessor with half of its registers each: one computes while the other waits. A
// tile of 128, and one of float64, would keep some of its numbers in memory.
template <int Tile, int Depth, class A, class B, class R>
__global__ void __launch_bounds__(kSimtThreads, Tile < 128 && sizeof(typename A::Number) <= 4 ? 2 : 1)
    gemm_simt(Work<typename A::Number> work, A a, B b, R out) {
  using T = typename A::Number;
  constexpr int each = Tile / SimtThread::side;
  using Tiles = SimtTiles<T, Tile, Depth>;
  using Strip = SimtStrip<T, each>;
  static_assert(sizeof(Strip) * (kSimtThreads / kWarp) <= sizeof(Tiles), "strips of all warps take the tiles' place");
  ATHANOR_SHARED(Tiles, shared);
  const SimtThread me;
  const TilePlace tile =
      tile_of(blockIdx.x, static_cast<uint32_t>(ceil_div(work.m, Tile)), static_cast<uint32_t>(ceil_div(work.n, Tile)));
  const int64_t row0 = static_cast<int64_t>(tile.row) * Tile, column0 = static_cast<int64_t>(tile.column) * Tile;

  for (uint32_t item = blockIdx.z; item < work.items(); item += gridDim.z) {
    const uint32_t product = item / work.parts, part = item - product * work.parts;
    const Origin origin = work.batch.locate(product);
    const int64_t from = part * work.part_depth, to = min_of(work.depth, from + work.part_depth);
    SimtSlice<A, Tile, Depth> next_a;
    SimtSlice<B, Tile, Depth> next_b;
    const A own_a = a.of_product(origin);
    const B own_b = b.of_product(origin);
    next_a.begin(own_a, row0);
    next_b.begin(own_b, column0);
    T sums[each][each] = {};

    next_a.load(own_a, from);
    next_b.load(own_b, from);
    next_a.store(shared.a[0]);
    next_b.store(shared.b[0]);
    __syncthreads();
    int now = 0;
    for (int64_t k0 = from; k0 < to; k0 += Depth, now = 1 - now) {
      const int64_t ahead = k0 + Depth;
      if (ahead < to) {
        next_a.load(own_a, ahead);
        next_b.load(own_b, ahead);
      }
#pragma unroll
      for (int d = 0; d < Depth; ++d) {
        T x[each], y[each];
        read_own(x, shared.a[now][d], me.ty);
        read_own(y, shared.b[now][d], me.tx);
#pragma unroll
        for (int i = 0; i < each; ++i)
#pragma unroll
          for (int j = 0; j < each; ++j) sums[i][j] = m::add(sums[i][j], m::mul(x[i], y[j]));
      }
      if (ahead < to) {
        next_a.store(shared.a[1 - now]);
        next_b.store(shared.b[1 - now]);
      }
#ifndef ATHANOR_FAULT_GEMM_SIMT  // a test leaves this barrier out, and must see wrong results
      __syncthreads();
#endif
    }
    // Behind the last barrier nobody reads the tiles any more: warps lay their sums there.
    Strip& strip = reinterpret_cast<Strip*>(&shared)[threadIdx.x / kWarp];
#pragma unroll
    for (int i = 0; i < each; ++i) {
      strip.lay(sums[i]);
      __syncwarp();
      strip.put(work, out, row0, column0, i, origin, part);
      __syncwarp();
    }
#ifndef ATHANOR_FAULT_GEMM_ITEMS  // a test leaves this barrier out, and must see wrong results
    __syncthreads();              // the next item fills the tiles again
#endif
  }
}

}  // namespace cuda
}  // namespace athanor
