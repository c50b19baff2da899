// erf and the normal distribution function, and gelu.
//
// For u >= 0 the normal distribution's upper tail is Q(u) = exp(-u^2/2) M(t) with t = 1 / (1 + u/4) and M smooth: it
// keeps its relative accuracy until exp underflows, which 1 - erf does not.
#pragma once
#include "math/exp.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace m {

struct Tail {
  float density;  // exp(-u^2/2)
  float above;    // Q(u)
};

/** For u >= 0. M is right to 2^-25.7. */
ATHANOR_ALWAYS_INLINE Tail normal_tail(float u) {
  u = u > 15 ? 15.0f : u;  // Q underflows before
  // u^2/2 in two parts: the rounding error of the square would be multiplied by u^2. 12 bits squared are exact.
  const float high = from_bits<float>(bits(u) & 0xfffff000u), low = u - high;
  Tail out;
  out.density = exp_sum(-0.5f * high * high, -0.5f * low * (u + high));
  const float t = 1 / (1 + 0.25f * u);
  out.above =
      out.density * poly(t, -0.0000182779396830463172, 0.100164537949806657, 0.0953572086505168598,
                         0.119046873747882009, -0.0130262540325626151, 0.290628351178572592, -0.316599571418423964,
                         0.38218342491637704, -0.190651445865905396, 0.0329151435251917287);
  return out;
}

/** The error function. At most 1.5 ulp off (float). */
ATHANOR_ALWAYS_INLINE float erf(float x) {
  const float a = magnitude(x), z = x * x;
  const float near =
      x + x * poly(z, 0.12837916572672386, -0.376126258242428535, 0.112835851486519069, -0.0268538119330900581,
                   0.00518832767440546758, -0.000801019346944113288, 0.0000785386067736311527);
  const float far = with_sign(1 - 2 * normal_tail(a * 1.41421356f).above, x);
  return a < 1 ? near : far;
}
ATHANOR_ALWAYS_INLINE double erf(double x) { return ::erf(x); }

/** x P(normal < x) = x/2 (1 + erf(x / sqrt 2)), accurate relative to the result for negative x too. */
ATHANOR_ALWAYS_INLINE float gelu(float x) {
  const float above = normal_tail(magnitude(x)).above;
  return x * (x < 0 ? above : 1 - above);
}
ATHANOR_ALWAYS_INLINE double gelu(double x) { return 0.5 * x * ::erfc(-0.70710678118654752 * x); }

/** gelu's derivative: P(normal < x) + x exp(-x^2/2) / sqrt(2 pi). */
ATHANOR_ALWAYS_INLINE float gelu_slope(float x) {
  const Tail tail = normal_tail(magnitude(x));
  return (x < 0 ? tail.above : 1 - tail.above) + x * tail.density * 0.398942280f;
}
ATHANOR_ALWAYS_INLINE double gelu_slope(double x) {
  return 0.5 * ::erfc(-0.70710678118654752 * x) + x * exp(-0.5 * x * x) * 0.39894228040143268;
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
