// The cells of the recurrent layers, one unit at a time: what a step makes of the products of its gates, and what it
// sends back. Host and device share them.
#pragma once
#include "math/exp.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace m {

/** h = activation(v). */
template <bool Relu, class T>
ATHANOR_ALWAYS_INLINE T plain_cell(T v) {
  return Relu ? (v < 0 ? T(0) : v) : tanh(v);
}
/** The gradient of v, from that of h. */
template <bool Relu, class T>
ATHANOR_ALWAYS_INLINE T plain_cell_back(T dh, T h) {
  return Relu ? (h > 0 ? dh : T(0)) : dh * tanh_slope(h);
}

/** i, f, o = sigmoid and g = tanh of what the gates add up to; c = f c' + i g; h = o tanh(c). */
template <class T>
struct LstmUnit {
  T i, f, g, o, c, h;
};
template <class T>
ATHANOR_ALWAYS_INLINE LstmUnit<T> lstm_cell(T i, T f, T g, T o, T before) {
  LstmUnit<T> y;
  y.i = sigmoid(i), y.f = sigmoid(f), y.g = tanh(g), y.o = sigmoid(o);
  y.c = y.f * before + y.i * y.g;
  y.h = y.o * tanh(y.c);
  return y;
}

/** The gradients of what the gates add up to, and of c'. */
template <class T>
struct LstmSlopes {
  T i, f, g, o, before;
};
/** dh and dc: the gradients of h and c (of c but through h); gates: those of the gates themselves. */
template <class T>
ATHANOR_ALWAYS_INLINE LstmSlopes<T> lstm_cell_back(const LstmUnit<T>& y, T before, T dh, T dc,
                                                   const LstmUnit<T>& gates) {
  const T t = tanh(y.c), all = dc + dh * y.o * tanh_slope(t);
  return {(all * y.g + gates.i) * y.i * (1 - y.i), (all * before + gates.f) * y.f * (1 - y.f),
          (all * y.i + gates.g) * tanh_slope(y.g), (dh * t + gates.o) * y.o * (1 - y.o), all * y.f};
}

/** r, z = sigmoid of what the gates add up to; q = W h' + b and n = tanh(x + r q) of the third; h = (1 - z) n + z h'.
 */
template <class T>
struct GruUnit {
  T r, z, n, q, h;
};
template <class T>
ATHANOR_ALWAYS_INLINE GruUnit<T> gru_cell(T r, T z, T x, T q, T before) {
  GruUnit<T> y;
  y.r = sigmoid(r), y.z = sigmoid(z), y.q = q;
  y.n = tanh(x + y.r * q);
  y.h = y.n + y.z * (before - y.n);
  return y;
}

/** The gradients of what the gates add up to (of the third: x + r q), of q, and of h' past the product. */
template <class T>
struct GruSlopes {
  T r, z, n, q, before;
};
template <class T>
ATHANOR_ALWAYS_INLINE GruSlopes<T> gru_cell_back(const GruUnit<T>& y, T before, T dh, const GruUnit<T>& gates) {
  const T n = (dh * (1 - y.z) + gates.n) * tanh_slope(y.n);
  return {(n * y.q + gates.r) * y.r * (1 - y.r), (dh * (before - y.n) + gates.z) * y.z * (1 - y.z), n,
          n * y.r + gates.q, dh * y.z};
}

}  // namespace m
}  // namespace ATHANOR_ISA
}  // namespace athanor
