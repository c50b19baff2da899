// From one element type to another. Host and device share it.
#pragma once
#include "math/bfloat16.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace m {

// To an integer: truncated, saturated at both ends, NaN becomes 0. From a float a plain C++ cast would be undefined
// there.
template <class To, class From>
struct Cast {
  ATHANOR_ALWAYS_INLINE To of(From x) { return static_cast<To>(x); }
};
template <class From>
struct Cast<bool, From> {
  ATHANOR_ALWAYS_INLINE bool of(From x) { return x != From(0); }
};
template <class To, class From>
ATHANOR_ALWAYS_INLINE To saturate(From x, From low, From high) {
  const From clamped = x < low ? low : (x > high ? high : x);
  return x == x ? static_cast<To>(clamped) : To(0);
}
template <>
struct Cast<int32_t, float> {  // the largest float below 2^31
  ATHANOR_ALWAYS_INLINE int32_t of(float x) {
    return x >= 2147483648.0f ? INT32_MAX : saturate<int32_t>(x, -2147483648.0f, 2147483520.0f);
  }
};
template <>
struct Cast<int32_t, double> {
  ATHANOR_ALWAYS_INLINE int32_t of(double x) { return saturate<int32_t>(x, -2147483648.0, 2147483647.0); }
};
template <>
struct Cast<uint8_t, float> {
  ATHANOR_ALWAYS_INLINE uint8_t of(float x) { return saturate<uint8_t>(x, 0.0f, 255.0f); }
};
template <>
struct Cast<uint8_t, double> {
  ATHANOR_ALWAYS_INLINE uint8_t of(double x) { return saturate<uint8_t>(x, 0.0, 255.0); }
};
template <>
struct Cast<uint8_t, int32_t> {
  ATHANOR_ALWAYS_INLINE uint8_t of(int32_t x) { return saturate<uint8_t>(x, 0, 255); }
};
template <class From>
struct Cast<BFloat16, From> {  // a float is exact for what is not a double or an int32
  ATHANOR_ALWAYS_INLINE BFloat16 of(From x) {
    if constexpr (sizeof(From) == 8 || (From(0.5) == From(0) && sizeof(From) == 4))
      return to_bfloat16(static_cast<double>(x));
    else
      return to_bfloat16(static_cast<float>(x));
  }
};
template <class To>
struct Cast<To, BFloat16> {
  ATHANOR_ALWAYS_INLINE To of(BFloat16 x) { return Cast<To, float>::of(to_float(x)); }
};
template <>
struct Cast<bool, BFloat16> {
  ATHANOR_ALWAYS_INLINE bool of(BFloat16 x) { return to_float(x) != 0; }
};
template <>
struct Cast<BFloat16, BFloat16> {
  ATHANOR_ALWAYS_INLINE BFloat16 of(BFloat16 x) { return x; }
};

}  // namespace m
}  // namespace ATHANOR_ISA
}  // namespace athanor
