// bfloat16 in vectors and in views; single numbers are in math/bfloat16.h.
#pragma once
#include "core/view.h"
#include "cpu/vectors.h"
#include "math/bfloat16.h"

namespace athanor {
namespace ATHANOR_ISA {

/** As many as a register has floats. Exact. */
ATHANOR_ALWAYS_INLINE Lanes<float>::type widen_lanes(const BFloat16* x) {
  typename LanesFor<uint16_t, float>::type bits;
  __builtin_memcpy(&bits, x, sizeof bits);
  return reinterpret_cast<Lanes<float>::type>(__builtin_convertvector(bits, Lanes<uint32_t>::type) << 16);
}

/** The view in float32: a copy in scratch memory whose elements lie in the same order. In copy.cc. */
View widened(const Call& c, const View& v);

}  // namespace ATHANOR_ISA
}  // namespace athanor
