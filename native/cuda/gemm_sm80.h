// Products on tensor cores by mma.sync, from sm_80 on: factors in tf32 (rounded from float32 on their way to the
// registers) or bf16, sums in float32. A block of eight warps computes a tile, each warp a part of it, from a ring of
// slices that cp.async fills while older ones are multiplied; mma_slice.h says how they lie and are read. The same loop
// multiplies matrices and convolves: factors differ in where they find a chunk of 16 bytes. 2 m n k FLOPs; the factors
// are read n / N and m / M times, mostly from the second-level cache: 43 multiply-adds of bf16 a byte for a tile of
// 128 x 256. On Hopper mma.sync reaches at most some 62 to 65 % of what wgmma does.
#pragma once
#include "cuda/gemm.h"
#include "cuda/mma_slice.h"

namespace athanor {
namespace cuda {

// Slices of 128 + 256 lines are 24 KiB; four of them stay below the 99 KiB that a block may have on every chip.
constexpr int kMmaStages = 4;

/** A block's tile, and the warps that share it. */
template <int M_, int N_, int WarpsM, int WarpsN>
struct MmaTile {
  static constexpr int M = M_, N = N_;
  static constexpr int warps_n = WarpsN;
  static constexpr int warp_m = M / WarpsM, warp_n = N / WarpsN;
  static_assert(WarpsM * WarpsN * kWarp == kMmaThreads, "all warps of a block take part");
};
using MmaTile256 = MmaTile<128, 256, 2, 4>;
using MmaTile128 = MmaTile<128, 128, 2, 4>;
using MmaTileNarrow = MmaTile<128, 64, 4, 2>;
using MmaTile64 = MmaTile<64, 64, 2, 4>;

template <class T, class Tile>
struct MmaRing {
  Slice<T, Tile::M> a[kMmaStages];
  Slice<T, Tile::N> b[kMmaStages];
};

/** The fragments of a warp for one step of a slice. */
template <class T, class Tile, bool AcrossA, bool AcrossB>
struct MmaStep {
  static constexpr int rows = Tile::warp_m / 16, pairs = Tile::warp_n / 16;
  uint32_t a[rows][4], b[pairs][4];

  __device__ __forceinline__ void read(Slice<T, Tile::M>& slice_a, Slice<T, Tile::N>& slice_b, int row, int column,
                                       int step) {
#pragma unroll
    for (int j = 0; j < pairs; ++j) read_fragments<T, Tile::N, AcrossB, false>(b[j], slice_b, column + j * 16, step);
#pragma unroll
    for (int i = 0; i < rows; ++i) read_fragments<T, Tile::M, AcrossA, true>(a[i], slice_a, row + i * 16, step);
  }
  __device__ __forceinline__ void multiply(float (&sums)[rows][2 * pairs][4]) const {
#pragma unroll
    for (int i = 0; i < rows; ++i)
#pragma unroll
      for (int j = 0; j < 2 * pairs; ++j) {
        const uint32_t own[2] = {b[j / 2][j % 2 * 2], b[j / 2][j % 2 * 2 + 1]};
        if constexpr (sizeof(T) == 4)
          mma_tf32(sums[i][j], a[i], own);
        else
          mma_bf16(sums[i][j], a[i], own);
      }
  }
};

/**
 * 16 rows of a warp's sums on their way out. The loop over them is not unrolled, so that a result's text is there a few
 * times and not for each of 128 sums, and neighbouring threads put neighbours. A row more than its columns keeps the
 * eight rows of a fragment in banks of their own.
 */
template <class Tile>
struct MmaStrip {
  static constexpr int columns = Tile::warp_n, pitch = columns + 8;
  float at[16 * pitch];

