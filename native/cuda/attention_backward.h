// The gradient of attention in tiles: probabilities are made again from the logarithms of the rows' sums. One kernel
// walks keys for tiles of queries and gives gq, another walks queries for tiles of keys and gives gk and gv, so that
// nothing is added by two blocks and results are the same from run to run. Scores and slopes are made in both: 14 L S E
// FLOPs a head of D = E, where one kernel that adds gq by atomics has 10; to keep the slopes instead would be 8 bytes
// of memory for 4 E FLOPs. Bytes from shared memory for 1024 multiply-adds, which is one product of tensor cores: 299
// for queries, 320 for keys, of heads of 64.
#pragma once
#include "cuda/attention_tile.h"
#include "cuda/each.h"

namespace athanor {
namespace cuda {

/** Rows of a warp are 16, since two tiles of rows stay in shared memory, and gk and gv in registers. */
template <int Width>
struct BackwardSizes {
  static constexpr int rows = 16;
  static constexpr int keys = Width <= 64 ? 64 : 32;     // of a tile that queries walk
  static constexpr int queries = Width <= 64 ? 32 : 16;  // of one that keys walk, of which there are two
};

/** Blocks of a multiprocessor whose registers suffice. */
template <class R, int Width>
constexpr int kBackwardBlocks = Width <= 64 ? R::backward_blocks : 2;

/** What a gradient needs of a query's row: the logarithm of its sum, and what the softmax takes from each slope. */
using RowNumbers = float2;

/** Eight threads a row, side by side on it. */
struct MakeRowNumbers {
  static constexpr int sharers = 8;
  Incoming<float> in;
  int64_t heads, queries, rows;
  int width;
  RowNumbers* to;

