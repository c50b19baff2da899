// log and log1p, and softplus.
//
// x = 2^k m with sqrt(1/2) <= m < sqrt(2); log(x) = k ln 2 + log(1 + f), f = m - 1, and log(1 + f) = f - f^2/2 + tail.
#pragma once
#include "math/exp.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace m {

/** log(1 + f) - f + f^2/2, to 2^-30 (float) and 2^-58 (double) of log(1 + f). `half_square` is f^2/2. */
ATHANOR_ALWAYS_INLINE float log_tail(float f, float) {
  return f * f * f *
         poly(f, 0.33333312604185465, -0.25000009598351558, 0.200021186557334799, -0.166679959215339008,
              0.142195524241832922, -0.124055876644999836, 0.11888160731504434, -0.11675659011580879,
              0.0674665251447763214);
}
ATHANOR_ALWAYS_INLINE double log_tail(double f, double half_square) {
  // With s = f / (2 + f): log(1 + f) = 2 atanh(s), and f - 2 s = s f, which turns the series' first term into f -
  // f^2/2.
  const double s = f / (2 + f), z = s * s;
  const double rest = z * poly(z, 0.666666666666671448, 0.399999999994801038, 0.285714287387157832,
                               0.222221981106761966, 0.181836218289339201, 0.153119114371495576, 0.148226390226414768);
  return s * (half_square + rest);
}

/** x = 2^k m with m in [sqrt(1/2), sqrt(2)), for positive normal x. */
template <class T>
struct Split {
  T k, m;
};
template <class T>
ATHANOR_ALWAYS_INLINE Split<T> split(T x) {
  using F = Format<T>;
  const typename F::Bits b = bits(x) - F::root_half + (static_cast<typename F::Bits>(F::bias) << F::mantissa);
  Split<T> out;
  // The biased exponent as the fraction of a float that is 2^mantissa: there is no vector conversion from 64-bit
  // integers
  out.k = from_bits<T>(bits(F::whole) | (b >> F::mantissa)) - (F::whole + F::bias);
  out.m = from_bits<T>((b & F::fraction) + F::root_half);
  return out;
}

/** k ln 2 + log(m) + low, for an m from split(). */
template <class T>
ATHANOR_ALWAYS_INLINE T log_of(T k, T m, T low) {
  using F = Format<T>;
  const T f = m - 1, half_square = static_cast<T>(0.5) * f * f;
  const T tail = log_tail(f, half_square) + (k * F::ln2_low + low);
  return k * F::ln2_high + (f - (half_square - tail));
}

/** `value` where x is positive and finite, log's limits elsewhere. */
template <class T>
ATHANOR_ALWAYS_INLINE T log_limits(T x, T value) {
  const T outside = x == 0 ? -infinity<T>() : not_a_number<T>();
  const T upper = x < infinity<T>() ? value : x;
  return x > 0 ? upper : outside;
}

/** split(), also of denormal x. */
template <class T>
ATHANOR_ALWAYS_INLINE Split<T> split_any(T x) {
  using F = Format<T>;
  const bool denormal = x < F::smallest;
  const T scaled = x * F::whole;
  Split<T> s = split(denormal ? scaled : x);
  s.k -= denormal ? static_cast<T>(F::mantissa) : T(0);
  return s;
}

/** Natural logarithm. At most 1 ulp off, denormal arguments included. */
template <class T>
ATHANOR_ALWAYS_INLINE T log(T x) {
  const Split<T> s = split_any(x);
  return log_limits(x, log_of(s.k, s.m, T(0)));
}

/** log2 of a positive normal number, to 2^-43 of it. */
ATHANOR_ALWAYS_INLINE double log2_wide(double x) {
  const Split<double> part = split(x);
  const double s = (part.m - 1) / (part.m + 1), z = s * s;
  return part.k + s * poly(z, 2.88539008177784958, 0.961796694114053441, 0.577077942169548361, 0.412209271175611227,
                           0.319904958017869022, 0.28291032815849612);
}

/** Logarithms of base 2 and 10, exact for powers of the base. float: in double arithmetic, at most 0.51 ulp off. */
ATHANOR_ALWAYS_INLINE float log2(float x) { return log_limits(x, static_cast<float>(log2_wide(x))); }
ATHANOR_ALWAYS_INLINE float log10(float x) {
  return log_limits(x, static_cast<float>(log2_wide(x) * 0.30102999566398120));
}
/** At most 1.5 ulp off. */
ATHANOR_ALWAYS_INLINE double log2(double x) {
  const Split<double> s = split_any(x);
  return log_limits(x, s.k + log_of(0.0, s.m, 0.0) * 1.4426950408889634);
}
/** At most 2 ulp off. log10(2) is in two parts; the first has so few bits that its product with any exponent is exact.
 */
ATHANOR_ALWAYS_INLINE double log10(double x) {
  const Split<double> s = split_any(x);
  const double rest = s.k * 3.69423907715893078616e-13 + log_of(0.0, s.m, 0.0) * 0.43429448190325182;
  return log_limits(x, s.k * 3.01029995663611771306e-01 + rest);
}

/** log(1 + x) without losing a small x. At most 1.2 ulp off. */
template <class T>
ATHANOR_ALWAYS_INLINE T log1p(T x) {
  using F = Format<T>;
  const T u = 1 + x;
  const T from_x = x - (u - 1), from_one = 1 - (u - x);
  const Split<T> s = split(u);
  const T out = log_limits(u, log_of(s.k, s.m, (x < 1 ? from_x : from_one) / u));
  return magnitude(x) < F::tiny ? x : out;
}

/** (log(1 + e) - t) / (t z) with t = 2 s, z = s^2, s = e / (2 + e): log(1 + e) = 2 atanh(s). For 0 <= e <= 1. */
ATHANOR_ALWAYS_INLINE float log1p_unit_tail(float z) {
  return poly(z, 0.333332065864170408, 0.20010848805691898, 0.139995768467318252, 0.140122175161930399);
}
ATHANOR_ALWAYS_INLINE double log1p_unit_tail(double z) {
  return poly(z, 0.333333333333331519, 0.200000000000786209, 0.142857142739271663, 0.111111119848458445,
              0.090908719632707666, 0.0769327994303517983, 0.066504870443885822, 0.0605304111155269839,
              0.0417005957316214865, 0.0850927141498112654);
}

/** log(1 + e^(beta x)) / beta = max(x, 0) + log(1 + e^-|beta x|) / beta, for beta > 0. At most 2.1 ulp off for beta 1.
 */
template <class T>
ATHANOR_ALWAYS_INLINE T softplus(T x, T beta) {
  // t = e - s e, so that s, the least exact of them, counts for a third at most.
  const T e = exp_down(-magnitude(beta * x)), s = e / (2 + e), z = s * s, share = 1 / beta;
  return (x < 0 ? T(0) : x) + share * (e - s * (e - 2 * (z * log1p_unit_tail(z))));
}

}  // namespace m
}  // namespace ATHANOR_ISA
}  // namespace athanor
