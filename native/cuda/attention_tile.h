// What the tile kernels of attention share: how a tile lies in shared memory and is copied there, which tile a block
// has, and how a product of a query and a key becomes a score.
//
// A block of four warps has a tile of rows, a part of it each warp's own, and walks tiles of the other side. Products
// of a warp are those of an arithmetic R, ExactRows (attention_exact.h) or Tf32Rows (attention_tf32.h):
//   Block<Columns>: scores of the warp's rows and the rows of a tile; of(i, j), row(lane, i), column(lane, j);
//   Sums<Width>: what the warp's rows gather; quad(i, q) are four numbers from column(lane, q) on;
//   multiply(block, rows, tile): block = rows tile^T; add(sums, block, tile): sums += block tile;
//   prepare(four): four numbers as these take them, where `prepares` says that this is not what was copied.
// Nothing of a row is known to another warp, so warps meet only where tiles change.
#pragma once
#include "cuda/attention.h"
#include "cuda/ptx.h"
#include "math/bits.h"

namespace athanor {
namespace cuda {

constexpr int kTileWarps = 4;
constexpr int kTileThreads = kTileWarps * kWarp;
constexpr float kLog2E = 1.44269504088896341f;

/**
 * A row of a tile. Four numbers more than its width turn each row by four banks against the one before: eight rows at
 * one place, read 16 bytes each, are in different banks, and so are rows 0, 2, 4 and 6 at two neighbouring places.
 */
template <int Width>
struct alignas(16) TileRow {
  static constexpr int pitch = Width + 4;
  float at[pitch];
  __device__ __forceinline__ const float4& four(int e) const { return *reinterpret_cast<const float4*>(at + e); }
};

/** Which numbers of a tile a thread copies: four of every `together`th row. */
template <int Width>
struct CopiedChunks {
  static constexpr int chunks = Width / 4, together = kTileThreads / chunks;
  static __device__ __forceinline__ int column() { return static_cast<int>(threadIdx.x) % chunks * 4; }
  static __device__ __forceinline__ int row() { return static_cast<int>(threadIdx.x) / chunks; }
};

/** Starts the copy of `Rows` rows of a head from row `first` on; beyond `rows` and beyond `width` there are zeros. */
template <int Rows, int Width>
__device__ __forceinline__ void copy_tile(TileRow<Width>* to, const float* head, int64_t step, int first, int rows,
                                          int width) {
  using Own = CopiedChunks<Width>;
  static_assert(Rows % Own::together == 0, "copies are shared out evenly");
  const int e = Own::column();
  const float* from = head + (first + Own::row()) * step + e;
#pragma unroll
  for (int r = Own::row(); r < Own::row() + Rows; r += Own::together, from += Own::together * step) {
    const bool inside = first + r < rows && e < width;
    copy_async<16>(to[r].at + e, inside ? from : head, inside ? 16 : 0);
  }
}

/** Brings what this thread copied into the form in which its products take it. A barrier must follow. */
template <class R, int Rows, int Width>
__device__ __forceinline__ void prepare_tile(TileRow<Width>* tile) {
  if constexpr (R::prepares) {
    using Own = CopiedChunks<Width>;
#pragma unroll
    for (int r = Own::row(); r < Own::row() + Rows; r += Own::together) {
      float4& four = *reinterpret_cast<float4*>(tile[r].at + Own::column());
      four = R::prepare(four);
    }
  }
}

/** Waits for the copies that this thread started; a barrier must follow. */
__device__ __forceinline__ void await_tiles() {
#ifndef ATHANOR_FAULT_ATTENTION_WAIT  // a test does not wait, and must see wrong results
  wait_copies<0>();
#endif
}

/** Which head and which tile of it a block has. Blocks start in the order of their numbers. */
struct TilePlace {
  int64_t n, h, head;  // head: of all heads of the batch
  int tile;
};
__device__ __forceinline__ TilePlace place_of_tile(int64_t heads, int tiles, bool last_first) {
  const int64_t head = blockIdx.x / tiles;
  const int tile = static_cast<int>(blockIdx.x % tiles);
  return {head / heads, head % heads, head, last_first ? tiles - 1 - tile : tile};
}

/** How a product of a query and a key becomes a score; minus infinity where the query does not see the key. */
struct ScoreRule {
  float scale, bias;
  const float* mask;  // null: bias for all
  int64_t by_query, by_key;
  int queries, keys;
  bool causal;

