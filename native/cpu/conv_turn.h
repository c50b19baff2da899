// Planes of an image turned into pixels, whose channels lie together: what the tiles of the weight's gradient spread.
// Squares are transposed in registers; 4 + 4 bytes an element.
#pragma once
#include "cpu/gemm_pack.h"
#include "cpu/interleave.h"
#include "cpu/simd.h"

namespace athanor {
namespace ATHANOR_ISA {

/**
 * Planes turned into pixels: to[p * width + c] = plane c at place p, for `rows` rows of `columns` places. Rows of `to`
 * are `pitch` elements apart. Whole vectors are written, zeros behind the last channel: what they cover is a border or
 * is written after them, the channels from the last to the first.
 */
template <class T>
void turn_planes(T* to, int64_t width, int64_t pitch, const T* from, int64_t plane, int64_t h, int64_t w,
                 int64_t channels, int64_t rows, int64_t columns) {
  constexpr int lanes = kLanes<T>;
  constexpr int64_t few = lanes / 4;  // channels of which a square would hold too little
  if (w == 1 && h == columns && pitch == columns * width) {
    columns *= rows;
    rows = 1;
  }
  if (channels <= few) {
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t c = 0; c < channels; ++c) {
        const T* const at = from + row * h + c * plane;
        for (int64_t p = 0; p < columns; ++p) to[row * pitch + p * width + c] = at[p * w];
      }
    return;
  }
  const bool joined = w == 1 && h == columns;  // squares reach from row to row
  const int64_t runs = joined ? 1 : rows, count = joined ? rows * columns : columns;
  for (int64_t run = 0; run < runs; ++run) {
    for (int64_t v = (channels - 1) / lanes * lanes; v >= 0; v -= lanes) {
      const int have = static_cast<int>(min_of<int64_t>(lanes, channels - v));
      const T* const planes = from + run * h + v * plane;
      T* at = to + run * pitch + v;
      int64_t column = 0;
      for (int64_t p = 0; p < count; p += lanes) {
        const int along = static_cast<int>(min_of<int64_t>(lanes, count - p));
        Vec<T> square[lanes];
        if (w == 1 && along == lanes && have == lanes) {
#pragma GCC unroll 16
          for (int i = 0; i < lanes; ++i)  // the next channels come from afar meanwhile
            __builtin_prefetch(planes + (i - lanes) * plane + p);
          load_transposed(planes + p, plane, square);
        } else if (w == 2) {
          for (int i = 0; i < have; ++i) {  // the next row comes from afar meanwhile
            __builtin_prefetch(planes + i * plane + h + 2 * p);
            __builtin_prefetch(planes + i * plane + h + 2 * p + lanes);
          }
#pragma GCC unroll 16
          for (int i = 0; i < lanes; ++i)
            square[i] = i < have ? load_second_n(planes + i * plane + 2 * p, along) : Vec<T>{};
          transpose<T>(square);
        } else if (w == 1) {
#pragma GCC unroll 16
          for (int i = 0; i < lanes; ++i) square[i] = i < have ? load_n(planes + i * plane + p, along) : Vec<T>{};
          transpose<T>(square);
        } else {
          T apart[lanes * lanes] = {};
          for (int i = 0; i < have; ++i)
            for (int j = 0; j < along; ++j) apart[i * lanes + j] = planes[i * plane + (p + j) * w];
#pragma GCC unroll 16
          for (int i = 0; i < lanes; ++i) square[i] = load(apart + i * lanes);
          transpose<T>(square);
        }
        if (along == lanes && column + lanes <= columns) {
#pragma GCC unroll 16
          for (int i = 0; i < lanes; ++i) store(at + i * width, square[i]);
          at += lanes * width;
          column += lanes;
        } else {
#pragma GCC unroll 16
          for (int i = 0; i < lanes; ++i) {
            if (i >= along) break;
            if (column == columns) {
              column = 0;
              at += pitch - columns * width;
            }
            store(at, square[i]);
            at += width;
            ++column;
          }
        }
      }
    }
  }
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
