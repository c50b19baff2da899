// The pieces that the functions of this folder are made of: bit patterns of floats, powers of two, polynomials.
//
// Rules of the folder: no branch and no call in what a loop over many elements uses, so that the compiler turns the
// loop into vector code at every instruction set; a choice is a ternary whose two sides are cheap. Products and sums
// may be contracted to FMAs or not (baseline has none), so no step relies on either. Coefficients come from
// scripts/minimax.py, which states the error of each polynomial.
#pragma once
#include <math.h>
#include <string.h>

#include "core/dtype.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace m {

/** A floating-point format. */
template <class T>
struct Format;
template <>
struct Format<float> {
  using Bits = uint32_t;
  static constexpr int mantissa = 23, bias = 127;
  static constexpr Bits sign = 0x80000000u, fraction = 0x007fffffu, root_half = 0x3f3504f3u;  // sqrt(1/2), rounded down
  static constexpr float whole = 8388608.0f;     // 2^23: from here on every float is a whole number
  static constexpr float rounder = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number, kept in the low bits
  static constexpr float smallest = 1.17549435e-38f;  // the smallest normal number
  static constexpr float tiny = 2.9802322e-8f;        // 2^-25: x is its own sine, expm1, log1p from here down
  // ln 2 in two parts; the first has so few bits that its product with any exponent is exact
  static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
};
template <>
struct Format<double> {
  using Bits = uint64_t;
  static constexpr int mantissa = 52, bias = 1023;
  static constexpr Bits sign = 0x8000000000000000u, fraction = 0x000fffffffffffffu, root_half = 0x3fe6a09e667f3bccu;
  static constexpr double whole = 4503599627370496.0, rounder = 6755399441055744.0;
  static constexpr double smallest = 2.2250738585072014e-308, tiny = 5.5511151231257827e-17;
  static constexpr double ln2_high = 0.69314718036912382, ln2_low = 1.9082149292705877e-10;
};

template <class To, class From>
ATHANOR_ALWAYS_INLINE To as_bits(From x) {
  static_assert(sizeof(To) == sizeof(From), "a bit pattern keeps its size");
  To out;
  memcpy(&out, &x, sizeof out);
  return out;
}
template <class T>
ATHANOR_ALWAYS_INLINE typename Format<T>::Bits bits(T x) {
  return as_bits<typename Format<T>::Bits>(x);
}
template <class T>
ATHANOR_ALWAYS_INLINE T from_bits(typename Format<T>::Bits b) {
  return as_bits<T>(b);
}

template <class T>
ATHANOR_ALWAYS_INLINE T magnitude(T x) {
  return from_bits<T>(bits(x) & ~Format<T>::sign);
}
/** The magnitude of `x` with the sign of `sign`. */
template <class T>
ATHANOR_ALWAYS_INLINE T with_sign(T x, T sign) {
  return from_bits<T>((bits(x) & ~Format<T>::sign) | (bits(sign) & Format<T>::sign));
}

/**
 * c0 + c1 x + c2 x^2 + ..., four terms at a time: with one term after the other, the next element's work would have to
 * begin before this one's is done further ahead than a processor looks.
 */
template <class T>
ATHANOR_ALWAYS_INLINE T poly(T, double c0) {
  return static_cast<T>(c0);
}
template <class T>
ATHANOR_ALWAYS_INLINE T poly(T x, double c0, double c1) {
  return static_cast<T>(c0) + x * static_cast<T>(c1);
}
template <class T>
ATHANOR_ALWAYS_INLINE T poly(T x, double c0, double c1, double c2) {
  return poly(x, c0, c1) + x * x * static_cast<T>(c2);
}
template <class T>
ATHANOR_ALWAYS_INLINE T poly(T x, double c0, double c1, double c2, double c3) {
  return poly(x, c0, c1) + x * x * poly(x, c2, c3);
}
template <class T, class... Rest>
ATHANOR_ALWAYS_INLINE T poly(T x, double c0, double c1, double c2, double c3, Rest... rest) {
  const T square = x * x;
  return poly(x, c0, c1, c2, c3) + square * square * poly(x, rest...);
}

/** `x` held within [low, high]; nan stays. */
template <class T>
ATHANOR_ALWAYS_INLINE T within(T x, T low, T high) {
  const T raised = x < low ? low : x;
  return raised > high ? high : raised;
}

template <class T>
ATHANOR_ALWAYS_INLINE T infinity() {
  return static_cast<T>(__builtin_inf());
}
template <class T>
ATHANOR_ALWAYS_INLINE T not_a_number() {
  return static_cast<T>(__builtin_nan(""));
}

}  // namespace m
}  // namespace ATHANOR_ISA
}  // namespace athanor
