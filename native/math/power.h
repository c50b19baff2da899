// Square roots and powers.
#pragma once
#include "math/log.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace m {

ATHANOR_ALWAYS_INLINE float sqrt(float x) { return __builtin_sqrtf(x); }
ATHANOR_ALWAYS_INLINE double sqrt(double x) { return __builtin_sqrt(x); }

/** Whether y is a whole number, and an odd one. Every float from 2^24 on is even. */
ATHANOR_ALWAYS_INLINE bool is_whole(double y) {
  const double a = magnitude(y), rounded = (a + Format<double>::whole) - Format<double>::whole;
  return rounded == a || a >= Format<double>::whole;
}
ATHANOR_ALWAYS_INLINE bool is_odd(double y) { return is_whole(y) & !is_whole(0.5 * y); }

/**
 * x^y = 2^(y log2 |x|) in double arithmetic, with C's results for zeros, infinities and negative bases. log2 is right
 * to 2^-43 and the power to 2^-34, so the result is the right float in all but a few cases in a thousand (0.51 ulp).
 */
ATHANOR_ALWAYS_INLINE float pow(float x, float y) {
  using F = Format<double>;
  const double a = magnitude(static_cast<double>(x)), e = y;
  const double logarithm = a == 0 ? -infinity<double>() : (a == infinity<double>() ? a : log2_wide(a));
  const double exponent = within(e * logarithm, -200.0, 200.0);
  const double rounded = exponent + F::rounder, f = exponent - (rounded - F::rounder);
  const double fraction =
      poly(f, 0.999999999961676072, 0.693147180728472407, 0.240226511982160232, 0.0555041035339018231,
           0.00961802724561566484, 0.00133339225897928203, 0.000154692937646242572, 0.0000152019202355573859);
  const double scaled = fraction * from_bits<double>((bits(rounded) - bits(F::rounder) + F::bias) << F::mantissa);
  // A denormal or infinite result is rounded by this conversion, once.
  const float size = static_cast<float>(scaled);
  const float negated = is_odd(e) ? -size : size;
  const float of_negative = (is_whole(e) | (a == 0) | (a == infinity<double>())) ? negated : not_a_number<float>();
  const float by_sign = (bits(x) & Format<float>::sign) != 0 ? of_negative : size;
  const float out = ((x != x) | (y != y)) ? x + y : by_sign;
  const bool one = (y == 0) | (x == 1) | ((x == -1) & (magnitude(y) == infinity<float>()));
  return one ? 1.0f : out;
}
ATHANOR_ALWAYS_INLINE double pow(double x, double y) { return ::pow(x, y); }

// ---- powers that a few products, a quotient or a root make. float's products are made in double.
ATHANOR_ALWAYS_INLINE double widened(float x) { return x; }
ATHANOR_ALWAYS_INLINE double widened(double x) { return x; }
template <class T>
ATHANOR_ALWAYS_INLINE T cube(T x) {
  const double w = widened(x);
  return static_cast<T>(w * w * w);
}
template <class T>
ATHANOR_ALWAYS_INLINE T fourth_power(T x) {
  const double w = widened(x), square = w * w;
  return static_cast<T>(square * square);
}
/** 1/x to the square and the cube: unlike those of x, they go out of range no sooner than the result. */
template <class T>
ATHANOR_ALWAYS_INLINE T inverse_square(T x) {
  const T inverse = 1 / x;
  return inverse * inverse;
}
template <class T>
ATHANOR_ALWAYS_INLINE T inverse_cube(T x) {
  const T inverse = 1 / x;
  return inverse * inverse * inverse;
}
/** What roots are taken of: C's powers of -0 and of -infinity are those of 0 and infinity. */
template <class T>
ATHANOR_ALWAYS_INLINE T base_of_root(T x) {
  return x == -infinity<T>() ? infinity<T>() : x + 0;
}
template <class T>
ATHANOR_ALWAYS_INLINE T root(T x) {
  return sqrt(base_of_root(x));
}
template <class T>
ATHANOR_ALWAYS_INLINE T inverse_root(T x) {
  return 1 / root(x);
}
template <class T>
ATHANOR_ALWAYS_INLINE T inverse_root_cubed(T x) {
  const T inverse = 1 / base_of_root(x);
  return inverse * sqrt(inverse);
}

/** By repeated squaring, wrapping. A negative exponent gives the whole part: 0, or 1 and -1 for those bases. */
template <class T>
ATHANOR_ALWAYS_INLINE T whole_pow(T x, T y) {
  if (y < 0) return x == 1 ? T(1) : (x == T(-1) ? ((y & 1) != 0 ? T(-1) : T(1)) : T(0));
  uint32_t result = 1, base = static_cast<uint32_t>(x);
  for (uint32_t n = static_cast<uint32_t>(y); n != 0; n >>= 1) {
    if ((n & 1) != 0) result *= base;
    base *= base;
  }
  return static_cast<T>(result);
}
ATHANOR_ALWAYS_INLINE int32_t pow(int32_t x, int32_t y) { return whole_pow(x, y); }
ATHANOR_ALWAYS_INLINE uint8_t pow(uint8_t x, uint8_t y) { return whole_pow(x, y); }

}  // namespace m
}  // namespace ATHANOR_ISA
}  // namespace athanor