  __device__ __forceinline__ void lay(const float (&sums)[columns / 8][4], int lane) {
#pragma unroll
    for (int j = 0; j < columns / 8; ++j)
#pragma unroll
      for (int r = 0; r < 4; r += 2) {
        const Element e = accumulator_element(lane, r);
        *reinterpret_cast<float2*>(&at[e.row * pitch + j * 8 + e.column]) = {sums[j][r], sums[j][r + 1]};
      }
  }
  template <class R>
  __device__ __forceinline__ void put(const Work<float>& work, const R& out, int64_t row, int64_t column, int lane,
                                      const Origin& origin, uint32_t part) const {
    const bool by_rows = work.parts == 1 && out.by_rows();
#pragma unroll 1
    for (int e = lane; e < 16 * columns; e += kWarp) {
      const int i = by_rows ? e % 16 : e / columns, j = by_rows ? e / 16 : e % columns;
      work.put(out, row + i, column + j, at[i * pitch + j], origin, part);
    }
  }
};

template <class Tile, class A, class B, class R>
__global__ void __launch_bounds__(kMmaThreads, 1) gemm_sm80(Work<float> work, A a, B b, R out) {
  using T = typename A::Number;
  using Ring = MmaRing<T, Tile>;
  using Step = MmaStep<T, Tile, A::across, B::across>;
  using Strip = MmaStrip<Tile>;
  static_assert(sizeof(Strip) * (kMmaThreads / kWarp) <= sizeof(Ring), "strips of all warps take the ring's place");
  constexpr int depth = SliceOf<T>::depth;
  constexpr int steps = 2;  // of 32 bytes: a tensor core's product takes 8 numbers of tf32, 16 of bf16
#ifdef __CUDACC__
  extern __shared__ __align__(128) char dynamic_shared[];
  Ring& ring = *reinterpret_cast<Ring*>(dynamic_shared);
#else
  Ring& ring = *static_cast<Ring*>(simulator::dynamic_shared_memory());
#endif
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int row_w = warp / Tile::warps_n * Tile::warp_m, column_w = warp % Tile::warps_n * Tile::warp_n;
  const TilePlace tile = tile_of(blockIdx.x, static_cast<uint32_t>(ceil_div(work.m, Tile::M)),
                                 static_cast<uint32_t>(ceil_div(work.n, Tile::N)));
  const int64_t row0 = static_cast<int64_t>(tile.row) * Tile::M, column0 = static_cast<int64_t>(tile.column) * Tile::N;

  for (uint32_t item = blockIdx.z; item < work.items(); item += gridDim.z) {
    const uint32_t product = item / work.parts, part = item - product * work.parts;
    const Origin origin = work.batch.locate(product);
    const int64_t from = part * work.part_depth, to = min_of(work.depth, from + work.part_depth);
    const A own_a = a.of_product(origin);
    const B own_b = b.of_product(origin);
    SliceCopies<A, Tile::M> copies_a;
    SliceCopies<B, Tile::N> copies_b;
    copies_a.begin(own_a, row0);
    copies_b.begin(own_b, column0);
    const auto fetch = [&](int64_t d0, int stage) {
      if (d0 < to) {
        copies_a.start(own_a, ring.a[stage], d0, to);
        copies_b.start(own_b, ring.b[stage], d0, to);
      }
      commit_copies();  // an empty group too, so that counts are the same for every slice
    };
    float sums[Step::rows][2 * Step::pairs][4] = {};

    for (int s = 0; s < kMmaStages - 1; ++s) fetch(from + s * depth, s);
    int stage = 0;
    for (int64_t d0 = from; d0 < to; d0 += depth) {
#ifndef ATHANOR_FAULT_MMA_WAIT  // a test does not wait, and must see wrong results
      wait_copies<kMmaStages - 2>();
#endif
#ifndef ATHANOR_FAULT_MMA_BARRIER  // another leaves the barrier out
      __syncthreads();  // what all threads copied is there, and nobody reads the slice that is filled next any more
#endif
      fetch(d0 + (kMmaStages - 1) * depth, stage == 0 ? kMmaStages - 1 : stage - 1);
      Step step[steps];
      step[0].read(ring.a[stage], ring.b[stage], row_w, column_w, 0);
#pragma unroll
      for (int s = 0; s < steps; ++s) {
        if (s + 1 < steps) step[s + 1].read(ring.a[stage], ring.b[stage], row_w, column_w, s + 1);
        step[s].multiply(sums);
      }
      stage = stage == kMmaStages - 1 ? 0 : stage + 1;
    }
    wait_copies<0>();
    __syncthreads();  // nobody reads the ring any more: warps lay their sums there, 16 rows at a time
    Strip& strip = reinterpret_cast<Strip*>(&ring)[warp];
#pragma unroll
    for (int i = 0; i < Step::rows; ++i) {
      strip.lay(sums[i], lane);
      __syncwarp();
      strip.put(work, out, row0 + row_w + i * 16, column0 + column_w, lane, origin, part);
      __syncwarp();
    }
#ifndef ATHANOR_FAULT_GEMM_ITEMS  // a test leaves this barrier out, and must see wrong results
    __syncthreads();              // the next item fills the ring again
#endif
  }
}

/** Starts the kernel of the plan's tile, and what adds up its parts. Tiles: those that there are, the last for all. */
template <class Tile, class... Others, class A, class B, class R>
void run_gemm_sm80(const Call& c, const GemmPlan& plan, const Work<float>& work, const A& a, const B& b, const R& out) {
  if constexpr (sizeof...(Others) > 0) {
    if (plan.tile_m != Tile::M || plan.tile_n != Tile::N) return run_gemm_sm80<Others...>(c, plan, work, a, b, out);
  }
  const auto kernel = gemm_sm80<Tile, A, B, R>;
  constexpr size_t bytes = sizeof(MmaRing<typename A::Number, Tile>);
  launch(c, kernel, grid_of(plan, work), dim3(kMmaThreads), bytes, work, a, b, out);
  add_parts(c, work, out);
}

}  // namespace cuda
}  // namespace athanor