  __device__ void operator()(uint32_t i) const {
    const int64_t row = i / sharers;
    const int own = static_cast<int>(i % sharers);
    const bool inside = row < rows;  // of a warp some rows may be, so all of it takes part in the sum
    const int64_t l = row % queries, head = row / queries, h = head % heads, n = head / heads;
    float sum = 0;
    if (inside) {
      const float *const g = in.g.at(n, h, l), *const out = in.out.at(n, h, l);
      for (int d = own * 4; d < width; d += sharers * 4) {
        const float4 a = *reinterpret_cast<const float4*>(g + d), b = *reinterpret_cast<const float4*>(out + d);
        sum += a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;
      }
    }
#pragma unroll
    for (int apart = 1; apart < sharers; apart *= 2) sum += __shfl_xor_sync(kFullMask, sum, apart);
    if (inside && own == 0) to[row] = {in.log_sums.get(n, h, l), sum - in.g_log_sums.get(n, h, l)};
  }
};

__device__ __forceinline__ float probability(float score, const RowNumbers& row) {
  return power_of_two((score - row.x) * kLog2E);
}

template <class R, int Width>
struct QueryTiles {
  static constexpr int queries = R::rows * kTileWarps, keys = BackwardSizes<Width>::keys;
  TileRow<Width> q[queries], g[queries], k[keys], v[keys];
};

/** gq: a tile of queries, over the keys that these see. */
template <class R, int Width>
__global__ void __launch_bounds__(kTileThreads, kBackwardBlocks<R, Width>)
    query_gradient_tiles(Attention<float> a, Heads<const float> g, const RowNumbers* numbers, Heads<float> gq) {
  using Tiles = QueryTiles<R, Width>;
  ATHANOR_TILES(Tiles, tiles);
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  const int queries = static_cast<int>(a.queries), keys = static_cast<int>(a.keys);
  const TilePlace place = place_of_tile(a.heads, (queries + Tiles::queries - 1) / Tiles::queries, a.causal);
  const int l0 = place.tile * Tiles::queries, row0 = l0 + warp * R::rows;
  const int seen = a.causal && l0 + Tiles::queries < keys ? l0 + Tiles::queries : keys;
  const float *const k = a.k.at(place.n, place.h, 0), *const v = a.v.at(place.n, place.h, 0);
  const int width = static_cast<int>(a.width), value_width = static_cast<int>(a.value_width);
  const ScoreRule rule(a, place.n, place.h);

  typename R::template Sums<Width> sums{};
  RowNumbers row[R::own];
#pragma unroll
  for (int i = 0; i < R::own; ++i) {
    const int l = row0 + R::row(lane, i);
    row[i] = l < queries ? numbers[place.head * queries + l] : RowNumbers{0, 0};
  }
  copy_tile<Tiles::queries>(tiles.q, a.q.at(place.n, place.h, 0), a.q.row, l0, queries, width);
  copy_tile<Tiles::queries>(tiles.g, g.at(place.n, place.h, 0), g.row, l0, queries, value_width);
  copy_tile<Tiles::keys>(tiles.v, v, a.v.row, 0, keys, value_width);
  commit_copies();
  for (int s0 = 0; s0 < seen; s0 += Tiles::keys) {
    const bool works = row0 < queries && (!a.causal || s0 < row0 + R::rows);  // whole warps
    using Block = typename R::template Block<Tiles::keys>;
    Block slopes;
    await_tiles();
    if (s0 == 0) {
      prepare_tile<R, Tiles::queries>(tiles.q);
      prepare_tile<R, Tiles::queries>(tiles.g);
    }
    prepare_tile<R, Tiles::keys>(tiles.v);
#ifndef ATHANOR_FAULT_ATTENTION_VALUES  // a test leaves this barrier out, and must see wrong results
    __syncthreads();                    // values are there; nobody reads the keys of the tile before any more
#endif
    copy_tile<Tiles::keys>(tiles.k, k, a.k.row, s0, keys, width);
    commit_copies();
    if (works) R::multiply(slopes, tiles.g + warp * R::rows, tiles.v, lane);
    await_tiles();
    prepare_tile<R, Tiles::keys>(tiles.k);
#ifndef ATHANOR_FAULT_ATTENTION_KEYS  // and this one
    __syncthreads();                  // keys are there; nobody reads the values any more
#endif
    if (s0 + Tiles::keys < seen) copy_tile<Tiles::keys>(tiles.v, v, a.v.row, s0 + Tiles::keys, keys, value_width);
    commit_copies();
    if (works) {
      Block scores;
      R::multiply(scores, tiles.q + warp * R::rows, tiles.k, lane);
      finish_scores<R, Tiles::keys, false>(scores, rule, row0, s0, lane);
#pragma unroll
      for (int i = 0; i < R::own; ++i)
#pragma unroll
        for (int j = 0; j < Block::own_columns; ++j)
          slopes.of(i, j) = probability(scores.of(i, j), row[i]) * (slopes.of(i, j) - row[i].y);
      R::add(sums, slopes, tiles.k, lane);
    }
  }
#pragma unroll
  for (int i = 0; i < R::own; ++i) {
    const int l = row0 + R::row(lane, i);
    if (l < queries) store_row<R, Width>(sums, i, a.scale, gq.at(place.n, place.h, l), width, lane);
  }
}

template <class R, int Width>
struct KeyTiles {
  static constexpr int keys = R::rows * kTileWarps, queries = BackwardSizes<Width>::queries;
  TileRow<Width> k[keys], v[keys], q[2][queries], g[2][queries];
};

/** gk and gv: a tile of keys, over the queries that see them. */
template <class R, int Width>
__global__ void __launch_bounds__(kTileThreads, kBackwardBlocks<R, Width>)
    key_gradient_tiles(Attention<float> a, Heads<const float> g, const RowNumbers* numbers, Heads<float> gk,
                       Heads<float> gv) {
  using Tiles = KeyTiles<R, Width>;
  ATHANOR_TILES(Tiles, tiles);
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  const int queries = static_cast<int>(a.queries), keys = static_cast<int>(a.keys);
  const TilePlace place = place_of_tile(a.heads, (keys + Tiles::keys - 1) / Tiles::keys, false);
  const int s0 = place.tile * Tiles::keys, row0 = s0 + warp * R::rows;
  const float *const q_head = a.q.at(place.n, place.h, 0), *const g_head = g.at(place.n, place.h, 0);
  const int width = static_cast<int>(a.width), value_width = static_cast<int>(a.value_width);
  const ScoreRule rule(a, place.n, place.h);
  numbers += place.head * queries;
  const auto fetch = [&](int l0, int stage) {
    copy_tile<Tiles::queries>(tiles.q[stage], q_head, a.q.row, l0, queries, width);
    copy_tile<Tiles::queries>(tiles.g[stage], g_head, g.row, l0, queries, value_width);
  };

  typename R::template Sums<Width> keys_sums{}, values_sums{};
  const int first = a.causal ? s0 / Tiles::queries * Tiles::queries : 0;
  copy_tile<Tiles::keys>(tiles.k, a.k.at(place.n, place.h, 0), a.k.row, s0, keys, width);
  copy_tile<Tiles::keys>(tiles.v, a.v.at(place.n, place.h, 0), a.v.row, s0, keys, value_width);
  fetch(first, 0);
  commit_copies();
  int stage = 0;
  for (int l0 = first; l0 < queries; l0 += Tiles::queries) {
    await_tiles();
    if (l0 == first) {
      prepare_tile<R, Tiles::keys>(tiles.k);
      prepare_tile<R, Tiles::keys>(tiles.v);
    }
    prepare_tile<R, Tiles::queries>(tiles.q[stage]);
    prepare_tile<R, Tiles::queries>(tiles.g[stage]);
#ifndef ATHANOR_FAULT_ATTENTION_QUERIES  // a test leaves this barrier out, and must see wrong results
    __syncthreads();                     // queries are there; nobody reads those of the tile before any more
#endif
    if (l0 + Tiles::queries < queries) fetch(l0 + Tiles::queries, 1 - stage);
    commit_copies();
    if (row0 < keys && (!a.causal || row0 < l0 + Tiles::queries)) {  // whole warps
      using Block = typename R::template Block<Tiles::queries>;
      Block shares, slopes;
      RowNumbers row[Block::own_columns];
#pragma unroll
      for (int j = 0; j < Block::own_columns; ++j) {
        const int l = l0 + Block::column(lane, j);
        row[j] = l < queries ? numbers[l] : RowNumbers{0, 0};
      }
      R::multiply(shares, tiles.k + warp * R::rows, tiles.q[stage], lane);
      finish_scores<R, Tiles::queries, true>(shares, rule, l0, row0, lane);
#pragma unroll
      for (int i = 0; i < R::own; ++i)
#pragma unroll
        for (int j = 0; j < Block::own_columns; ++j) shares.of(i, j) = probability(shares.of(i, j), row[j]);
      R::add(values_sums, shares, tiles.g[stage], lane);
      R::multiply(slopes, tiles.v + warp * R::rows, tiles.g[stage], lane);
#pragma unroll
      for (int i = 0; i < R::own; ++i)
#pragma unroll
        for (int j = 0; j < Block::own_columns; ++j) slopes.of(i, j) = shares.of(i, j) * (slopes.of(i, j) - row[j].y);
      R::add(keys_sums, slopes, tiles.q[stage], lane);
    }
    stage = 1 - stage;
  }
#pragma unroll
  for (int i = 0; i < R::own; ++i) {
    const int s = row0 + R::row(lane, i);
    if (s >= keys) continue;
    store_row<R, Width>(keys_sums, i, a.scale, gk.at(place.n, place.h, s), width, lane);
    store_row<R, Width>(values_sums, i, 1, gv.at(place.n, place.h, s), value_width, lane);
  }
}

/** Starts the kernels of an arithmetic. */
template <template <int> class Rows>
void run_gradient_tiles(const Call& c, const Attention<float>& a, const Incoming<float>& in,
                        const AttentionGradients& to) {
  const int64_t heads = a.batch * a.heads, rows = heads * a.queries;
  RowNumbers* const numbers = scratch_array<RowNumbers>(c, rows);
  constexpr int each = MakeRowNumbers::sharers;
  static_assert(kEachThreads % kWarp == 0 && kWarp % each == 0, "rows do not reach into two warps");
  for_each_number(c, (rows + kWarp - 1) / kWarp * kWarp * each,
                  MakeRowNumbers{in, a.heads, a.queries, rows, static_cast<int>(a.value_width), numbers});
  with_tile_width(a.width > a.value_width ? a.width : a.value_width, [&](auto wide) {
    constexpr int width = decltype(wide)::value;
    using R = Rows<BackwardSizes<width>::rows>;
    using Queries = QueryTiles<R, width>;
    using Keys = KeyTiles<R, width>;
    launch(c, query_gradient_tiles<R, width>, dim3(tile_blocks(heads, a.queries, Queries::queries)), dim3(kTileThreads),
           sizeof(Queries), a, in.g, numbers, to.q);
    launch(c, key_gradient_tiles<R, width>, dim3(tile_blocks(heads, a.keys, Keys::keys)), dim3(kTileThreads),
           sizeof(Keys), a, in.g, numbers, to.k, to.v);
  });
}

}  // namespace cuda
}  // namespace athanor
