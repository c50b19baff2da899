// A block of C from packed panels: calls the micro-kernel for every tile. Legend: M rows and N columns of C, K depth.
#pragma once
#include "cpu/activations.h"
#include "cpu/gemm_kernel.h"
#include "cpu/parallel.h"

namespace athanor {
namespace ATHANOR_ISA {

/**
 * The rows of C cut into panels of nearly equal height, because a tile of 8 rows runs at full speed but one of 2 does
 * not: 16 rows are 8 + 8, never 14 + 2.
 */
template <class T>
struct RowPanels {
  int64_t rows, count;
  explicit RowPanels(int64_t m) : rows(m), count(ceil_div(m, Tile<T>::rows)) {}
  int64_t start(int64_t p) const { return rows * p / count; }
  int height(int64_t p) const { return static_cast<int>(start(p + 1) - start(p)); }
};

/** C as a strided matrix. Another C tells by `at` where column j begins and how many columns follow without a gap. */
template <class T>
struct StridedResult {
  T* data;
  int64_t row_stride, column_stride;
  T* at(int64_t j, int64_t* run) const {
    *run = column_stride == 1 ? INT64_MAX : 1;
    return data + j * column_stride;
  }
};

/** Runs a tile whose columns do not lie together in C, through a dense copy. */
template <class T, class Rows, class Result>
void scattered_tile(TileCall<T, Rows> call, int height, int64_t i, int64_t j, const Result& result) {
  constexpr int width = Tile<T>::width;
  alignas(kVectorBytes) T dense[Tile<T>::rows * width];
  const int columns = call.columns;
  const auto each_run = [&](const auto& body) {
    for (int x = 0; x < columns;) {
      int64_t run;
      T* c = result.at(j + x, &run) + i * result.row_stride;
      const int n = static_cast<int>(min_of<int64_t>(run, columns - x));
      for (int h = 0; h < height; ++h) body(dense + h * width + x, c + h * result.row_stride, n);
      x += n;
    }
  };
  if (call.start == Start::accumulate)
    each_run([](T* d, const T* c, int n) {
      for (int x = 0; x < n; ++x) d[x] = c[x];
    });
  call.c = dense;
  call.c_stride = width;
  tile_function<T, Rows>(height, columns)(call);
  each_run([](const T* d, T* c, int n) {
    for (int x = 0; x < n; ++x) c[x] = d[x];
  });
}

/** One tile of C at row i, column j; `call` has everything but C. */
template <class T, class Rows, class Result>
ATHANOR_ALWAYS_INLINE void run_tile(TileCall<T, Rows>& call, int height, int64_t i, int64_t j, const Result& result) {
  int64_t run;
  T* c = result.at(j, &run);
  if (run >= call.columns) {
    call.c = c + i * result.row_stride;
    call.c_stride = result.row_stride;
    tile_function<T, Rows>(height, call.columns)(call);
  } else {
    scattered_tile(call, height, i, j, result);
  }
}

/** Where every tile of a product starts: zero, what C holds, or a bias by row or column. */
template <class T>
struct Begin {
  Start start = Start::zero;
  const T* bias = nullptr;
  const T* of(int64_t i, int64_t j) const {
    return start == Start::row_bias ? bias + i : start == Start::column_bias ? bias + j : nullptr;
  }
};

/** A rectangle of C and the packed panels that make it. Panels of A lie one after another, those of B too. */
template <class T>
struct BlockCall {
  const T* a;
  const T* b;
  int64_t depth;
  int64_t first_panel, end_panel;    // of A
  int64_t first_column, end_column;  // of C; the first is a multiple of the tile's width
  bool rows_outside;  // A is the larger or farther one: each of its panels is visited once, B's panels many times
  Begin<T> begin;
  Finish<T> finish = nullptr;  // of tiles whose columns lie together in C
};

template <class T, class Rows, class Result>
void multiply_block(const BlockCall<T>& c, const RowPanels<T>& panels, const Result& result) {
  constexpr int width = Tile<T>::width;
  const int64_t first_row = panels.start(c.first_panel);
  TileCall<T, Rows> call;
  call.depth = c.depth;
  call.rows.step = width;
  call.start = c.begin.start;
  const auto one = [&](int64_t p, int64_t j) {
    const int64_t i = panels.start(p);
    call.a = c.a + (i - first_row) * c.depth;
    call.b = c.b + (j - c.first_column) * c.depth;
    call.columns = static_cast<int>(min_of<int64_t>(width, c.end_column - j));
    call.bias = c.begin.of(i, j);
    run_tile(call, panels.height(p), i, j, result);
    if (c.finish != nullptr)
      for (int h = 0; h < panels.height(p); ++h) c.finish(call.c + h * call.c_stride, call.columns);
  };
  if (c.rows_outside) {
    for (int64_t p = c.first_panel; p < c.end_panel; ++p)
      for (int64_t j = c.first_column; j < c.end_column; j += width) one(p, j);
  } else {
    for (int64_t j = c.first_column; j < c.end_column; j += width)
      for (int64_t p = c.first_panel; p < c.end_panel; ++p) one(p, j);
  }
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
