// sin, cos and tan, of radians and of turns, and the angle of a point.
//
// float: x = k pi/2 + r in double arithmetic, |r| <= pi/4, where the result is to float accuracy two short polynomials.
// pi/2 is held in two doubles; the first has 33 bits, so its product with k is exact while |k| < 2^20: larger arguments
// are left to libm, which reduces any number. double: libm.
#pragma once
#include "math/bits.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace m {

/** Whether sin(x) and cos(x) below can take x; nan and infinities count as large. */
ATHANOR_ALWAYS_INLINE bool moderate_angle(float x) { return magnitude(x) < 1.6e6f; }
ATHANOR_ALWAYS_INLINE bool moderate_angle(double) { return true; }

/** Sine and cosine of x - k pi/2 for the nearest k, whose lowest bits are those of `quadrant`. */
struct Quarter {
  double sin, cos;
  uint64_t quadrant;
};
ATHANOR_ALWAYS_INLINE Quarter quarter_of(float x) {
  using F = Format<double>;
  const double rounded = x * 0.63661977236758134 + F::rounder, k = rounded - F::rounder;
  const double r = (x - k * 1.5707963267341256) - k * 6.077100506506192e-11, z = r * r;
  const double s = r * (1 + z * poly(z, -0.166666666430842176, 0.00833332921388773214, -0.000198392301540207143,
                                     2.71709465266250816e-6));
  const double c =
      1 - 0.5 * z +
      z * z *
          poly(z, 0.0416666666469866481, -0.00138888854513115548, 0.0000247998854589701958, -2.72350403947143932e-7);
  return {s, c, bits(rounded)};
}

/** sin(x + quarters * pi/2) */
ATHANOR_ALWAYS_INLINE float sin_shifted(float x, uint64_t quarters) {
  const Quarter q = quarter_of(x);
  const uint64_t quadrant = q.quadrant + quarters;
  const double value = (quadrant & 1) != 0 ? q.cos : q.sin;
  return static_cast<float>(from_bits<double>(bits(value) ^ (quadrant & 2) << 62));
}

/** At most 0.51 ulp off for moderate angles. Keeps the sign of zero. */
ATHANOR_ALWAYS_INLINE float sin(float x) { return sin_shifted(x, 0); }
ATHANOR_ALWAYS_INLINE float cos(float x) { return sin_shifted(x, 1); }
ATHANOR_ALWAYS_INLINE float tan(float x) {
  const Quarter q = quarter_of(x);
  const bool odd = (q.quadrant & 1) != 0;
  return static_cast<float>((odd ? -q.cos : q.sin) / (odd ? q.sin : q.cos));
}
ATHANOR_ALWAYS_INLINE double sin(double x) { return ::sin(x); }
ATHANOR_ALWAYS_INLINE double cos(double x) { return ::cos(x); }
ATHANOR_ALWAYS_INLINE double tan(double x) { return ::tan(x); }

/** For any angle. Not for vector loops. */
template <class T>
ATHANOR_ALWAYS_INLINE T sin_any(T x) {
  return static_cast<T>(::sin(static_cast<double>(x)));
}
template <class T>
ATHANOR_ALWAYS_INLINE T cos_any(T x) {
  return static_cast<T>(::cos(static_cast<double>(x)));
}

template <class T>
ATHANOR_ALWAYS_INLINE T tan_any(T x) {
  return static_cast<T>(::tan(static_cast<double>(x)));
}

/**
 * The angle of the point (x, y), in double arithmetic, with C's results for zeros and infinities. Of the smaller
 * coordinate by the larger one, t <= 1; above tan(pi/8) from atan(t) = pi/4 + atan((t - 1) / (t + 1)). At most 0.51 ulp
 * off.
 */
ATHANOR_ALWAYS_INLINE float atan2(float y, float x) {
  const double a = magnitude(static_cast<double>(x)), b = magnitude(static_cast<double>(y));
  const bool steep = b > a;
  const double small = steep ? a : b, large = steep ? b : a;
  const bool equal = (small == large) & (large > 0);  // infinities too, whose quotient is nan
  const bool upper = equal | (small > 0.41421356237309503 * large);
  const double diagonal = equal ? 0.0 : (small - large) / (small + large);
  const double t = upper ? diagonal : (small == 0 ? 0.0 : small / large), z = t * t;
  const double near = t + t * z *
                              poly(z, -0.333333325137247804, 0.199999051105773796, -0.142820398608474868,
                                   0.110450652158739784, -0.0847824166370084819, 0.0474792104413579674);
  const double angle = upper ? 0.78539816339744831 + near : near;
  const double first = steep ? 1.5707963267948966 - angle : angle;
  const double half = (bits(x) & Format<float>::sign) != 0 ? 3.1415926535897931 - first : first;
  const float out = with_sign(static_cast<float>(half), y);
  return ((x != x) | (y != y)) ? x + y : out;
}
ATHANOR_ALWAYS_INLINE double atan2(double y, double x) { return ::atan2(y, x); }

template <class T>
struct SinCos {
  T sin, cos;
};

/** The sine and cosine of 2 pi f for |f| <= 1/8. float: to 2^-28, double: to 2^-58. */
ATHANOR_ALWAYS_INLINE SinCos<float> sin_cos_eighth(float f) {
  const float z = f * f;
  return {f * poly(z, 6.28318528683343345, -41.3416614549101205, 81.5923535480037512, -75.393562440307056),
          1 + z * poly(z, -19.7392087000357972, 64.9393235640914776, -85.4430394364148851, 59.2136990400033442)};
}
ATHANOR_ALWAYS_INLINE SinCos<double> sin_cos_eighth(double f) {
  const double z = f * f;
  return {f * poly(z, 6.28318530717958646, -41.3417022403996363, 81.6052492759481124, -76.7058597042956162,
                   42.0586850227608372, -15.0938043578881953, 3.78087211440672596),
          1 + z * poly(z, -19.7392088021787171, 64.9393940226680134, -85.4568172065400525, 60.2446413316118671,
                       -26.4262511404484078, 7.90310163869276451, -1.69702008692798487)};
}

/** The sine and cosine of 2 pi t for 0 <= t <= 1: t loses nothing on its way to the nearest quarter. */
template <class T>
ATHANOR_ALWAYS_INLINE SinCos<T> sin_cos_turn(T t) {
  using F = Format<T>;
  const T rounded = 4 * t + F::rounder;
  const SinCos<T> near = sin_cos_eighth(t - (rounded - F::rounder) / 4);
  const typename F::Bits quadrant = bits(rounded), negative = (quadrant & 2) << (sizeof(T) * 8 - 2);
  const bool odd = (quadrant & 1) != 0;
  return {from_bits<T>(bits(odd ? near.cos : near.sin) ^ negative),
          from_bits<T>(bits(odd ? -near.sin : near.cos) ^ negative)};
}

}  // namespace m
}  // namespace ATHANOR_ISA
}  // namespace athanor