  __device__ __forceinline__ ScoreRule(const Attention<float>& a, int64_t n, int64_t h)
      : scale(a.scale),
        bias(0),
        mask(a.mask.data + n * a.mask.n + h * a.mask.h),
        by_query(a.mask.l),
        by_key(a.mask.s),
        queries(static_cast<int>(a.queries)),
        keys(static_cast<int>(a.keys)),
        causal(a.causal) {
    if (by_query == 0 && by_key == 0) bias = *mask, mask = nullptr;
  }
  /** Whether queries and keys from l and s on are all there, see each other, and have one bias. */
  __device__ __forceinline__ bool plain(int l, int l_count, int s, int s_count) const {
    return mask == nullptr && l + l_count <= queries && s + s_count <= keys && (!causal || s + s_count - 1 <= l);
  }
  __device__ __forceinline__ float score(float product, int l, int s) const {
    if (l >= queries || s >= keys || (causal && s > l)) return -m::infinity<float>();
    return product * scale + (mask == nullptr ? bias : mask[l * by_query + s * by_key]);
  }
};

/** Scores of a block of products, whose rows are queries from l on and columns keys from s on; Turned: rows are keys.
 */
template <class R, int Columns, bool Turned>
__device__ __forceinline__ void finish_scores(typename R::template Block<Columns>& block, const ScoreRule& rule, int l,
                                              int s, int lane) {
  using Block = typename R::template Block<Columns>;
  if (rule.plain(l, Turned ? Columns : R::rows, s, Turned ? R::rows : Columns)) {
#pragma unroll
    for (int i = 0; i < R::own; ++i)
#pragma unroll
      for (int j = 0; j < Block::own_columns; ++j) block.of(i, j) = block.of(i, j) * rule.scale + rule.bias;
    return;
  }
#pragma unroll
  for (int i = 0; i < R::own; ++i)
#pragma unroll
    for (int j = 0; j < Block::own_columns; ++j) {
      const int row = R::row(lane, i), column = Block::column(lane, j);
      block.of(i, j) = rule.score(block.of(i, j), l + (Turned ? column : row), s + (Turned ? row : column));
    }
}

/** A row's numbers on their way out, times a factor; none beyond the head's width. */
template <class R, int Width>
__device__ __forceinline__ void store_row(const typename R::template Sums<Width>& sums, int i, float factor, float* to,
                                          int width, int lane) {
  using Sums = typename R::template Sums<Width>;
#pragma unroll
  for (int q = 0; q < Sums::quads; ++q) {
    const int column = Sums::column(lane, q);
    if (column >= width) continue;
    const float4 x = sums.quad(i, q);
    *reinterpret_cast<float4*>(to + column) = {x.x * factor, x.y * factor, x.z * factor, x.w * factor};
  }
}

/** The sum over the threads of a row, the same for each. */
template <class R>
__device__ __forceinline__ float sum_of_row(float x) {
#pragma unroll
  for (int apart = 1; apart < R::sharers; apart *= 2) x += __shfl_xor_sync(kFullMask, x, apart);
  return x;
}

/** A block's dynamic shared memory as tiles. At most once in a kernel. */
#ifdef __CUDACC__
#define ATHANOR_TILES(Type, name)                         \
  extern __shared__ __align__(128) char dynamic_shared[]; \
  Type& name = *reinterpret_cast<Type*>(dynamic_shared)
#else
#define ATHANOR_TILES(Type, name) Type& name = *static_cast<Type*>(simulator::dynamic_shared_memory())
#endif

/** f(std::integral_constant) of the narrowest tiles that have room for heads of this width. */
template <class F>
void with_tile_width(int64_t width, const F& f) {
  if (width <= 32) return f(std::integral_constant<int, 32>{});
  if (width <= 64) return f(std::integral_constant<int, 64>{});
  f(std::integral_constant<int, 128>{});
}

inline unsigned tile_blocks(int64_t heads, int64_t rows, int tile) {
  return static_cast<unsigned>(heads * ((rows + tile - 1) / tile));
}

}  // namespace cuda
}  // namespace athanor
