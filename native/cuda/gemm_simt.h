// The general product: multiply-adds of the ordinary units, for every type and layout. A block computes a tile of Tile
// x Tile from slices of both factors in shared memory, each thread an Each x Each part of it in registers; the next
// slice is on its way from global memory to registers while this one is multiplied. 2 m n k FLOPs; each factor is read
// n / Tile (m / Tile) times, so from a depth of a few hundred on the multiply-add units are the bound.
#pragma once
#include "cuda/gemm.h"

namespace athanor {
namespace cuda {

constexpr int kSimtThreads = 256;

template <class T, int Tile, int Depth>
struct SimtTiles {
  // Two slices: one is filled while the other is multiplied. A row more than a tile keeps writes across rows apart.
  T a[2][Depth][Tile + 4];
  T b[2][Depth][Tile + 4];
};

/**
 * A factor that lies in memory with two steps: a line is a row of A or a column of B. A factor F has
 *   of_product(at): itself, for the product whose operands begin at `at`;
 *   Line line(i): what is worth remembering of line i while the depth is walked;
 *   number(line, i, d): the number of that line at place d of the depth, 0 beyond its ends;
 *   along_depth: whether neighbours along the depth should be fetched by neighbouring threads.
 */
template <class T, bool Along>
struct StridedFactor {
  using Number = T;
  static constexpr bool along_depth = Along;
  const T* data;
  int64_t lines, line_step, depth, depth_step;
  int operand;  // whose offset in the batch is its own

  struct Line {};  // an address for each would take a quarter of the registers
  __device__ __forceinline__ StridedFactor of_product(const int64_t (&at)[3]) const {
    StridedFactor moved = *this;
    moved.data += at[operand];
    return moved;
  }
  __device__ __forceinline__ Line line(int64_t) const { return {}; }
  __device__ __forceinline__ T number(const Line&, int64_t i, int64_t d) const {
    return i < lines && d < depth ? data[i * line_step + d * depth_step] : T(0);
  }
};

/** The result of an ordinary product. A result R has put(i, j, sum, at). */
template <class T>
struct StridedResult {
  T* data;
  int64_t rows, columns, row, step;
  const T* bias;  // one number a column, or null
  int64_t bias_step;
  int finish;

  __device__ __forceinline__ void put(int64_t i, int64_t j, T sum, const int64_t (&at)[3]) const {
    if (i >= rows || j >= columns) return;
    if (bias != nullptr) sum = m::add(sum, bias[j * bias_step]);
    data[at[0] + i * row + j * step] = finish_with(finish, sum);
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

template <int Tile, int Depth, class A, class B, class R>
__global__ void __launch_bounds__(kSimtThreads) gemm_simt(int64_t depth, A a, B b, R out, Batch batch) {
  using T = typename A::Number;
  constexpr int side = 16, each = Tile / side;  // 16 x 16 threads
  using Tiles = SimtTiles<T, Tile, Depth>;
  ATHANOR_SHARED(Tiles, shared);
  const int tx = static_cast<int>(threadIdx.x) % side, ty = static_cast<int>(threadIdx.x) / side;
  const int64_t row0 = static_cast<int64_t>(blockIdx.x) * Tile, column0 = static_cast<int64_t>(blockIdx.y) * Tile;

  for (uint32_t product = blockIdx.z; product < batch.count; product += gridDim.z) {
    int64_t at[3];
    batch.locate(product, at);
    SimtSlice<A, Tile, Depth> next_a;
    SimtSlice<B, Tile, Depth> next_b;
    const A own_a = a.of_product(at);
    const B own_b = b.of_product(at);
    next_a.begin(own_a, row0);
    next_b.begin(own_b, column0);
    T sums[each][each] = {};

    next_a.load(own_a, 0);
    next_b.load(own_b, 0);
    next_a.store(shared.a[0]);
    next_b.store(shared.b[0]);
    __syncthreads();
    int now = 0;
    for (int64_t k0 = 0; k0 < depth; k0 += Depth, now = 1 - now) {
      const int64_t ahead = k0 + Depth;
      if (ahead < depth) {
        next_a.load(own_a, ahead);
        next_b.load(own_b, ahead);
      }
#pragma unroll
      for (int d = 0; d < Depth; ++d) {
        T x[each], y[each];
        // Places a side apart: a warp's reads of B touch all banks once, and those of A are the same for half of it.
#pragma unroll
        for (int i = 0; i < each; ++i) x[i] = shared.a[now][d][ty + i * side];
#pragma unroll
        for (int j = 0; j < each; ++j) y[j] = shared.b[now][d][tx + j * side];
#pragma unroll
        for (int i = 0; i < each; ++i)
#pragma unroll
          for (int j = 0; j < each; ++j) sums[i][j] = m::add(sums[i][j], m::mul(x[i], y[j]));
      }
      if (ahead < depth) {
        next_a.store(shared.a[1 - now]);
        next_b.store(shared.b[1 - now]);
      }
#ifndef ATHANOR_FAULT_GEMM_SIMT  // a test leaves this barrier out, and must see wrong results
      __syncthreads();
#endif
    }
#pragma unroll
    for (int i = 0; i < each; ++i)
#pragma unroll
      for (int j = 0; j < each; ++j) out.put(row0 + ty + i * side, column0 + tx + j * side, sums[i][j], at);
    __syncthreads();  // the next product fills the tiles again
  }
}

}  // namespace cuda
}  // namespace athanor
