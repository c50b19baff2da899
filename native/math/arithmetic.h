// Arithmetic that is defined for every argument: integers wrap, nan passes through comparisons, division rounds down.
#pragma once
#include "math/bits.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace m {

// int32 in unsigned arithmetic: signed overflow is undefined in C++. uint8 and bool are computed as int and cut.
template <class T>
ATHANOR_ALWAYS_INLINE T add(T a, T b) {
  return static_cast<T>(a + b);
}
template <class T>
ATHANOR_ALWAYS_INLINE T sub(T a, T b) {
  return static_cast<T>(a - b);
}
template <class T>
ATHANOR_ALWAYS_INLINE T mul(T a, T b) {
  return static_cast<T>(a * b);
}
template <class T>
ATHANOR_ALWAYS_INLINE T neg(T x) {
  return static_cast<T>(-x);
}
ATHANOR_ALWAYS_INLINE int32_t add(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
}
ATHANOR_ALWAYS_INLINE int32_t sub(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) - static_cast<uint32_t>(b));
}
ATHANOR_ALWAYS_INLINE int32_t mul(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) * static_cast<uint32_t>(b));
}
ATHANOR_ALWAYS_INLINE int32_t neg(int32_t x) { return static_cast<int32_t>(0u - static_cast<uint32_t>(x)); }

ATHANOR_ALWAYS_INLINE float abs(float x) { return magnitude(x); }
ATHANOR_ALWAYS_INLINE double abs(double x) { return magnitude(x); }
ATHANOR_ALWAYS_INLINE int32_t abs(int32_t x) { return x < 0 ? neg(x) : x; }
ATHANOR_ALWAYS_INLINE uint8_t abs(uint8_t x) { return x; }

/** -1, 0 or 1; 0 for nan. */
template <class T>
ATHANOR_ALWAYS_INLINE T sign(T x) {
  return static_cast<T>((x > 0) - (x < 0));
}

template <class T>
ATHANOR_ALWAYS_INLINE bool is_nan(T x) {
  return x != x;
}
ATHANOR_ALWAYS_INLINE bool is_finite(float x) { return magnitude(x) < infinity<float>(); }
ATHANOR_ALWAYS_INLINE bool is_finite(double x) { return magnitude(x) < infinity<double>(); }
template <class T>
ATHANOR_ALWAYS_INLINE bool is_finite(T) {
  return true;
}

// ---- to a whole number. Adding and taking away 2^mantissa rounds half to even, as the processor's rounding mode does;
// the sign is put back because of -0.
template <class T>
ATHANOR_ALWAYS_INLINE T round(T x) {
  const T a = magnitude(x), whole = (a + Format<T>::whole) - Format<T>::whole;
  return a < Format<T>::whole ? with_sign(whole, x) : x;
}
template <class T>
ATHANOR_ALWAYS_INLINE T floor(T x) {
  const T near = round(x);
  return near > x ? near - 1 : near;
}
template <class T>
ATHANOR_ALWAYS_INLINE T ceil(T x) {
  const T near = round(x);
  return with_sign(near < x ? near + 1 : near, x);
}
template <class T>
ATHANOR_ALWAYS_INLINE T trunc(T x) {
  return with_sign(floor(magnitude(x)), x);
}

// ---- the larger and the smaller; nan wins, as in IEEE 754's maximum and minimum. Of numbers or of vectors.
template <class T>
ATHANOR_ALWAYS_INLINE T maximum(T a, T b) {
  return ((a > b) | (a != a)) ? a : b;
}
template <class T>
ATHANOR_ALWAYS_INLINE T minimum(T a, T b) {
  return ((a < b) | (a != a)) ? a : b;
}

// ---- division that rounds down, and what it leaves, which has the divisor's sign. Integers must not be divided by 0.
/**
 * Whether the two float versions below hold: b finite, and a quotient below 2^28. As a and b have 24 bits, a quotient
 * that is no whole number is 2^-24 away from the next one, while its rounding in double moves it by 2^-26 at most: its
 * floor is the right one, and the product of floor and b is exact.
 */
ATHANOR_ALWAYS_INLINE bool moderate_quotient(float a, float b) {
  return (magnitude(static_cast<double>(a) / static_cast<double>(b)) < 268435456.0) & is_finite(b);
}
template <class T>
ATHANOR_ALWAYS_INLINE bool moderate_quotient(T, T) {
  return sizeof(T) < 8;
}
ATHANOR_ALWAYS_INLINE float remainder(float a, float b) {
  const double rest = static_cast<double>(a) - floor(static_cast<double>(a) / static_cast<double>(b)) * b;
  return rest == 0 ? with_sign(0.0f, a) : static_cast<float>(rest);
}
ATHANOR_ALWAYS_INLINE float floor_divide(float a, float b) {
  return static_cast<float>(floor(static_cast<double>(a) / static_cast<double>(b)));
}
/** For any quotient. Not for vector loops. */
template <class T>
ATHANOR_ALWAYS_INLINE T remainder_any(T a, T b) {
  const double rest = ::fmod(static_cast<double>(a), static_cast<double>(b));
  return static_cast<T>((rest != 0) & ((rest < 0) != (b < 0)) ? rest + b : rest);
}
template <class T>
ATHANOR_ALWAYS_INLINE T floor_divide_any(T a, T b) {
  if (b == 0) return a / b;
  const double rest = ::fmod(static_cast<double>(a), static_cast<double>(b));
  const double quotient = (a - rest) / b - ((rest != 0) & ((rest < 0) != (b < 0)) ? 1 : 0);
  const double down = floor(quotient), n = quotient - down > 0.5 ? down + 1 : down;
  return static_cast<T>(quotient == 0 ? with_sign(0.0, static_cast<double>(a) / b) : n);
}
ATHANOR_ALWAYS_INLINE double remainder(double a, double b) { return remainder_any(a, b); }
ATHANOR_ALWAYS_INLINE double floor_divide(double a, double b) { return floor_divide_any(a, b); }

// Integers by floats that hold every quotient well enough: there are no vectors of integer division.
ATHANOR_ALWAYS_INLINE int32_t floor_divide(int32_t a, int32_t b) {
  // The one quotient that overflows is -2^31 / -1; it wraps.
  const double n = floor(static_cast<double>(a) / (b == -1 ? 1.0 : static_cast<double>(b)));
  return b == -1 ? neg(a) : static_cast<int32_t>(n);
}
ATHANOR_ALWAYS_INLINE int32_t remainder(int32_t a, int32_t b) { return sub(a, mul(floor_divide(a, b), b)); }
ATHANOR_ALWAYS_INLINE uint8_t floor_divide(uint8_t a, uint8_t b) {
  return static_cast<uint8_t>(static_cast<int32_t>(static_cast<float>(a) / static_cast<float>(b)));
}
ATHANOR_ALWAYS_INLINE uint8_t remainder(uint8_t a, uint8_t b) {
  return static_cast<uint8_t>(a - floor_divide(a, b) * b);
}

}  // namespace m
}  // namespace ATHANOR_ISA
}  // namespace athanor
