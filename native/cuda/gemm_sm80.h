// Products on tensor cores by mma.sync, from sm_80 on: factors in tf32 (rounded from float32 on their way to the
// registers) or bf16, sums in float32. A block of eight warps computes a tile of Tile x Tile, each warp a quarter by a
// half of it, from a ring of slices that cp.async fills while older ones are multiplied. Slices lie in shared memory as
// the factor does in global memory, along the depth or across it, with rows padded so that a warp's reads touch every
// bank once. 2 m n k FLOPs; on Hopper mma.sync reaches at most some 62 to 65 % of what wgmma does.
//
// A factor with a unit step whose rows begin at multiples of 16 bytes is copied 16 bytes at a time; any other one
// number at a time (float32), which is slower but needs no copy of the factor.
#pragma once
#include "cuda/gemm.h"
#include "cuda/ptx.h"

namespace athanor {
namespace cuda {

constexpr int kMmaThreads = 256;
constexpr int kMmaStages = 3;

/** A bfloat16, as bits. */
struct BFloat16 {
  uint16_t bits;
};

/** How a factor's slices are copied. */
enum class Lies {
  along,   // unit step along the depth, 16 bytes at a time
  across,  // unit step across it, 16 bytes at a time
  anyhow,  // number by number; stored as `along`
};

template <class T>
struct MmaShape;
template <>
struct MmaShape<float> {
  static constexpr int depth = 16, k = 8;  // of a slice, and of one product
};
template <>
struct MmaShape<BFloat16> {
  static constexpr int depth = 32, k = 16;
};

/** A slice of a factor in shared memory: `Tile` lines (rows of A, columns of B) of `depth` numbers. */
template <class T, int Tile, Lies L>
struct MmaSlice {
  static constexpr int depth = MmaShape<T>::depth;
  static constexpr bool across = L == Lies::across;
  // 16 bytes more a row (along), 32 more (across): then the places that a warp reads together lie in different banks.
  static constexpr int row =
      across ? Tile + static_cast<int>(32 / sizeof(T)) : depth + static_cast<int>(16 / sizeof(T));
  alignas(16) T at[(across ? depth : Tile) * row];

  __device__ __forceinline__ T& number(int line, int d) { return at[across ? d * row + line : line * row + d]; }

  /** Starts the copies of a slice; what lies beyond `lines` or `left` becomes zero. `from` is its first number. */
  __device__ __forceinline__ void fetch(const T* from, int64_t lines, int64_t line_step, int64_t left,
                                        int64_t depth_step) {
    if (L == Lies::anyhow) {
#pragma unroll 4
      for (int i = static_cast<int>(threadIdx.x); i < Tile * depth; i += kMmaThreads) {
        const int l = i / depth, d = i % depth;
        const bool inside = l < lines && d < left;
        const T* source = inside ? from + l * line_step + d * depth_step : from;
        if constexpr (sizeof(T) == 4)
          copy_async<4>(&number(l, d), source, inside ? 4 : 0);
        else
          number(l, d) = inside ? *source : T{};
      }
      return;
    }
    constexpr int wide = static_cast<int>(16 / sizeof(T));  // numbers of a copy
    constexpr int chunks = (across ? Tile : depth) / wide;
#pragma unroll
    for (int i = static_cast<int>(threadIdx.x); i < Tile * depth / wide; i += kMmaThreads) {
      const int outer = i / chunks, inner = i % chunks * wide;
      const int l = across ? inner : outer, d = across ? outer : inner;
      int64_t numbers = across ? (d < left ? lines - l : 0) : (l < lines ? left - d : 0);
      numbers = numbers < 0 ? 0 : (numbers > wide ? wide : numbers);
      const T* source = numbers > 0 ? from + l * line_step + d * depth_step : from;
      copy_async<16>(&number(l, d), source, static_cast<int>(numbers * sizeof(T)));
    }
  }

