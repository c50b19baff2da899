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
/** Whether the two float versions below hold: b finite, and a quotient that fits the bits double has beyond float. */
ATHANOR_ALWAYS_INLINE bool moderate_quotient(float a, float b) {
  return (magnitude(static_cast<double>(a) / static_cast<double>(b)) < 536870912.0) & is_finite(b);
}
template <class T>
ATHANOR_ALWAYS_INLINE bool moderate_quotient(T, T) {
  return sizeof(T) < 8;
}

/** a - n b with n = floor(a / b): every step is exact in double, once n is corrected for the quotient's rounding. */
struct Division {
  double n, rest;
};
ATHANOR_ALWAYS_INLINE Division divide(float x, float y) {
  const double a = x, b = y, n = floor(a / b), rest = a - n * b;
  const bool beyond = b < 0 ? rest > 0 : rest < 0;
  return {beyond ? n - 1 : n, beyond ? rest + b : rest};
}
ATHANOR_ALWAYS_INLINE float remainder(float a, float b) {
  const double rest = divide(a, b).rest;
  return static_cast<float>(rest == 0 ? with_sign(0.0, static_cast<double>(a)) : rest);
}
ATHANOR_ALWAYS_INLINE float floor_divide(float a, float b) {
  const double n = divide(a, b).n;
  return static_cast<float>(n == 0 ? with_sign(0.0, static_cast<double>(a) / b) : n);
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

ATHANOR_ALWAYS_INLINE int32_t floor_divide(int32_t a, int32_t b) {
  if (b == -1) return neg(a);  // the one quotient that may overflow
  const int32_t n = a / b, rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? n - 1 : n;
}
ATHANOR_ALWAYS_INLINE int32_t remainder(int32_t a, int32_t b) {
  if (b == -1) return 0;
  const int32_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}
ATHANOR_ALWAYS_INLINE uint8_t floor_divide(uint8_t a, uint8_t b) { return static_cast<uint8_t>(a / b); }
ATHANOR_ALWAYS_INLINE uint8_t remainder(uint8_t a, uint8_t b) { return static_cast<uint8_t>(a % b); }

}  // namespace m
}  // namespace ATHANOR_ISA
}  // namespace athanor
