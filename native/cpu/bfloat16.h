// bfloat16: the upper half of a float32, so 8 bits of precision and float32's range. Such numbers are stored, converted
// and multiplied; arithmetic on single ones does not exist.
#pragma once
#include "core/view.h"
#include "cpu/vectors.h"

namespace athanor {
namespace ATHANOR_ISA {

struct BFloat16 {
  uint16_t bits;
};

/** Exact. */
ATHANOR_ALWAYS_INLINE float to_float(BFloat16 x) {
  const uint32_t bits = static_cast<uint32_t>(x.bits) << 16;
  float value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

/** As many as a register has floats. Exact. */
ATHANOR_ALWAYS_INLINE Lanes<float>::type widen_lanes(const BFloat16* x) {
  typename LanesFor<uint16_t, float>::type bits;
  __builtin_memcpy(&bits, x, sizeof bits);
  return reinterpret_cast<Lanes<float>::type>(__builtin_convertvector(bits, Lanes<uint32_t>::type) << 16);
}

/** The nearest, of two the even one. A NaN stays one: it is made quiet, since cutting it off could leave an infinity.
 */
ATHANOR_ALWAYS_INLINE BFloat16 to_bfloat16(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  const uint32_t rounded = bits + 0x7fff + (bits >> 16 & 1), quiet = bits | 0x400000;
  return {static_cast<uint16_t>(((bits & 0x7fffffff) > 0x7f800000 ? quiet : rounded) >> 16)};
}

/** The same from float64, rounded once: where float32 is not exact its last bit is set, so that no tie is made. */
ATHANOR_ALWAYS_INLINE BFloat16 to_bfloat16(double x) {
  float near = static_cast<float>(x);
  uint32_t bits;
  __builtin_memcpy(&bits, &near, sizeof bits);
  const double back = near, size = x < 0 ? -x : x, back_size = back < 0 ? -back : back;
  // Towards zero, then odd. Infinities and NaN compare as not smaller, and stay.
  const uint32_t toward = bits - static_cast<uint32_t>(back_size > size);
  const uint32_t odd = back != x && x == x ? toward | 1 : bits;
  __builtin_memcpy(&near, &odd, sizeof near);
  return to_bfloat16(near);
}

/** The view in float32: a copy in scratch memory whose elements lie in the same order. In copy.cc. */
View widened(const Call& c, const View& v);

}  // namespace ATHANOR_ISA
}  // namespace athanor
