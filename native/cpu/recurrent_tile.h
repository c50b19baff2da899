// The register tile of the recurrent layers: C[H x width] (+)= state[H x K] * matrix[K x width]. It is the micro-kernel
// of gemm_kernel.h for a state that nobody packs: cells write it in squares of `width` units of each row of a panel,
// one row after another, and numbers of a column are broadcast from there, a fixed distance apart.
#pragma once
#include "cpu/gemm_kernel.h"

namespace athanor {
namespace ATHANOR_ISA {

/**
 * Lines of memory that are asked for while products are made, a few with each square: whoever needs them next finds
 * them in a cache. Asked for all at once, they would fill the queue in which the tile's own lines wait.
 */
struct Lines {
  const char* const* next;
  const char* const* end;
  int64_t each;  // with every square
  void pass(int64_t squares) { next = end - next > each * squares ? next + each * squares : end; }
};

template <class T>
struct StateCall {
  const T* state;   // squares of H x width numbers, one after another
  const T* matrix;  // rows of width numbers
  int64_t squares;
  int64_t until_last, period;  // of each `period` squares one is `last` wide: how many come before the next one
  int last;
  T* c;      // rows of width numbers
  bool add;  // to what c holds
  Lines reads, writes;
};

template <class T, int H>
void state_tile(const StateCall<T>& call) {
  constexpr int lanes = kLanes<T>, N = Tile<T>::vectors, width = Tile<T>::width;
  Vec<T> acc[H][N];
#pragma GCC unroll 16
  for (int i = 0; i < H; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < N; ++v) acc[i][v] = Vec<T>{};
  const T* a = call.state;
  const T* b = call.matrix;
  const auto step = [&](int k) __attribute__((always_inline)) {
    Vec<T> x[N];
#pragma GCC unroll 4
    for (int v = 0; v < N; ++v) x[v] = load(b + v * lanes);
#pragma GCC unroll 16
    for (int i = 0; i < H; ++i)
#pragma GCC unroll 4
      for (int v = 0; v < N; ++v) acc[i][v] += x[v] * a[i * width + k];
    b += width;
  };
  int64_t until_last = call.until_last;
  Lines reads = call.reads, writes = call.writes;
  for (int64_t square = 0; square < call.squares; ++square, a += H * width) {
    for (int64_t i = 0; i < reads.each && reads.next < reads.end; ++i) __builtin_prefetch(*reads.next++, 0, 3);
    for (int64_t i = 0; i < writes.each && writes.next < writes.end; ++i) __builtin_prefetch(*writes.next++, 1);
    if (until_last-- == 0) {
      until_last = call.period - 1;
      for (int k = 0; k < call.last; ++k) step(k);
    } else {
#pragma GCC unroll 4
      for (int k = 0; k < width; ++k) step(k);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < H; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < N; ++v) {
      T* const c = call.c + i * width + v * lanes;
      store(c, call.add ? acc[i][v] + load(c) : acc[i][v]);
    }
}

template <class T>
using StateTileFunction = void (*)(const StateCall<T>&);

/** The tile for a panel of `height` rows. */
template <class T>
ATHANOR_ALWAYS_INLINE StateTileFunction<T> state_tile_function(int height) {
  static constexpr StateTileFunction<T> table[] = {
      state_tile<T, 1>,  state_tile<T, 2>,  state_tile<T, 3>, state_tile<T, 4>,  state_tile<T, 5>,  state_tile<T, 6>,
#if defined(__AVX512F__) || defined(__aarch64__)
      state_tile<T, 7>,  state_tile<T, 8>,  state_tile<T, 9>, state_tile<T, 10>, state_tile<T, 11>, state_tile<T, 12>,
#endif
#if defined(__AVX512F__)
      state_tile<T, 13>, state_tile<T, 14>,
#endif
  };
  static_assert(sizeof table / sizeof *table == Tile<T>::rows, "one tile for every height");
  return table[height - 1];
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
