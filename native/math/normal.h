// erf and the normal distribution function, and gelu.
//
// For u >= 0 the normal distribution's upper tail is Q(u) = exp(-u^2/2) M(t) with t = 1 / (1 + u/4) and M smooth: it
// keeps its relative accuracy until exp underflows, which 1 - erf does not.
#pragma once
#include "math/exp.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace m {

template <class T>
struct Tail {
  T density;  // exp(-u^2/2)
  T above;    // Q(u)
};

/** M / t in terms of w = t - 1/2, to 2^-26.7 of it. */
ATHANOR_ALWAYS_INLINE float tail_ratio(float w) {
  return poly(w, 0.188821283813098148, 0.30394828994233187, 0.38713691649890329, 0.373047312185341494,
              0.241613959337037388, 0.0601920426493816243, -0.0561634020696161343, -0.0501890930263024812,
              0.011178348717004312, 0.0171770039747200762);
}
/** The same to 2^-56.1, for t = 1 / (1 + u/5). */
ATHANOR_ALWAYS_INLINE double tail_ratio(double w) {
  return poly(w, 0.153838609950012591, 0.26615300115602264, 0.396244492775981598, 0.501653050674105174,
              0.52806517174515699, 0.442359287718092425, 0.266176855043101945, 0.0766304454578283851,
              -0.0408509133558043143, -0.0557976684412380634, -0.0121601456692043553, 0.0203829289977617542,
              0.0136651938236736017, -0.00652327527534508431, -0.00907363982510824108, 0.00221343345796680969,
              0.00567130585371498612, -0.00114327096548221826, -0.00342463443937861912, 0.00107068631555033057,
              0.00150615984914165621, -0.000844689764794568648);
}

template <class T>
struct TailRange;
template <>
struct TailRange<float> {
  static constexpr float end = 15, scale = 0.25f;  // Q underflows before the end
  static constexpr uint32_t high = 0xfffff000u;    // 12 bits, whose square is exact
};
template <>
struct TailRange<double> {
  static constexpr double end = 39, scale = 0.2;
  static constexpr uint64_t high = 0xfffffffff8000000u;
};

/** For u >= 0; nan counts as the range's end. */
template <class T>
ATHANOR_ALWAYS_INLINE Tail<T> normal_tail(T u) {
  using R = TailRange<T>;
  const typename Format<T>::Bits given = bits(u), end = bits(T(R::end));  // as whole numbers: one instruction
  u = from_bits<T>(given < end ? given : end);
  // u^2/2 in two parts: the rounding error of the square would be multiplied by u^2.
  const T high = from_bits<T>(bits(u) & R::high), low = u - high, half = static_cast<T>(-0.5);
  Tail<T> out;
  out.density = exp_down(half * high * high, half * low * (u + high));
  const T t = 1 / (1 + R::scale * u);
  out.above = out.density * (t * tail_ratio(t - static_cast<T>(0.5)));
  return out;
}

/** (erf(x) - x) / x in terms of z = x^2, for |x| <= 1. */
ATHANOR_ALWAYS_INLINE float erf_near(float z) {
  return poly(z, 0.12837916572672386, -0.376126258242428535, 0.112835851486519069, -0.0268538119330900581,
              0.00518832767440546758, -0.000801019346944113288, 0.0000785386067736311527);
}
ATHANOR_ALWAYS_INLINE double erf_near(double z) {
  return poly(z, 0.128379167095512574, -0.376126389031837482, 0.112837916709548845, -0.0268661706450778751,
              0.00522397762482843067, -0.000854832698142554209, 0.000120553311329558196, -0.0000149255957721809053,
              1.64610084778027013e-6, -1.63503962228646163e-7, 1.46603287227422595e-8, -1.13749557360701496e-9,
              5.96068533852097103e-11);
}

/** The error function. At most 2 ulp off. */
template <class T>
ATHANOR_ALWAYS_INLINE T erf(T x) {
  const T a = magnitude(x), near = x + x * erf_near(x * x);
  const T far = with_sign(1 - 2 * normal_tail(a * static_cast<T>(1.4142135623730951)).above, x);
  return a >= 1 ? far : near;  // near for nan
}

/** x P(normal < x) = x/2 (1 + erf(x / sqrt 2)), accurate relative to the result for negative x too. */
template <class T>
ATHANOR_ALWAYS_INLINE T gelu(T x) {
  const T above = normal_tail(magnitude(x)).above;
  return x * (x < 0 ? above : 1 - above);
}

/** gelu's derivative: P(normal < x) + x exp(-x^2/2) / sqrt(2 pi). */
template <class T>
ATHANOR_ALWAYS_INLINE T gelu_slope(T x) {
  const Tail<T> tail = normal_tail(magnitude(x));
  return (x < 0 ? tail.above : 1 - tail.above) + x * tail.density * static_cast<T>(0.39894228040143268);
}

/** gelu by the tanh formula of Hendrycks and Gimpel: x/2 (1 + tanh(v)) = x sigmoid(2 v), v = sqrt(2/pi) (x + c x^3). */
template <class T>
ATHANOR_ALWAYS_INLINE T gelu_tanh(T x) {
  const T twice = static_cast<T>(1.5957691216057308) * x * (1 + static_cast<T>(0.044715) * x * x);
  return x * sigmoid(twice);
}
/** Its derivative, s + x s (1 - s) 2 v', which is s wherever s is so close to 0 or 1 that x^2 might overflow. */
template <class T>
ATHANOR_ALWAYS_INLINE T gelu_tanh_slope(T x) {
  const T c = static_cast<T>(1.5957691216057308), square = static_cast<T>(0.044715) * x * x;
  const T s = sigmoid(c * x * (1 + square)), bend = x * s * (1 - s);
  return bend == 0 ? s : s + bend * c * (1 + 3 * square);
}

}  // namespace m
}  // namespace ATHANOR_ISA
}  // namespace athanor
