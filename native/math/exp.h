// exp and expm1, and what is made of them: sigmoid, tanh, silu, elu.
//
// exp(x) = 2^k exp(r) with k = round(x / ln 2), |r| <= ln 2 / 2, and exp(r) = 1 + r + r^2 q(r).
#pragma once
#include "math/bits.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace m {

/** (exp(r) - 1 - r) / r^2 for |r| <= ln 2 / 2, to 2^-28 (float) and 2^-57.9 (double) of exp(r). */
ATHANOR_ALWAYS_INLINE float exp_tail(float r) {
  return poly(r, 0.499999934477094567, 0.166665206318532026, 0.0416683880732955865, 0.00836871687008065068,
              0.00138145969427838083);
}
ATHANOR_ALWAYS_INLINE double exp_tail(double r) {
  return poly(r, 0.500000000000001063, 0.166666666666664125, 0.0416666666665301585, 0.00833333333349445531,
              0.00138888889436301142, 0.000198412695065911613, 0.000024801493098903597, 2.75575863638779243e-6,
              2.76302483825406961e-7, 2.50000644063187387e-8);
}

/** Adding this rounds to a whole number k, as Format::rounder does, and leaves k + 2 bias in the low bits: two biases,
 *  so that no k of a result is negative there. */
template <class T>
constexpr T kRounder = Format<T>::rounder + 2 * Format<T>::bias;

/** x = k ln 2 + r. `offset` holds k + 2 bias in its low bits, and nothing in those above that reach an exponent. */
template <class T>
struct Reduced {
  T k, r;
  typename Format<T>::Bits offset;
};
template <class T>
ATHANOR_ALWAYS_INLINE Reduced<T> reduce(T x) {
  using F = Format<T>;
  Reduced<T> out;
  const T rounded = x * static_cast<T>(1.4426950408889634) + kRounder<T>;
  out.k = rounded - kRounder<T>;
  out.offset = bits(rounded);
  out.r = (x - out.k * F::ln2_high) - out.k * F::ln2_low;
  return out;
}

/** p * 2^k, rounded once where the result is denormal: two factors, since 2^k alone may be out of range. */
template <class T>
ATHANOR_ALWAYS_INLINE T scale(T p, typename Format<T>::Bits offset) {
  using F = Format<T>;
  // Exponents of the two that add up to `offset`: its half, rounded down, and the rest.
  const typename F::Bits twice_half = offset << (F::mantissa - 1), half = twice_half & ~(F::sign | F::fraction);
  return p * from_bits<T>(half) * from_bits<T>((twice_half << 1) - half);
}

/** The same for k <= 0, down to -190 (double: -1534), with one factor that depends on k. */
template <class T>
ATHANOR_ALWAYS_INLINE T scale_down(T p, typename Format<T>::Bits offset) {
  using F = Format<T>;
  constexpr typename F::Bits extra = F::bias / 2 + 1;
  const T factor = from_bits<T>((offset << F::mantissa) - ((F::bias - extra) << F::mantissa));
  return p * factor * from_bits<T>((F::bias - extra) << F::mantissa);
}

/** Beyond these, exp is 0 or infinite. */
ATHANOR_ALWAYS_INLINE float exp_range(float x) { return within(x, -104.0f, 89.0f); }
ATHANOR_ALWAYS_INLINE double exp_range(double x) { return within(x, -746.0, 710.0); }

/** exp(x + low) for -128 < x <= 0 (double: -1024) and a `low` that is small beside 1, as when x holds a product whose
 *  rounding error `low` is. */
template <class T>
ATHANOR_ALWAYS_INLINE T exp_down(T x, T low) {
  Reduced<T> to = reduce(x);
  to.r += low;
  return scale_down(1 + (to.r + to.r * to.r * exp_tail(to.r)), to.offset);
}
/** exp(x) for x <= 0. */
template <class T>
ATHANOR_ALWAYS_INLINE T exp_down(T x) {
  constexpr T zero_from = static_cast<T>(sizeof(T) == sizeof(float) ? -104 : -746);
  const Reduced<T> to = reduce(x < zero_from ? zero_from : x);
  return scale_down(1 + (to.r + to.r * to.r * exp_tail(to.r)), to.offset);
}

/** e^x. At most 1.04 ulp off, denormal results included. */
template <class T>
ATHANOR_ALWAYS_INLINE T exp(T x) {
  const Reduced<T> to = reduce(exp_range(x));
  return scale(1 + (to.r + to.r * to.r * exp_tail(to.r)), to.offset);
}

