// A warp's products of attention tiles on the ordinary units, exact float32: each thread has a block of rows and
// columns in registers.
//
// With 32 rows and 64 columns a thread reads 16 times 16 bytes for 256 multiply-adds of a score, and twice, beside
// eight shuffles, for 64 of a sum. A multiprocessor serves such a read of a warp in 2 to 4 clocks (neighbouring threads
// read the same), so that reads take 32 to 64 of the 64 clocks of the first and 12 to 16 of the 16 of the second. With
// 16 rows (gradients) it is 24 to 48 for 32 and 8 to 12 for 8: these wait for shared memory.
#pragma once
#include "cuda/attention_tile.h"

namespace athanor {
namespace cuda {

/**
 * `Rows` rows of a warp, of which eight threads share each: a thread has rows lane / 8 + 4 i. Of scores it has columns
 * lane % 8 + 8 j, so that eight neighbouring rows of the other factor are read at once; of sums four neighbouring
 * columns, that lie in 16 bytes.
 */
template <int Rows>
struct ExactRows {
  static constexpr int rows = Rows;
  static constexpr int sharers = 8;         // threads of a row
  static constexpr int own = Rows / 4;      // rows of a thread
  static constexpr int groups = kWarp / 8;  // rows side by side
  static constexpr int backward_blocks = 2;
  static constexpr bool prepares = false;

  static __device__ __forceinline__ int row(int lane, int i) { return lane / sharers + i * groups; }

  template <int Columns>
  struct Block {
    static constexpr int own_columns = Columns / sharers;
    float at[own][own_columns];
    static __device__ __forceinline__ int column(int lane, int j) { return lane % sharers + j * sharers; }
    __device__ __forceinline__ float& of(int i, int j) { return at[i][j]; }
  };

  template <int Width>
  struct Sums {
    static constexpr int quads = Width / sharers / 4;
    float at[own][quads * 4];
    static __device__ __forceinline__ int column(int lane, int quad) { return quad * sharers * 4 + lane % sharers * 4; }
    __device__ __forceinline__ float4 quad(int i, int q) const {
      return {at[i][q * 4], at[i][q * 4 + 1], at[i][q * 4 + 2], at[i][q * 4 + 3]};
    }
    __device__ __forceinline__ void scale_row(int i, float by) {
#pragma unroll
      for (int j = 0; j < quads * 4; ++j) at[i][j] *= by;
    }
  };

  /** block = A B^T of the warp's rows a and the rows b of a tile: four numbers of each row at a time. */
  template <int Columns, int Width>
  static __device__ __forceinline__ void multiply(Block<Columns>& block, const TileRow<Width>* a,
                                                  const TileRow<Width>* b, int lane) {
    constexpr int n = Block<Columns>::own_columns;
#pragma unroll
    for (int i = 0; i < own; ++i)
#pragma unroll
      for (int j = 0; j < n; ++j) block.at[i][j] = 0;
#pragma unroll 2
    for (int e = 0; e < Width; e += 4) {
      float4 left[own];
#pragma unroll
      for (int i = 0; i < own; ++i) left[i] = a[row(lane, i)].four(e);
#pragma unroll
      for (int j = 0; j < n; ++j) {
        const float4 right = b[Block<Columns>::column(lane, j)].four(e);
#pragma unroll
        for (int i = 0; i < own; ++i) {
          float& sum = block.at[i][j];
          sum += left[i].x * right.x;
          sum += left[i].y * right.y;
          sum += left[i].z * right.z;
          sum += left[i].w * right.w;
        }
      }
    }
  }

  /** sums += block B: column c of the block meets row c of b. Numbers of a row go round its threads. */
  template <int Columns, int Width>
  static __device__ __forceinline__ void add(Sums<Width>& sums, const Block<Columns>& block, const TileRow<Width>* b,
                                             int lane) {
#pragma unroll
    for (int j = 0; j < Block<Columns>::own_columns; ++j)
#pragma unroll 2
      for (int from = 0; from < sharers; ++from) {
        float factor[own];
#pragma unroll
        for (int i = 0; i < own; ++i)
          factor[i] = __shfl_sync(kFullMask, block.at[i][j], lane / sharers * sharers + from);
        const TileRow<Width>& line = b[j * sharers + from];
#pragma unroll
        for (int q = 0; q < Sums<Width>::quads; ++q) {
          const float4 right = line.four(Sums<Width>::column(lane, q));
#pragma unroll
          for (int i = 0; i < own; ++i) {
            sums.at[i][q * 4] += factor[i] * right.x;
            sums.at[i][q * 4 + 1] += factor[i] * right.y;
            sums.at[i][q * 4 + 2] += factor[i] * right.z;
            sums.at[i][q * 4 + 3] += factor[i] * right.w;
          }
        }
      }
  }
};

}  // namespace cuda
}  // namespace athanor
