// Rows of two kinds of elements in turn: parted as they are read, put together as they are written.
#pragma once
#include "cpu/simd.h"

namespace athanor {
namespace ATHANOR_ISA {

/** Lanes first, first + 2, first + 4, ... of two vectors in a row. */
template <class T, int first>
ATHANOR_ALWAYS_INLINE Vec<T> second_lanes(Vec<T> a, Vec<T> b) {
  constexpr int lanes = kLanes<T>;
#if defined(__GNUC__) && !defined(__clang__)
  typedef decltype(a < b) Index;
  Index every;
  for (int i = 0; i < lanes; ++i) every[i] = 2 * i + first;
  return __builtin_shuffle(a, b, every);
#else
  Vec<T> v;
  for (int i = 0; i < lanes; ++i) v[i] = i < lanes / 2 ? a[2 * i + first] : b[2 * i + first - lanes];
  return v;
#endif
}
template <class T>
ATHANOR_ALWAYS_INLINE Vec<T> even_lanes(Vec<T> a, Vec<T> b) {
  return second_lanes<T, 0>(a, b);
}
template <class T>
ATHANOR_ALWAYS_INLINE Vec<T> odd_lanes(Vec<T> a, Vec<T> b) {
  return second_lanes<T, 1>(a, b);
}

/** a0 b0 a1 b1 ...: two vectors. */
template <class T>
ATHANOR_ALWAYS_INLINE void interleave(Vec<T>& a, Vec<T>& b) {
  constexpr int lanes = kLanes<T>;
  Vec<T> low, high;
#if defined(__GNUC__) && !defined(__clang__)
  typedef decltype(a < b) Index;
  Index first, second;
  for (int i = 0; i < lanes; ++i) {
    first[i] = i / 2 + i % 2 * lanes;
    second[i] = lanes / 2 + i / 2 + i % 2 * lanes;
  }
  low = __builtin_shuffle(a, b, first);
  high = __builtin_shuffle(a, b, second);
#else
  for (int i = 0; i < lanes; ++i) {
    low[i] = i % 2 == 0 ? a[i / 2] : b[i / 2];
    high[i] = i % 2 == 0 ? a[lanes / 2 + i / 2] : b[lanes / 2 + i / 2];
  }
#endif
  a = low;
  b = high;
}

template <class T>
ATHANOR_ALWAYS_INLINE void store_part(T* to, Vec<T> v, int64_t count) {
  if (count >= kLanes<T>)
    store(to, v);
  else if (count > 0)
    store_n(to, v, static_cast<int>(count));
}

/** The first n of p[0], p[2], p[4], ..., 0 < n <= lanes, and zeros; nothing behind p[2 n - 2] is read. */
template <class T>
ATHANOR_ALWAYS_INLINE Vec<T> load_second_n(const T* p, int n) {
  constexpr int lanes = kLanes<T>;
  const int all = 2 * n - 1;
  const Vec<T> low = load_n(p, all < lanes ? all : lanes);
  return even_lanes<T>(low, all > lanes ? load_n(p + lanes, all - lanes) : Vec<T>{});
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
