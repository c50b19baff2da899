// What the REDUCE lines of ops.def are written with, beside arithmetic.h. Host and device share it.
#pragma once
#include <math.h>
#include <stdint.h>

#include "core/dtype.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace m {

/** What sums and products of T are kept in: float32 ones in float64, so that neither length nor order costs digits and
 *  nothing overflows halfway; integer ones wrap around at 32 bits, and unsigned types do so by definition. */
template <class T>
struct SumOf {
  using type = uint32_t;
};
template <>
struct SumOf<float> {
  using type = double;
};
template <>
struct SumOf<double> {
  using type = double;
};
template <class T>
using Sum = typename SumOf<T>::type;

/** What every element is at least, and at most. */
template <class T>
struct Limits;
template <>
struct Limits<float> {
  static constexpr float low = -HUGE_VALF, high = HUGE_VALF;
};
template <>
struct Limits<double> {
  static constexpr double low = -HUGE_VAL, high = HUGE_VAL;
};
template <>
struct Limits<int32_t> {
  static constexpr int32_t low = INT32_MIN, high = INT32_MAX;
};
template <>
struct Limits<uint8_t> {
  static constexpr uint8_t low = 0, high = UINT8_MAX;
};

}  // namespace m
}  // namespace ATHANOR_ISA
}  // namespace athanor
