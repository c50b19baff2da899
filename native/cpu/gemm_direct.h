// The register tile for factors that are read where they lie: C[H x W] = begin + A B. It broadcasts numbers of A
// through one pointer a row, so A may have any strides; B is read by rows, never beyond its last column. 2 H W FLOPs
// against H + W / lanes loads a step, so the multiply-add units are the bound while both factors come from near caches.
#pragma once
#include "cpu/gemm_kernel.h"

namespace athanor {
namespace ATHANOR_ISA {

/**
 * 8 rows keep their pointers in general registers, and lie in 8 of the 12 (or 8) ways of one first-level set when the
 * step from row to row is a power of two. 8 * 3 accumulators, 3 vectors of B and a broadcast are 28 of 32 registers;
 * 6 * 2, 2 and 1 are 15 of the 16 of the other levels.
 */
struct DirectTile {
#if defined(__AVX512F__) || defined(__aarch64__)
  static constexpr int rows = 8, vectors = 3;
#else
  static constexpr int rows = 6, vectors = 2;
#endif
};

template <class T>
struct DirectCall {
  int64_t depth;
  const T* a;
  int64_t a_across, a_along;
  const T* b;
  int64_t b_step;  // from row to row of B; no element beyond `columns` is read
  T* c;
  int64_t c_stride;
  int columns;  // of C: all of the first N - 1 vectors and some of the last
  Start start;
  const T* bias;
};

template <class T, int H, int N>
void direct_tile(const DirectCall<T>& call) {
  constexpr int lanes = kLanes<T>;
  const int last = call.columns - (N - 1) * lanes;
  Vec<T> acc[H][N];
#pragma GCC unroll 8
  for (int i = 0; i < H; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < N; ++v) acc[i][v] = Vec<T>{};
  if (call.start == Start::column_bias) {
#pragma GCC unroll 4
    for (int v = 0; v < N; ++v) {
      const Vec<T> bias = load_n(call.bias + v * lanes, v < N - 1 ? lanes : last);
#pragma GCC unroll 8
      for (int i = 0; i < H; ++i) acc[i][v] = bias;
    }
  }
  const T* a[H];
#pragma GCC unroll 8
  for (int i = 0; i < H; ++i) a[i] = call.a + i * call.a_across;
  const T* b = call.b;
  const int64_t b_step = call.b_step, along = call.a_along, depth = call.depth;
  const auto steps = [&](const auto& load_last) __attribute__((always_inline)) {
    for (int64_t k = 0, at = 0; k < depth; ++k, at += along, b += b_step) {
      Vec<T> x[N];
#pragma GCC unroll 4
      for (int v = 0; v < N - 1; ++v) x[v] = load(b + v * lanes);
      x[N - 1] = load_last(b + (N - 1) * lanes);
#pragma GCC unroll 8
      for (int i = 0; i < H; ++i)
#pragma GCC unroll 4
        for (int v = 0; v < N; ++v) acc[i][v] += x[v] * a[i][at];
    }
  };
  if (kVectorBytes < 64 && last == lanes)
    steps([](const T* p) __attribute__((always_inline)) { return load(p); });
  else  // a masked load costs AVX-512 nothing
    steps([last](const T* p) __attribute__((always_inline)) { return load_n(p, last); });
  T* const c = call.c;
  const int64_t c_stride = call.c_stride;
#pragma GCC unroll 8
  for (int i = 0; i < H; ++i) {
    if (call.start == Start::accumulate) {
#pragma GCC unroll 4
      for (int v = 0; v < N; ++v) acc[i][v] += load_n(c + i * c_stride + v * lanes, v < N - 1 ? lanes : last);
    }
#pragma GCC unroll 4
    for (int v = 0; v < N - 1; ++v) store(c + i * c_stride + v * lanes, acc[i][v]);
    store_n(c + i * c_stride + (N - 1) * lanes, acc[i][N - 1], last);
  }
}

template <class T>
using DirectFunction = void (*)(const DirectCall<T>&);

template <class T>
ATHANOR_ALWAYS_INLINE DirectFunction<T> direct_function(int rows, int columns) {
#if defined(__AVX512F__) || defined(__aarch64__)
#define ATHANOR_DIRECT(h) {direct_tile<T, h, 1>, direct_tile<T, h, 2>, direct_tile<T, h, 3>}
#else
#define ATHANOR_DIRECT(h)                      \
  {                                            \
    direct_tile<T, h, 1>, direct_tile<T, h, 2> \
  }
#endif
  static constexpr DirectFunction<T> table[][DirectTile::vectors] = {
      ATHANOR_DIRECT(1), ATHANOR_DIRECT(2), ATHANOR_DIRECT(3), ATHANOR_DIRECT(4), ATHANOR_DIRECT(5), ATHANOR_DIRECT(6),
#if defined(__AVX512F__) || defined(__aarch64__)
      ATHANOR_DIRECT(7), ATHANOR_DIRECT(8),
#endif
  };
#undef ATHANOR_DIRECT
  static_assert(sizeof table / sizeof *table == DirectTile::rows, "one kernel for every height");
  return table[rows - 1][(columns - 1) / kLanes<T>];
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
