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

/** x = k ln 2 + r. `k` is exact as a number and as `biased`, its bits offset by 2 * bias + 2 so that they never borrow.
 */
template <class T>
struct Reduced {
  T k, r;
  typename Format<T>::Bits biased;
};
template <class T>
ATHANOR_ALWAYS_INLINE Reduced<T> reduce(T x) {
  using F = Format<T>;
  Reduced<T> out;
  const T rounded = x * static_cast<T>(1.4426950408889634) + F::rounder;
  out.k = rounded - F::rounder;
  out.biased = bits(rounded) - bits(F::rounder) + (2 * F::bias + 2);
  out.r = (x - out.k * F::ln2_high) - out.k * F::ln2_low;
  return out;
}

/** p * 2^k, rounded once where the result is denormal: two factors, since 2^k alone may be out of range. */
template <class T>
ATHANOR_ALWAYS_INLINE T scale(T p, typename Format<T>::Bits biased) {
  using F = Format<T>;
  const typename F::Bits half = biased >> 1, other = biased - half;
  // half - (bias + 1) is an exponent; plus bias it is the exponent's field
  return p * from_bits<T>((half - 1) << F::mantissa) * from_bits<T>((other - 1) << F::mantissa);
}

/** Beyond these, exp is 0 or infinite. */
ATHANOR_ALWAYS_INLINE float exp_range(float x) { return within(x, -104.0f, 89.0f); }
ATHANOR_ALWAYS_INLINE double exp_range(double x) { return within(x, -746.0, 710.0); }

/** exp(x + low) for a `low` that is small beside 1, as when x holds a product whose rounding error `low` is. */
template <class T>
ATHANOR_ALWAYS_INLINE T exp_sum(T x, T low) {
  Reduced<T> to = reduce(exp_range(x));
  to.r += low;
  return scale(1 + (to.r + to.r * to.r * exp_tail(to.r)), to.biased);
}

/** e^x. At most 1.04 ulp off, denormal results included. */
template <class T>
ATHANOR_ALWAYS_INLINE T exp(T x) {
  const Reduced<T> to = reduce(exp_range(x));
  return scale(1 + (to.r + to.r * to.r * exp_tail(to.r)), to.biased);
}

/** Beyond these, exp2 is 0 or infinite. */
ATHANOR_ALWAYS_INLINE float exp2_range(float x) { return within(x, -151.0f, 129.0f); }
ATHANOR_ALWAYS_INLINE double exp2_range(double x) { return within(x, -1076.0, 1025.0); }

/** 2^x, exact for whole x. At most 1.05 ulp off, denormal results included. */
template <class T>
ATHANOR_ALWAYS_INLINE T exp2(T x) {
  using F = Format<T>;
  const T held = exp2_range(x), rounded = held + F::rounder;
  const T r = (held - (rounded - F::rounder)) * static_cast<T>(0.6931471805599453);
  return scale(1 + (r + r * r * exp_tail(r)), bits(rounded) - bits(F::rounder) + (2 * F::bias + 2));
}

/** e^x - 1 without cancellation. At most 1.7 ulp off (double: 2). */
template <class T>
ATHANOR_ALWAYS_INLINE T expm1(T x) {
  using F = Format<T>;
  const Reduced<T> to = reduce(exp_range(x));
  const T p = to.r + to.r * to.r * exp_tail(to.r);
  // Half of 2^k: 2^k itself overflows one step before the result does. Far below -1 any small factor will do.
  const typename F::Bits field = to.biased - (F::bias + 3);
  const typename F::Bits least = F::bias - (F::mantissa + 10);
  const T half = from_bits<T>((to.k < -(F::mantissa + 9) ? least : field) << F::mantissa);
  const T out = 2 * (half * p + (half - static_cast<T>(0.5)));
  return magnitude(x) < F::tiny ? x : out;
}

/** 1 / (1 + e^-x), accurate relative to the result at both ends. At most 2.5 ulp off. */
template <class T>
ATHANOR_ALWAYS_INLINE T sigmoid(T x) {
  const T e = exp(-magnitude(x));
  return (x < 0 ? e : T(1)) / (1 + e);
}

/**
 * Hyperbolic tangent. With t = expm1(-2|x|) it is -t / (2 + t), and where that nears 1, 1 - 2 (1 + t) / (2 + t), whose
 * rounding errors count for less. At most 2.4 ulp off.
 */
template <class T>
ATHANOR_ALWAYS_INLINE T tanh(T x) {
  const T a = magnitude(x), t = expm1(-2 * a);
  const bool upper = a > static_cast<T>(0.55);
  const T quotient = (upper ? 2 * (1 + t) : -t) / (2 + t);
  return with_sign(upper ? 1 - quotient : quotient, x);
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
