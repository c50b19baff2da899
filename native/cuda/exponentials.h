// The sum of exp(x - maximum) of a line, in one pass: what was summed is scaled where the maximum grows.
#pragma once
#include "cuda/lines.h"
#include "math/folds.h"
#include "math/functions.h"

namespace athanor {
namespace cuda {

template <class T>
struct SumOfExponentials {
  T max = m::Limits<T>::low;
  double sum = 0;

  /** What exp is taken of is x less this: an infinite maximum is no zero of a scale. */
  static __device__ __forceinline__ T shift_of(T max) { return m::is_finite(max) ? max : T(0); }
  static __device__ __forceinline__ double scaled(double sum, T from, T to) {
    return sum == 0 ? 0 : sum * m::exp(static_cast<double>(shift_of(from)) - static_cast<double>(shift_of(to)));
  }

  template <int E>
  __device__ __forceinline__ void take(const T (&x)[E]) {
    T most = max;
#pragma unroll
    for (int e = 0; e < E; ++e) most = m::maximum(most, x[e]);
    if (most != max) sum = scaled(sum, max, most);
    max = most;
    const T shift = shift_of(most);
#pragma unroll
    for (int e = 0; e < E; ++e) sum += static_cast<double>(m::exp(x[e] - shift));
  }

  /** Makes it that of all threads of a line. Of an infinity or nan among the elements the sum is nan, as it is of
   * nothing but minus infinities. */
  template <class G>
  __device__ __forceinline__ void settle(const G& group) {
    const T most = static_cast<T>(group.all(static_cast<double>(max), Maximum{}));
    sum = group.all(scaled(sum, max, most), Add{}) + static_cast<double>(most - most);
    max = most;
  }
};

}  // namespace cuda
}  // namespace athanor
