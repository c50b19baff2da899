// The register-tile micro-kernel of the GEMM core: C[H x W] (+)= A[H x K] * B[K x W] with all of C in registers.
// A is packed (K steps of H numbers); each step loads W numbers of B and multiplies them by H broadcast numbers of A:
// 2 * H * W FLOPs against H + W loads, so the multiply-add units are the bound once H * W / lanes covers their latency
// (two units of 4 cycles: 8 accumulators).
#pragma once
#include "cpu/simd.h"

namespace athanor {
namespace ATHANOR_ISA {

/**
 * Tile sizes. Accumulators, the vectors of B and one broadcast must fit the registers: 14 * 2 + 2 + 1 = 31 of 32 with
 * AVX-512 and 6 * 2 + 2 + 1 = 15 of 16 otherwise. The tile is wide rather than tall because C is stored by rows.
 */
template <class T>
struct Tile {
#if defined(__AVX512F__)
  static constexpr int rows = 14;
#elif defined(__aarch64__)
  static constexpr int rows = 12;
#else
  static constexpr int rows = 6;
#endif
  static constexpr int vectors = 2;
  static constexpr int width = vectors * kLanes<T>;
};

/** What a tile of C starts from. */
enum class Start { zero, accumulate, row_bias, column_bias };

/** Where B's rows lie: a fixed step apart (packed panels, matrices), or at an offset each (patches of an image). */
struct StepRows {
  static constexpr bool pairs = false;
  int64_t step;
  ATHANOR_ALWAYS_INLINE int64_t at(const StepRows& r, int64_t k) { return k * r.step; }
};
struct TableRows {
  static constexpr bool pairs = false;
  const int64_t* offsets;
  ATHANOR_ALWAYS_INLINE int64_t at(const TableRows& r, int64_t k) { return r.offsets[k]; }
};
#if defined(__AVX512F__)
/** As StepRows, where each float that was packed is in truth two bfloat16, neighbours along the depth. */
struct PairRows {
  static constexpr bool pairs = true;
  int64_t step;
  ATHANOR_ALWAYS_INLINE int64_t at(const PairRows& r, int64_t k) { return k * r.step; }
};

/** Adds the products of pairs of bfloat16 to float32 sums. As text, because the instruction is not part of the level:
 *  who calls this has asked has_bf16_dot(). */
ATHANOR_ALWAYS_INLINE void add_pairs(Vec<float>& sums, Vec<float> x, __m512 pair) {
  asm("vdpbf16ps %2, %1, %0" : "+v"(sums) : "v"(x), "v"(pair));
}
#endif

/** One call of the micro-kernel. */
template <class T, class Rows>
struct TileCall {
  int64_t depth;  // K
  const T* a;     // packed: depth x H
  const T* b;     // row k begins at b + at(rows, k); whole vectors are read
  Rows rows;
  T* c;
  int64_t c_stride;  // from row to row of C
  int columns;       // of C; 0 < columns <= vectors * lanes
  Start start;
  const T* bias;  // of the tile's first row, or of its first column
};

template <class T, class Rows, int H, int N>
void tile(const TileCall<T, Rows>& call) {
  constexpr int lanes = kLanes<T>;
  const int last = call.columns - (N - 1) * lanes;  // columns of the last vector
  T* const c = call.c;
  const int64_t c_stride = call.c_stride;
  Vec<T> acc[H][N];
#pragma GCC unroll 16
  for (int i = 0; i < H; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < N; ++v) {
      acc[i][v] = Vec<T>{};
      __builtin_prefetch(c + i * c_stride + v * lanes, 1);  // C comes from afar while the sums are made
    }
  if (call.start == Start::row_bias) {
#pragma GCC unroll 16
    for (int i = 0; i < H; ++i)
#pragma GCC unroll 4
      for (int v = 0; v < N; ++v) acc[i][v] = call.bias[i] - Vec<T>{};  // x - 0 is x, -0 too: the scalar spreads
  } else if (call.start == Start::column_bias) {
#pragma GCC unroll 4
    for (int v = 0; v < N; ++v) {
      const Vec<T> bias = load_n(call.bias + v * lanes, v < N - 1 ? lanes : last);
#pragma GCC unroll 16
      for (int i = 0; i < H; ++i) acc[i][v] = bias;
    }
  }
  const T* a = call.a;
  const T* const b = call.b;
  const Rows rows = call.rows;
  const int64_t depth = call.depth;
  for (int64_t k = 0; k < depth; ++k) {
    const T* row = b + Rows::at(rows, k);
    Vec<T> x[N];
#pragma GCC unroll 4
    for (int v = 0; v < N; ++v) x[v] = load(row + v * lanes);
#pragma GCC unroll 16
    for (int i = 0; i < H; ++i) {
      if constexpr (Rows::pairs) {
        const auto pair = _mm512_set1_ps(a[i]);
#pragma GCC unroll 4
        for (int v = 0; v < N; ++v) add_pairs(acc[i][v], x[v], pair);
      } else {
#pragma GCC unroll 4
        for (int v = 0; v < N; ++v) acc[i][v] += x[v] * a[i];
      }
    }
    a += H;
  }
  if (call.start == Start::accumulate) {
#pragma GCC unroll 16
    for (int i = 0; i < H; ++i) {
#pragma GCC unroll 4
      for (int v = 0; v < N - 1; ++v) acc[i][v] += load(c + i * c_stride + v * lanes);
      acc[i][N - 1] += load_n(c + i * c_stride + (N - 1) * lanes, last);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < H; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < N - 1; ++v) store(c + i * c_stride + v * lanes, acc[i][v]);
    if (last == lanes)
      store(c + i * c_stride + (N - 1) * lanes, acc[i][N - 1]);
    else
      store_n(c + i * c_stride + (N - 1) * lanes, acc[i][N - 1], last);
  }
}

template <class T, class Rows>
using TileFunction = void (*)(const TileCall<T, Rows>&);

/** The micro-kernel for a tile of `height` rows and as many vectors as `columns` needs. */
template <class T, class Rows>
ATHANOR_ALWAYS_INLINE TileFunction<T, Rows> tile_function(int height, int columns) {
#define ATHANOR_TILES(h)                     \
  {                                          \
    tile<T, Rows, h, 1>, tile<T, Rows, h, 2> \
  }
  static constexpr TileFunction<T, Rows> table[][2] = {
      ATHANOR_TILES(1),  ATHANOR_TILES(2),  ATHANOR_TILES(3), ATHANOR_TILES(4),  ATHANOR_TILES(5),  ATHANOR_TILES(6),
#if defined(__AVX512F__) || defined(__aarch64__)
      ATHANOR_TILES(7),  ATHANOR_TILES(8),  ATHANOR_TILES(9), ATHANOR_TILES(10), ATHANOR_TILES(11), ATHANOR_TILES(12),
#endif
#if defined(__AVX512F__)
      ATHANOR_TILES(13), ATHANOR_TILES(14),
#endif
  };
#undef ATHANOR_TILES
  static_assert(sizeof table / sizeof *table == Tile<T>::rows && Tile<T>::vectors == 2, "one kernel for every height");
  return table[height - 1][columns > kLanes<T>];
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
