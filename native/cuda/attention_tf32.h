// A warp's products of attention tiles on tensor cores, in tf32: tiles are rounded once, where they lie in shared
// memory, scores on their way to the registers; sums are float32.
#pragma once
#include "cuda/attention_tile.h"
#include "cuda/ptx.h"
#include "math/bits.h"

namespace athanor {
namespace cuda {

/**
 * `Rows` rows of a warp, a multiple of 16, of which four threads share each, as tensor cores hand out sums. What a
 * thread has of a block of scores it hands to the next product as it is: the columns of that product's A are numbered
 * so that column t is 2 t of the block and column t + 4 is 2 t + 1, and its B is read in the same order.
 */
template <int Rows>
struct Tf32Rows {
  static constexpr int rows = Rows;
  static constexpr int sharers = 4;     // threads of a row
  static constexpr int own = Rows / 8;  // rows of a thread
  static constexpr int tiles = Rows / 16;
  static constexpr int backward_blocks = 3;

  static constexpr bool prepares = true;
  static __device__ __forceinline__ float rounded(float x) { return m::from_bits<float>(to_tf32(x)); }
  static __device__ __forceinline__ float4 prepare(const float4& x) {
    return {rounded(x.x), rounded(x.y), rounded(x.z), rounded(x.w)};
  }

  static __device__ __forceinline__ int row(int lane, int i) { return accumulator_element(lane, 0).row + i * 8; }

  template <int Columns>
  struct Block {
    static constexpr int own_columns = Columns / sharers;
    float at[tiles][Columns / 8][4];
    static __device__ __forceinline__ int column(int lane, int j) {
      return accumulator_element(lane, j % 2).column + j / 2 * 8;
    }
    __device__ __forceinline__ float& of(int i, int j) { return at[i / 2][j / 2][i % 2 * 2 + j % 2]; }
  };

  /** Column c of product j is column 4 c + j % 4 of the 32 that begin at j / 4 * 32: a thread reads four products' B,
   *  and writes four numbers of a row, in 16 bytes. */
  template <int Width>
  struct Sums {
    static constexpr int quads = Width / sharers / 4;
    float at[tiles][Width / 8][4];
    static __device__ __forceinline__ int column(int lane, int quad) {
      return quad / 2 * 32 + accumulator_element(lane, quad % 2).column * 4;
    }
    __device__ __forceinline__ float4 quad(int i, int q) const {
      const int r = i % 2 * 2 + q % 2, j = q / 2 * 4;
      return {at[i / 2][j][r], at[i / 2][j + 1][r], at[i / 2][j + 2][r], at[i / 2][j + 3][r]};
    }
    __device__ __forceinline__ void scale_row(int i, float by) {
#pragma unroll
      for (int j = 0; j < Width / 8; ++j) {
        at[i / 2][j][i % 2 * 2] *= by;
        at[i / 2][j][i % 2 * 2 + 1] *= by;
      }
    }
  };

  /** block = A B^T of the warp's rows a and the rows b of a tile. */
  template <int Columns, int Width>
  static __device__ __forceinline__ void multiply(Block<Columns>& block, const TileRow<Width>* a,
                                                  const TileRow<Width>* b, int lane) {
    const int matrix = lane / 8, within = lane % 8;
#pragma unroll
    for (int i = 0; i < tiles; ++i)
#pragma unroll
      for (int j = 0; j < Columns / 8; ++j)
#pragma unroll
        for (int r = 0; r < 4; ++r) block.at[i][j][r] = 0;
    // Four matrices of 8 rows x 4 numbers: of a the second is eight rows on, the third four numbers; of b the second
    // is four numbers on, the third eight rows.
    const float* const from_a = a[matrix % 2 * 8 + within].at + matrix / 2 * 4;
    const float* const from_b = b[matrix / 2 * 8 + within].at + matrix % 2 * 4;
#pragma unroll 2
    for (int e = 0; e < Width; e += 8) {
      uint32_t left[tiles][4];
#pragma unroll
      for (int i = 0; i < tiles; ++i) load_matrices<false>(left[i], from_a + i * 16 * TileRow<Width>::pitch + e);
#pragma unroll
      for (int j = 0; j < Columns / 8; j += 2) {
        uint32_t both[4];
        load_matrices<false>(both, from_b + j * 8 * TileRow<Width>::pitch + e);
#pragma unroll
        for (int k = 0; k < 2; ++k) {
          const uint32_t right[2] = {both[k * 2], both[k * 2 + 1]};
#pragma unroll
          for (int i = 0; i < tiles; ++i) mma_tf32(block.at[i][j + k], left[i], right);
        }
      }
    }
  }

  /** sums += block B: column c of the block meets row c of b. */
  template <int Columns, int Width>
  static __device__ __forceinline__ void add(Sums<Width>& sums, const Block<Columns>& block, const TileRow<Width>* b,
                                             int lane) {
    const int pair = accumulator_element(lane, 0).column, four = lane / 4 * 4;
#pragma unroll
    for (int k = 0; k < Columns / 8; ++k) {
      uint32_t left[tiles][4];
#pragma unroll
      for (int i = 0; i < tiles; ++i)
#pragma unroll
        for (int r = 0; r < 4; ++r) left[i][r] = to_tf32(block.at[i][k][r % 2 * 2 + r / 2]);
#pragma unroll
      for (int c = 0; c < Width; c += 32) {
        const float4 low = b[k * 8 + pair].four(c + four), high = b[k * 8 + pair + 1].four(c + four);
        const uint32_t right[4][2] = {{m::bits(low.x), m::bits(high.x)},
                                      {m::bits(low.y), m::bits(high.y)},
                                      {m::bits(low.z), m::bits(high.z)},
                                      {m::bits(low.w), m::bits(high.w)}};
#pragma unroll
        for (int j = 0; j < 4; ++j)
#pragma unroll
          for (int i = 0; i < tiles; ++i) mma_tf32(sums.at[i][c / 8 + j], left[i], right[j]);
      }
    }
  }
};

}  // namespace cuda
}  // namespace athanor
