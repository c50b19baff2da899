// The register tile of the convolutions whose channels lie in vectors: sums[H x V vectors] += over k of a[k][0..H)
// times b[k]. The H numbers of a step lie together (pixels of an image's row, or channels of one pixel) and are spread
// one by one; b is packed. H V multiply-adds against H + V loads a step: bound by the multiply-add units.
#pragma once
#include "cpu/gemm_kernel.h"

namespace athanor {
namespace ATHANOR_ISA {

/** Steps [from, to) of a tile. Rows that would meet nothing but padding are left out: none, the first or the last. */
struct Stretch {
  int64_t from, to;
  enum Without { nothing, first, last } without;
};

template <class T>
struct SpreadCall {
  const T* a;  // step k begins at a + offsets[k]
  const int32_t* offsets;
  const T* b;         // packed: step k is V vectors
  int64_t ahead = 0;  // what lies so far from each step's b is wanted next, in the second-level cache
  const Stretch* stretches;
  int count;
  const T* begin;  // what row i starts from: V vectors at begin + i * begin_step
  int64_t begin_step;
  T* sums;  // row i is V vectors at sums + i * sums_step
  int64_t sums_step;
};

template <class T, int H, int V>
void spread_tile(const SpreadCall<T>& call) {
  constexpr int lanes = kLanes<T>;
  Vec<T> acc[H][V];
#pragma GCC unroll 16
  for (int i = 0; i < H; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) acc[i][v] = load(call.begin + i * call.begin_step + v * lanes);
  const T* const a = call.a;
  const int64_t ahead = call.ahead;
// Three copies of one loop: a function for it would be given the accumulators by address, in memory.
#define ATHANOR_STEPS(first_row, end_row)                                               \
  for (int64_t k = stretch.from; k < stretch.to; ++k, b += V * lanes) {                 \
    const T* const row = a + offsets[k];                                                \
    __builtin_prefetch(b + ahead, 0, 2);                                                \
    Vec<T> x[V];                                                                        \
    _Pragma("GCC unroll 4") for (int v = 0; v < V; ++v) x[v] = load(b + v * lanes);     \
    _Pragma("GCC unroll 16") for (int i = first_row; i < end_row; ++i)                  \
        _Pragma("GCC unroll 4") for (int v = 0; v < V; ++v) acc[i][v] += x[v] * row[i]; \
  }
  for (int s = 0; s < call.count; ++s) {
    const Stretch stretch = call.stretches[s];
    const int32_t* const offsets = call.offsets;
    const T* b = call.b + stretch.from * (V * lanes);
    if (stretch.without == Stretch::nothing) {
      ATHANOR_STEPS(0, H)
    } else if (stretch.without == Stretch::first) {
      ATHANOR_STEPS(1, H)
    } else {
      ATHANOR_STEPS(0, H - 1)
    }
  }
#undef ATHANOR_STEPS
  T* const sums = call.sums;
  const int64_t sums_step = call.sums_step;
#pragma GCC unroll 16
  for (int i = 0; i < H; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) store(sums + i * sums_step + v * lanes, acc[i][v]);
}

template <class T>
using SpreadFunction = void (*)(const SpreadCall<T>&);

/** The tallest tile for a number of vectors: accumulators, the vectors of b and one spread number fill the registers.
 */
template <class T>
constexpr int tallest_tile(int vectors) {
  return vectors <= 2 ? Tile<T>::rows : Tile<T>::rows / 2;
}
/** Whether there are registers for tiles that are four vectors wide. */
template <class T>
constexpr bool kWideTiles = Tile<T>::rows >= 12;

/** The tile of `height` rows and 1, 2 or, where kWideTiles, 4 vectors. */
template <class T>
ATHANOR_ALWAYS_INLINE SpreadFunction<T> spread_function(int height, int vectors) {
#define ATHANOR_SPREAD(h) spread_tile<T, h, 1>, spread_tile<T, h, 2>
  static constexpr SpreadFunction<T> table[] = {
      ATHANOR_SPREAD(1),  ATHANOR_SPREAD(2),  ATHANOR_SPREAD(3),
      ATHANOR_SPREAD(4),  ATHANOR_SPREAD(5),  ATHANOR_SPREAD(6),
#if defined(__AVX512F__) || defined(__aarch64__)
      ATHANOR_SPREAD(7),  ATHANOR_SPREAD(8),  ATHANOR_SPREAD(9),
      ATHANOR_SPREAD(10), ATHANOR_SPREAD(11), ATHANOR_SPREAD(12),
#endif
#if defined(__AVX512F__)
      ATHANOR_SPREAD(13), ATHANOR_SPREAD(14),
#endif
  };
#undef ATHANOR_SPREAD
  static_assert(sizeof table / sizeof *table == 2 * Tile<T>::rows, "one kernel for every height");
#if defined(__AVX512F__) || defined(__aarch64__)
  static constexpr SpreadFunction<T> wide[] = {
      spread_tile<T, 1, 4>, spread_tile<T, 2, 4>, spread_tile<T, 3, 4>,
      spread_tile<T, 4, 4>, spread_tile<T, 5, 4>, spread_tile<T, 6, 4>,
#if defined(__AVX512F__)
      spread_tile<T, 7, 4>,
#endif
  };
  if (vectors == 4) return wide[height - 1];
#endif
  return table[2 * (height - 1) + vectors - 1];
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
