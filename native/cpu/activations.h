// Activation functions on a stretch of a result that was just made and still lies in a near cache.
#pragma once
#include "cpu/parallel.h"
#include "math/functions.h"

namespace athanor {
namespace ATHANOR_ISA {

/** y[i] = f(y[i]) for i < n. */
template <class T>
using Finish = void (*)(T* y, int64_t n);

template <class T>
void finish_relu(T* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = y[i] < 0 ? T(0) : y[i];
}
template <class T>
void finish_sigmoid(T* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = m::sigmoid(y[i]);
}
template <class T>
void finish_tanh(T* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = m::tanh(y[i]);
}

/** The function of a number from 1 up, in the order of `activations` in lib/ops/linear.ts; null for 0. */
template <class T>
ATHANOR_ALWAYS_INLINE Finish<T> finish_function(int number) {
  static constexpr Finish<T> functions[] = {nullptr, finish_relu<T>, finish_sigmoid<T>, finish_tanh<T>};
  return functions[number];
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
