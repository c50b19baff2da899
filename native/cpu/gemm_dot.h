// The other register tile: C[H x W] += A[H x K] * B[W x K]^T where both factors lie along K, as products of vectors
// whose lanes are added up at the end. Nothing is packed. H * W accumulators against H + W loads a step.
#pragma once
#include "cpu/parallel.h"
#include "cpu/simd.h"

namespace athanor {
namespace ATHANOR_ISA {

/** 6 * 4 accumulators, 6 vectors of A and one of B are 31 of 32 registers; 3 * 4, 3 and 1 fill the 16 of the others. */
struct DotTile {
#if defined(__AVX512F__)
  static constexpr int rows = 6;
#else
  static constexpr int rows = 3;
#endif
  static constexpr int columns = 4;
};

/** One stretch of the sum: `count` neighbours in every row of A and of B. */
template <class T>
struct DotPiece {
  const T* a;
  const T* b;
  int64_t count;
};

/** C += over several pieces. Row i of A begins at a + i * a_stride, row j of B at b + offsets[j]. */
template <class T>
struct DotCall {
  const DotPiece<T>* pieces;
  int64_t n_pieces;
  int64_t a_stride;
  const int64_t* offsets;
  T* c;
  int64_t c_stride;
};

template <class T, int H, int W>
void dot_tile(const DotCall<T>& call) {
  constexpr int lanes = kLanes<T>;
  Vec<T> acc[H][W];
#pragma GCC unroll 8
  for (int i = 0; i < H; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < W; ++j) acc[i][j] = Vec<T>{};
  for (int64_t p = 0; p < call.n_pieces; ++p) {
    const DotPiece<T>& piece = call.pieces[p];
    const T* const a = piece.a;
    const T* b[W];
    for (int j = 0; j < W; ++j) b[j] = piece.b + call.offsets[j];
    const int64_t a_stride = call.a_stride, whole = piece.count / lanes * lanes;
    for (int64_t k = 0; k < whole; k += lanes) {
      Vec<T> x[H];
#pragma GCC unroll 8
      for (int i = 0; i < H; ++i) x[i] = load(a + i * a_stride + k);
#pragma GCC unroll 4
      for (int j = 0; j < W; ++j) {
        const Vec<T> y = load(b[j] + k);
#pragma GCC unroll 8
        for (int i = 0; i < H; ++i) acc[i][j] += x[i] * y;
      }
    }
    if (const int rest = static_cast<int>(piece.count - whole)) {
      Vec<T> x[H];
#pragma GCC unroll 8
      for (int i = 0; i < H; ++i) x[i] = load_n(a + i * a_stride + whole, rest);
#pragma GCC unroll 4
      for (int j = 0; j < W; ++j) {
        const Vec<T> y = load_n(b[j] + whole, rest);
#pragma GCC unroll 8
        for (int i = 0; i < H; ++i) acc[i][j] += x[i] * y;
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < H; ++i) {
    Vec<T> row[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) row[j] = j < W ? acc[i][j] : Vec<T>{};
    typename Four<T>::type sums;
    sum_lanes_of_four<T>(row, sums);
#pragma GCC unroll 4
    for (int j = 0; j < W; ++j) call.c[i * call.c_stride + j] += sums[j];
  }
}

template <class T>
using DotFunction = void (*)(const DotCall<T>&);

template <class T>
ATHANOR_ALWAYS_INLINE DotFunction<T> dot_function(int rows, int columns) {
#define ATHANOR_DOTS(h)                                                        \
  {                                                                            \
    dot_tile<T, h, 1>, dot_tile<T, h, 2>, dot_tile<T, h, 3>, dot_tile<T, h, 4> \
  }
  static constexpr DotFunction<T> table[][DotTile::columns] = {
      ATHANOR_DOTS(1), ATHANOR_DOTS(2), ATHANOR_DOTS(3),
#if defined(__AVX512F__)
      ATHANOR_DOTS(4), ATHANOR_DOTS(5), ATHANOR_DOTS(6),
#endif
  };
#undef ATHANOR_DOTS
  static_assert(sizeof table / sizeof *table == DotTile::rows, "one kernel for every height");
  return table[rows - 1][columns - 1];
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
