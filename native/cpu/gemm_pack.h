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
  constexpr int lanes = kLanes<T>;
  for (int64_t k = 0; k < depth; ++k, to += padded, from += step) {
    int w = 0;
    for (; w + lanes <= width; w += lanes) store(to + w, load(from + w));
    if (w < width) {
      store_n(to + w, load_n(from + w, width - w), min_of(lanes, padded - w));
      w += lanes;
    }
    for (; w < padded; w += lanes) store_n(to + w, Vec<T>{}, min_of(lanes, padded - w));
  }
}

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
#pragma GCC unroll 16
        for (int i = 0; i < lanes; ++i) square[i] = load(corner + i * step);
      } else {
#pragma GCC unroll 16
        for (int i = 0; i < lanes; ++i) square[i] = i < rows ? load_n(corner + i * step, along) : Vec<T>{};
      }
      transpose<T>(square);
      T* out = to + k * padded + w;
      if (across == lanes && along == lanes) {
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
  const T* data;
  int64_t across, along;

  void pack(T* to, int64_t first, int width, int padded, int64_t k, int64_t depth) const {
    pack_strided(to, width, padded, data + first * across + k * along, across, along, depth);
  }
};

}  // namespace ATHANOR_ISA
}  // namespace athanor
