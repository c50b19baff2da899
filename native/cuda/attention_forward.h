// Attention in tiles: a block has a tile of queries and walks the keys that these see, tile by tile (after Dao, 2023).
// While scores are made the values are on their way, while values are added the next keys. The largest score and the
// sum of exponentials of each row are kept up to date in registers (Milakov and Gimelshein, 2018).
//
// 2 L S (E + D) FLOPs a head, a causal one half of them; keys and values are read L / queries times, from the
// second-level cache mostly: with 128 queries 128 multiply-adds a number.
#pragma once
#include "cuda/attention_tile.h"

namespace athanor {
namespace cuda {

/** Rows of a warp and keys of a tile: sums of wide heads leave registers for fewer rows, and their tiles are larger. */
template <int Width>
struct ForwardSizes {
  static constexpr int rows = Width <= 64 ? 32 : 16;
  static constexpr int keys = Width <= 64 ? 64 : 32;
};

template <class R, int Width>
struct ForwardTiles {
  static constexpr int queries = R::rows * kTileWarps, keys = ForwardSizes<Width>::keys;
  TileRow<Width> q[queries], k[keys], v[keys];
};

/** What a warp knows of its rows so far; `sum` is this thread's part. */
template <class R>
struct RunningRows {
  float top[R::own], sum[R::own];

  /** Makes exponentials of scores, and brings what was gathered before to the same base. */
  template <int Columns, int Width>
  __device__ __forceinline__ void take(typename R::template Block<Columns>& block,
                                       typename R::template Sums<Width>& sums) {
    constexpr int n = R::template Block<Columns>::own_columns;
#pragma unroll
    for (int i = 0; i < R::own; ++i) {
      float highest = top[i];
#pragma unroll
      for (int j = 0; j < n; ++j) highest = fmaxf(highest, block.of(i, j));
#pragma unroll
      for (int apart = 1; apart < R::sharers; apart *= 2)
        highest = fmaxf(highest, __shfl_xor_sync(kFullMask, highest, apart));
      const float base = highest == -m::infinity<float>() ? 0.0f : highest;  // all that was seen so far is masked
      const float shrink = power_of_two((top[i] - base) * kLog2E);
      top[i] = highest;
      float more = 0;
#pragma unroll
      for (int j = 0; j < n; ++j) {
        const float power = power_of_two((block.of(i, j) - base) * kLog2E);
        block.of(i, j) = power;
        more += power;
      }
      sum[i] = sum[i] * shrink + more;
      sums.scale_row(i, shrink);
    }
  }
};

template <class R, int Width>
__global__ void __launch_bounds__(kTileThreads, 2) attend_tiles(Attention<float> a, AttentionResults to) {
  using Tiles = ForwardTiles<R, Width>;
  ATHANOR_TILES(Tiles, tiles);
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  const int queries = static_cast<int>(a.queries), keys = static_cast<int>(a.keys);
  // The last queries of a causal head see the most keys: they go first.
  const TilePlace place = place_of_tile(a.heads, (queries + Tiles::queries - 1) / Tiles::queries, a.causal);
  const int l0 = place.tile * Tiles::queries, row0 = l0 + warp * R::rows;
  const int seen = a.causal && l0 + Tiles::queries < keys ? l0 + Tiles::queries : keys;
  const float *const k = a.k.at(place.n, place.h, 0), *const v = a.v.at(place.n, place.h, 0);
  const int width = static_cast<int>(a.width), value_width = static_cast<int>(a.value_width);
  const ScoreRule rule(a, place.n, place.h);

  typename R::template Sums<Width> sums{};
  RunningRows<R> running;
#pragma unroll
  for (int i = 0; i < R::own; ++i) running.top[i] = -m::infinity<float>(), running.sum[i] = 0;

  copy_tile<Tiles::queries>(tiles.q, a.q.at(place.n, place.h, 0), a.q.row, l0, queries, width);
  copy_tile<Tiles::keys>(tiles.k, k, a.k.row, 0, keys, width);
  commit_copies();
  for (int s0 = 0; s0 < seen; s0 += Tiles::keys) {
    const bool works = row0 < queries && (!a.causal || s0 < row0 + R::rows);  // whole warps
    typename R::template Block<Tiles::keys> block;
    await_tiles();
    if (s0 == 0) prepare_tile<R, Tiles::queries>(tiles.q);
    prepare_tile<R, Tiles::keys>(tiles.k);
#ifndef ATHANOR_FAULT_ATTENTION_KEYS  // a test leaves this barrier out, and must see wrong results
    __syncthreads();                  // keys are there; nobody reads the values of the tile before any more
#endif
    copy_tile<Tiles::keys>(tiles.v, v, a.v.row, s0, keys, value_width);
    commit_copies();
    if (works) {
      R::multiply(block, tiles.q + warp * R::rows, tiles.k, lane);
      finish_scores<R, Tiles::keys, false>(block, rule, row0, s0, lane);
      running.template take<Tiles::keys, Width>(block, sums);
    }
    await_tiles();
    prepare_tile<R, Tiles::keys>(tiles.v);
#ifndef ATHANOR_FAULT_ATTENTION_VALUES  // and this one
    __syncthreads();                    // values are there; nobody reads the keys any more
#endif
    if (s0 + Tiles::keys < seen) copy_tile<Tiles::keys>(tiles.k, k, a.k.row, s0 + Tiles::keys, keys, width);
    commit_copies();
    if (works) R::add(sums, block, tiles.v, lane);
  }

#pragma unroll
  for (int i = 0; i < R::own; ++i) {
    const int l = row0 + R::row(lane, i);
    const float sum = sum_of_row<R>(running.sum[i]);
    if (l >= queries) continue;
    // A query that sees nothing has gathered zeros, and gets a sum so large that its probabilities come out as 0 again.
    store_row<R, Width>(sums, i, sum == 0 ? 1.0f : 1 / sum, to.out.at(place.n, place.h, l), value_width, lane);
    if (lane % R::sharers == 0)
      to.log_sums[place.head * queries + l] = sum == 0 ? m::infinity<float>() : running.top[i] + logf(sum);
  }
}

/** Starts the kernel of an arithmetic. */
template <template <int> class Rows>
void run_attend_tiles(const Call& c, const Attention<float>& a, const AttentionResults& to) {
  with_tile_width(a.width > a.value_width ? a.width : a.value_width, [&](auto wide) {
    constexpr int width = decltype(wide)::value;
    using R = Rows<ForwardSizes<width>::rows>;
    using Tiles = ForwardTiles<R, width>;
    launch(c, attend_tiles<R, width>, dim3(tile_blocks(a.batch * a.heads, a.queries, Tiles::queries)),
           dim3(kTileThreads), sizeof(Tiles), a, to);
  });
}

}  // namespace cuda
}  // namespace athanor