  /** The number, or the two numbers one after the other along the depth, of a register of a fragment. */
  __device__ __forceinline__ uint32_t fragment(int line, int d) {
    if constexpr (sizeof(T) == 4) {
      return to_tf32(number(line, d));
    } else {
      return number(line, d).bits | static_cast<uint32_t>(number(line, d + 1).bits) << 16;
    }
  }
};

template <class T, int Tile, Lies LA, Lies LB>
struct MmaTiles {
  MmaSlice<T, Tile, LA> a[kMmaStages];
  MmaSlice<T, Tile, LB> b[kMmaStages];
};

template <class T, int Tile, Lies LA, Lies LB>
__global__ void __launch_bounds__(kMmaThreads, 1) gemm_sm80(Gemm<T, float> g) {
  constexpr int depth = MmaShape<T>::depth, mma_k = MmaShape<T>::k;
  constexpr int warps_m = 2, warps_n = 4;
  constexpr int warp_m = Tile / warps_m, warp_n = Tile / warps_n;
  constexpr int tiles_m = warp_m / 16, tiles_n = warp_n / 8;  // products of a warp
  using Tiles = MmaTiles<T, Tile, LA, LB>;
#ifdef __CUDACC__
  extern __shared__ __align__(16) char dynamic_shared[];
  Tiles& shared = *reinterpret_cast<Tiles*>(dynamic_shared);
#else
  Tiles& shared = *static_cast<Tiles*>(simulator::dynamic_shared_memory());
#endif
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int row_w = warp / warps_n * warp_m, column_w = warp % warps_n * warp_n;
  const int64_t row0 = static_cast<int64_t>(blockIdx.x) * Tile, column0 = static_cast<int64_t>(blockIdx.y) * Tile;
  const int64_t slices = (g.k + depth - 1) / depth;

  for (uint32_t product = blockIdx.z; product < g.batch.count; product += gridDim.z) {
    int64_t at[3];
    g.batch.locate(product, at);
    const T* a = g.a + at[1] + row0 * g.a_row;
    const T* b = g.b + at[2] + column0 * g.b_step;
    const auto fetch = [&](int64_t slice) {
      const int stage = static_cast<int>(slice % kMmaStages);
      const int64_t k0 = slice * depth;
      if (slice < slices) {
        shared.a[stage].fetch(a + k0 * g.a_step, g.m - row0, g.a_row, g.k - k0, g.a_step);
        shared.b[stage].fetch(b + k0 * g.b_row, g.n - column0, g.b_step, g.k - k0, g.b_row);
      }
      commit_copies();  // an empty group too, so that counts are the same for every slice
    };
    float sums[tiles_m][tiles_n][4] = {};
    for (int s = 0; s < kMmaStages - 1; ++s) fetch(s);
    for (int64_t s = 0; s < slices; ++s) {
      wait_copies<kMmaStages - 2>();
#ifndef ATHANOR_FAULT_GEMM_SM80  // a test leaves this barrier out, and must see wrong results
      __syncthreads();           // everyone's copies of slice s have landed, and nobody reads slice s - 1 any more
#endif
      fetch(s + kMmaStages - 1);
      auto& slice_a = shared.a[s % kMmaStages];
      auto& slice_b = shared.b[s % kMmaStages];
#pragma unroll
      for (int d = 0; d < depth; d += mma_k) {
        uint32_t fragments_b[tiles_n][2];
#pragma unroll
        for (int j = 0; j < tiles_n; ++j)
#pragma unroll
          for (int r = 0; r < 2; ++r) {
            const Element e = sizeof(T) == 4 ? tf32_b_element(lane, r) : bf16_b_element(lane, r);
            fragments_b[j][r] = slice_b.fragment(column_w + j * 8 + e.column, d + e.row);
          }
#pragma unroll
        for (int i = 0; i < tiles_m; ++i) {
          uint32_t fragment_a[4];
#pragma unroll
          for (int r = 0; r < 4; ++r) {
            const Element e = sizeof(T) == 4 ? tf32_a_element(lane, r) : bf16_a_element(lane, r);
            fragment_a[r] = slice_a.fragment(row_w + i * 16 + e.row, d + e.column);
          }
#pragma unroll
          for (int j = 0; j < tiles_n; ++j) {
            if constexpr (sizeof(T) == 4)
              mma_tf32(sums[i][j], fragment_a, fragments_b[j]);
            else
              mma_bf16(sums[i][j], fragment_a, fragments_b[j]);
          }
        }
      }
    }
#pragma unroll
    for (int i = 0; i < tiles_m; ++i)
#pragma unroll
      for (int j = 0; j < tiles_n; ++j)
#pragma unroll
        for (int r = 0; r < 4; ++r) {
          const Element e = accumulator_element(lane, r);
          const int64_t row = row0 + row_w + i * 16 + e.row, column = column0 + column_w + j * 8 + e.column;
          if (row >= g.m || column >= g.n) continue;
          const float sum = g.bias == nullptr ? sums[i][j][r] : sums[i][j][r] + g.bias[column * g.bias_step];
          g.out[at[0] + row * g.out_row + column * g.out_step] = finish_with(g.finish, sum);
        }
    wait_copies<0>();
    __syncthreads();  // the next product fills the ring again
  }
}

}  // namespace cuda
}  // namespace athanor
