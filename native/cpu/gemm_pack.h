// Packing: a strided piece of a matrix rewritten in the order in which the micro-kernel reads it. One copy of each
// element; the transposing case moves squares of lanes x lanes elements through registers.
#pragma once
#include "cpu/parallel.h"
#include "cpu/simd.h"

namespace athanor {
namespace ATHANOR_ISA {

/** Neighbours across the panel lie together in the source: rows are copied. */
template <class T>
void pack_rows(T* to, int width, int padded, const T* from, int64_t step, int64_t depth) {
  constexpr int lanes = kLanes<T>, ahead = 8;
  for (int64_t k = 0; k < depth; ++k, to += padded, from += step) {
    int w = 0;
    if (k + ahead < depth)  // rows far apart are beyond what the hardware foresees
      for (int next = 0; next < width; next += lanes) __builtin_prefetch(from + ahead * step + next);
    for (; w + lanes <= width; w += lanes) store(to + w, load(from + w));
    if (w < width) {
      // A whole vector where the following rows will write over the lanes that are too many.
      if ((depth - k) * padded - w >= lanes)
        store(to + w, load_n(from + w, width - w));
      else
        store_n(to + w, load_n(from + w, width - w), min_of(lanes, padded - w));
      w += lanes;
    }
    for (; w < padded; w += lanes) store_n(to + w, Vec<T>{}, min_of(lanes, padded - w));
  }
}

#if defined(__AVX512F__) && !defined(__clang__)
/**
 * A square of lanes x lanes elements read and transposed: quarters of rows are put where they belong as they are
 * loaded, which leaves half of a transpose to the shuffles, and none that crosses 128-bit lanes. Where there are fewer
 * than `lanes` rows the last one is read again.
 */
ATHANOR_ALWAYS_INLINE void load_transposed(const float* from, int64_t step, Vec<float> (&out)[16], int rows = 16) {
  typedef int Index __attribute__((vector_size(64)));
  constexpr Index low = {0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29}, high = low + 2;
  constexpr Index low_pairs = {0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29}, high_pairs = low_pairs + 2;
#pragma GCC unroll 4
  for (int q = 0; q < 4; ++q) {
    Vec<float> row[4];  // lane l of row[r]: four neighbours of row r + 4 l
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
      const auto quarter = [=](int i) __attribute__((always_inline)) {
        return _mm_loadu_ps(from + min_of(i, rows - 1) * step + 4 * q);
      };
      __m512 x = _mm512_castps128_ps512(quarter(r));
      x = _mm512_insertf32x4(x, quarter(r + 4), 1);
      x = _mm512_insertf32x4(x, quarter(r + 8), 2);
      row[r] = reinterpret_cast<Vec<float>>(_mm512_insertf32x4(x, quarter(r + 12), 3));
    }
    const Vec<float> a = __builtin_shuffle(row[0], row[1], low), b = __builtin_shuffle(row[0], row[1], high);
    const Vec<float> c = __builtin_shuffle(row[2], row[3], low), d = __builtin_shuffle(row[2], row[3], high);
    out[4 * q] = __builtin_shuffle(a, c, low_pairs);
    out[4 * q + 1] = __builtin_shuffle(a, c, high_pairs);
    out[4 * q + 2] = __builtin_shuffle(b, d, low_pairs);
    out[4 * q + 3] = __builtin_shuffle(b, d, high_pairs);
  }
}
ATHANOR_ALWAYS_INLINE void load_transposed(const double* from, int64_t step, Vec<double> (&out)[8], int rows = 8) {
  typedef long long Index __attribute__((vector_size(64)));
  constexpr Index low = {0, 8, 2, 10, 4, 12, 6, 14}, high = low + 1;
#pragma GCC unroll 4
  for (int q = 0; q < 4; ++q) {
    Vec<double> row[2];  // lane l of row[r]: two neighbours of row r + 2 l
#pragma GCC unroll 2
    for (int r = 0; r < 2; ++r) {
      const auto quarter = [=](int i) __attribute__((always_inline)) {
        return _mm_loadu_pd(from + min_of(i, rows - 1) * step + 2 * q);
      };
      __m512d x = _mm512_castpd128_pd512(quarter(r));
      x = _mm512_insertf64x2(x, quarter(r + 2), 1);
      x = _mm512_insertf64x2(x, quarter(r + 4), 2);
      row[r] = reinterpret_cast<Vec<double>>(_mm512_insertf64x2(x, quarter(r + 6), 3));
    }
    out[2 * q] = __builtin_shuffle(row[0], row[1], low);
    out[2 * q + 1] = __builtin_shuffle(row[0], row[1], high);
  }
}
#else
template <class T>
ATHANOR_ALWAYS_INLINE void load_transposed(const T* from, int64_t step, Vec<T> (&out)[kLanes<T>],
                                           int rows = kLanes<T>) {
#pragma GCC unroll 16
  for (int i = 0; i < kLanes<T>; ++i) out[i] = load(from + min_of(i, rows - 1) * step);
  transpose<T>(out);
}
#endif

/** Neighbours along the depth lie together in the source: squares are transposed. */
template <class T>
void pack_columns(T* to, int width, int padded, const T* from, int64_t step, int64_t depth) {
  constexpr int lanes = kLanes<T>;
  for (int w = 0; w < padded; w += lanes) {
    const int rows = min_of(lanes, width - w), across = min_of(lanes, padded - w);
    for (int64_t k = 0; k < depth; k += lanes) {
      const int along = static_cast<int>(min_of<int64_t>(lanes, depth - k));
      Vec<T> square[lanes];
      const T* corner = from + w * step + k;
      if (rows == lanes && along == lanes) {
        load_transposed(corner, step, square);
      } else if (rows == across && along == lanes) {
        load_transposed(corner, step, square, rows);
      } else {
#pragma GCC unroll 16
        for (int i = 0; i < lanes; ++i) square[i] = i < rows ? load_n(corner + i * step, along) : Vec<T>{};
        transpose<T>(square);
      }
      T* out = to + k * padded + w;
      if (across == lanes && along == lanes) {
#pragma GCC unroll 16
        for (int i = 0; i < lanes; ++i) store(out + i * padded, square[i]);
      } else if (along == lanes && padded <= lanes && k + 2 * lanes <= depth) {
        // The lanes that are too many are written over by what follows.
#pragma GCC unroll 16
        for (int i = 0; i < lanes; ++i) store(out + i * padded, square[i]);
      } else {
#pragma GCC unroll 16
        for (int i = 0; i < lanes; ++i)
          if (i < along) store_n(out + i * padded, square[i], across);
      }
    }
  }
}

/**
 * to[k * padded + w] = from[w * across + k * along] for w < width and k < depth, 0 for width <= w < padded. Writes
 * exactly depth * padded elements.
 */
template <class T>
void pack_strided(T* to, int width, int padded, const T* from, int64_t across, int64_t along, int64_t depth) {
  if (across == 1) return pack_rows(to, width, padded, from, along, depth);
  if (along == 1) return pack_columns(to, width, padded, from, across, depth);
  for (int64_t k = 0; k < depth; ++k, to += padded) {
    for (int w = 0; w < width; ++w) to[w] = from[w * across + k * along];
    for (int w = width; w < padded; ++w) to[w] = T(0);
  }
}

/** A factor of a product: any strided matrix. `across` is the step along M or N, `along` the step along K. */
template <class T>
struct StridedFactor {
  using Element = T;
  const T* data;
  int64_t across, along;

  StridedFactor from(int64_t k) const { return {data + k * along, across, along}; }

  void pack(T* to, int64_t first, int width, int padded, int64_t k, int64_t depth) const {
    pack_strided(to, width, padded, data + first * across + k * along, across, along, depth);
  }
  /** Asks for what pack() will read, where neighbours across lie together. */
  void prefetch(int64_t first, int64_t width, int64_t k, int64_t depth) const {
    constexpr int64_t line = 64 / static_cast<int64_t>(sizeof(T));
    for (int64_t i = k; i < k + depth; ++i)
      for (int64_t j = 0; j < width + line - 1; j += line) __builtin_prefetch(data + first + j + i * along, 0, 2);
  }
};

}  // namespace ATHANOR_ISA
}  // namespace athanor
