// bfloat16: the upper half of a float32, so 8 bits of precision and float32's range. Such numbers are stored, converted
// and multiplied; arithmetic on single ones does not exist. Host and device share it.
#pragma once
#include "math/bits.h"

namespace athanor {
namespace ATHANOR_ISA {

struct BFloat16 {
  uint16_t bits;
};

/** Exact. */
ATHANOR_ALWAYS_INLINE float to_float(BFloat16 x) { return m::from_bits<float>(static_cast<uint32_t>(x.bits) << 16); }

/** The nearest, of two the even one. A NaN stays one: it is made quiet, since cutting it off could leave an infinity.
 */
ATHANOR_ALWAYS_INLINE BFloat16 to_bfloat16(float x) {
  const uint32_t bits = m::bits(x);
  const uint32_t rounded = bits + 0x7fff + (bits >> 16 & 1), quiet = bits | 0x400000;
  return {static_cast<uint16_t>(((bits & 0x7fffffff) > 0x7f800000 ? quiet : rounded) >> 16)};
}

/** The same from float64, rounded once: where float32 is not exact its last bit is set, so that no tie is made. */
ATHANOR_ALWAYS_INLINE BFloat16 to_bfloat16(double x) {
  const float near = static_cast<float>(x);
  const uint32_t bits = m::bits(near);
  const double back = near, size = x < 0 ? -x : x, back_size = back < 0 ? -back : back;
  // Towards zero, then odd. Infinities and NaN compare as not smaller, and stay.
  const uint32_t toward = bits - static_cast<uint32_t>(back_size > size);
  return to_bfloat16(m::from_bits<float>(back != x && x == x ? toward | 1 : bits));
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
