// Losses of one number beside its target, and their slopes. Host and device share them.
#pragma once
#include "math/functions.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace m {

struct Squared {
  template <class T>
  ATHANOR_ALWAYS_INLINE T value(T x, T y) {
    return (x - y) * (x - y);
  }
  template <class T>
  ATHANOR_ALWAYS_INLINE T slope(T x, T y) {
    return 2 * (x - y);
  }
};

struct Absolute {
  template <class T>
  ATHANOR_ALWAYS_INLINE T value(T x, T y) {
    return abs(x - y);
  }
  template <class T>
  ATHANOR_ALWAYS_INLINE T slope(T x, T y) {
    return sign(x - y);
  }
};

/** Of p = sigmoid(x): -y log p - (1 - y) log(1 - p) = max(x, 0) - x y + softplus(-|x|), which does not overflow. */
struct BinaryEntropy {
  template <class T>
  ATHANOR_ALWAYS_INLINE T value(T x, T y) {
    return (x < 0 ? T(0) : x) - x * y + softplus(-abs(x), T(1));
  }
  template <class T>
  ATHANOR_ALWAYS_INLINE T slope(T x, T y) {
    return sigmoid(x) - y;
  }
};

}  // namespace m
}  // namespace ATHANOR_ISA
}  // namespace athanor
