// Rows of sums with channels along the vectors, transposed into an image whose channels are planes.
#pragma once
#include "cpu/gemm_pack.h"
#include "cpu/parallel.h"
#include "cpu/simd.h"

namespace athanor {
namespace ATHANOR_ISA {

/** Where output (n, m, y, x) goes. */
template <class T>
struct FinishedRows {
  T* data;
  int64_t n, m, y, x;  // strides
  int64_t rows, columns;
  const T* residual = nullptr;  // added at the end, with the strides of data; or null
  bool relu = false;            // comes last
  /** Rows and columns of one of several interleaved grids. */
  int64_t rows_of(int64_t phase, int64_t phases) const { return ceil_div(rows - phase, phases); }
  int64_t columns_of(int64_t phase, int64_t phases) const { return ceil_div(columns - phase, phases); }
  /** Rows that are turned at once: where they lie together, about as many as fill whole vectors, and few enough that
   *  the sums of a panel (16 KiB) are still near. */
  int64_t at_once() const {
    constexpr int64_t most = 128;
    if (x != 1 || y != columns || columns <= 0) return 1;
    int64_t count = 1;
    while (count * columns % kLanes<T> != 0 && (count + 1) * columns <= most) ++count;
    return count;
  }
};

/** Asks for the cache lines of one row of some channels, to be written. */
template <class T>
ATHANOR_ALWAYS_INLINE void prefetch_row(const FinishedRows<T>& to, int64_t n, int64_t m, int64_t channels, int64_t y) {
  const T* row = to.data + n * to.n + m * to.m + y * to.y;
  if (to.x != 1) return;
  for (int64_t i = 0; i < channels; ++i, row += to.m)
    for (int64_t x = 0; x < to.columns; x += 64 / static_cast<int64_t>(sizeof(T))) {
      __builtin_prefetch(row + x, 1);
      if (to.residual != nullptr) __builtin_prefetch(to.residual + (row - to.data) + x);
    }
}

/** A residual and relu for neighbours of an output that were just written: they still lie in the first-level cache. */
template <class T>
__attribute__((noinline)) void finish_neighbours(T* y, int64_t step, const T* residual, int64_t residual_step,
                                                 int64_t n, bool relu) {
  if (residual != nullptr && step == 1 && residual_step == 1)
    for (int64_t i = 0; i < n; ++i) y[i] += residual[i];
  else if (residual != nullptr)
    for (int64_t i = 0; i < n; ++i) y[i * step] += residual[i * residual_step];
  if (relu && step == 1)
    for (int64_t i = 0; i < n; ++i) y[i] = y[i] < 0 ? T(0) : y[i];
  else if (relu)
    for (int64_t i = 0; i < n; ++i) y[i * step] = y[i * step] < 0 ? T(0) : y[i * step];
}

/** A square of sums, channels along the vectors, turned: vector i is channel i of `pixels` neighbours. */
template <class T>
ATHANOR_ALWAYS_INLINE void take_square(Vec<T> (&square)[kLanes<T>], const T* from, int64_t width, int64_t pixels) {
  constexpr int lanes = kLanes<T>;
  if (pixels >= lanes) return load_transposed(from, width, square);
#pragma GCC unroll 16
  for (int i = 0; i < lanes; ++i) square[i] = i < pixels ? load(from + i * width) : Vec<T>{};
  transpose<T>(square);
}

/** A row of neighbours; `residual`, which lies as they do, is added, and relu comes last. */
template <class T, bool ends = false>
void finish_dense(T* row, int64_t m, const T* sums, int64_t width, int count, int64_t columns,
                  const T* residual = nullptr, bool relu = false) {
  constexpr int lanes = kLanes<T>;
  for (int64_t x = 0; x < columns; x += lanes) {
    Vec<T> square[lanes];
    take_square<T>(square, sums + x * width, width, columns - x);
    const int64_t left = columns - x;
    const int part = static_cast<int>(min_of<int64_t>(left, lanes));
    if constexpr (ends) {
      if (residual != nullptr) {
#pragma GCC unroll 16
        for (int i = 0; i < lanes; ++i)
          if (i < count) square[i] += load_n(residual + x + i * m, part);
      }
      if (relu) {
#pragma GCC unroll 16
        for (int i = 0; i < lanes; ++i) square[i] = square[i] < Vec<T>{} ? Vec<T>{} : square[i];
      }
    }
    T* const to = row + x;
    if (left >= lanes && count == lanes) {
#pragma GCC unroll 16
      for (int i = 0; i < lanes; ++i) store(to + i * m, square[i]);
    } else {
#pragma GCC unroll 16
      for (int i = 0; i < lanes; ++i)
        if (i < count) store_n(to + i * m, square[i], part);
    }
  }
}

/**
 * Rows of an image from the sums of their pixels, `width` channels each, of which the first `channels` are real. More
 * than one row only where rows lie together: `pixels` are neighbours then.
 */
template <class T>
void finish_rows(const FinishedRows<T>& to, const T* sums, int64_t n, int64_t m, int64_t channels, int64_t width,
                 int64_t y, int64_t pixels) {
  constexpr int lanes = kLanes<T>;
  for (int64_t v = 0; v < channels; v += lanes) {
    const int count = static_cast<int>(min_of<int64_t>(lanes, channels - v));
    const int64_t at = n * to.n + (m + v) * to.m + y * to.y;
    T* const row = to.data + at;
    const bool ends = to.residual != nullptr || to.relu;
    if (to.x == 1) {
      const T* const residual = to.residual == nullptr ? nullptr : to.residual + at;
      if (ends)
        finish_dense<T, true>(row, to.m, sums + v, width, count, pixels, residual, to.relu);
      else
        finish_dense(row, to.m, sums + v, width, count, pixels);
      continue;
    }
    for (int64_t x = 0; x < pixels; ++x)
      for (int i = 0; i < count; ++i) row[i * to.m + x * to.x] = sums[x * width + v + i];
    if (!ends) continue;
    for (int i = 0; i < count; ++i) {
      const T* const residual = to.residual == nullptr ? nullptr : to.residual + at + i * to.m;
      finish_neighbours(row + i * to.m, to.x, residual, to.x, pixels, to.relu);
    }
  }
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