/** Beyond these, exp2 is 0 or infinite. */
ATHANOR_ALWAYS_INLINE float exp2_range(float x) { return within(x, -151.0f, 129.0f); }
ATHANOR_ALWAYS_INLINE double exp2_range(double x) { return within(x, -1076.0, 1025.0); }

/** 2^x, exact for whole x. At most 1.05 ulp off, denormal results included. */
template <class T>
ATHANOR_ALWAYS_INLINE T exp2(T x) {
  const T held = exp2_range(x), rounded = held + kRounder<T>;
  const T r = (held - (rounded - kRounder<T>)) * static_cast<T>(0.6931471805599453);
  return scale(1 + (r + r * r * exp_tail(r)), bits(rounded));
}

/** e^x - 1 without cancellation. At most 1.7 ulp off (double: 2). */
template <class T>
ATHANOR_ALWAYS_INLINE T expm1(T x) {
  using F = Format<T>;
  const Reduced<T> to = reduce(exp_range(x));
  const T p = to.r + to.r * to.r * exp_tail(to.r);
  // Half of 2^k: 2^k itself overflows one step before the result does. Far below -1 any small factor will do.
  const typename F::Bits field = (to.offset << F::mantissa) - (typename F::Bits{F::bias + 1} << F::mantissa);
  const typename F::Bits least = typename F::Bits{F::bias - (F::mantissa + 10)} << F::mantissa;
  const T half = from_bits<T>(to.k < -(F::mantissa + 9) ? least : field);
  const T out = 2 * (half * p + (half - static_cast<T>(0.5)));
  return magnitude(x) < F::tiny ? x : out;
}

/** 1 / (1 + e^-x), accurate relative to the result at both ends. At most 2.5 ulp off. */
template <class T>
ATHANOR_ALWAYS_INLINE T sigmoid(T x) {
  const T e = exp_down(-magnitude(x));
  return (x < 0 ? e : T(1)) / (1 + e);
}

/**
 * Hyperbolic tangent. With t = expm1(-2|x|) it is -t / (2 + t), and where that nears 1, 1 - 2 (1 + t) / (2 + t), whose
 * rounding errors count for less. At most 2.4 ulp off.
 */
template <class T>
ATHANOR_ALWAYS_INLINE T tanh(T x) {
  using F = Format<T>;
  constexpr T one_from = static_cast<T>(sizeof(T) == sizeof(float) ? 10 : 20);  // tanh is 1 from there on
  const T a = magnitude(x), held = a > one_from ? one_from : a;                 // nan stays
  const Reduced<T> to = reduce(-2 * held);
  // expm1, whose k is so near to 0 here that nothing leaves the range of normal numbers.
  const T power = from_bits<T>((to.offset << F::mantissa) - (typename F::Bits{F::bias} << F::mantissa));
  const T t = power * (to.r + to.r * to.r * exp_tail(to.r)) + (power - 1);
  // Chosen before the one division; the sign of what comes out is x's in any case.
  const bool upper = a > static_cast<T>(0.55);
  const T from = upper ? T(1) : T(0), part = upper ? 2 * (1 + t) : -t;
  return with_sign(from - part / (2 + t), x);
}

/** tanh's derivative in terms of its result: 1 - y^2, without cancellation. */
template <class T>
ATHANOR_ALWAYS_INLINE T tanh_slope(T y) {
  const T held = within(y, T(-1), T(1));
  return (1 - held) * (1 + held);
}

/** x sigmoid(x) */
template <class T>
ATHANOR_ALWAYS_INLINE T silu(T x) {
  return x * sigmoid(x);
}
/** Its derivative, s + x s (1 - s) with s = sigmoid(x). */
template <class T>
ATHANOR_ALWAYS_INLINE T silu_slope(T x) {
  const T s = sigmoid(x);
  return s * (1 + x * (1 - s));
}

/** x where it is positive, else alpha (e^x - 1). */
template <class T>
ATHANOR_ALWAYS_INLINE T elu(T x, T alpha) {
  const T below = alpha * expm1(x);
  return x > 0 ? x : below;
}
/** Its derivative: 1 where x is positive, else alpha e^x. */
template <class T>
ATHANOR_ALWAYS_INLINE T elu_slope(T x, T alpha) {
  const T below = alpha * exp(x);
  return x > 0 ? T(1) : below;
}

}  // namespace m
}  // namespace ATHANOR_ISA
}  // namespace athanor
