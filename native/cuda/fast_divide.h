// Division of 31-bit numbers by one that is known before the kernel starts: a multiplication and a shift in place of
// some twenty instructions (Granlund and Montgomery, "Division by invariant integers using multiplication", PLDI 1994).
#pragma once
#include "core/dtype.h"

namespace athanor {
namespace cuda {

struct FastDivide {
  uint32_t divisor = 1, factor = 0, shift = 0;

  FastDivide() = default;
  /** `d` from 1 to 2^31 - 1. Larger sizes are refused when it comes to dividing, and may be anything cut to 32 bits. */
  explicit FastDivide(uint32_t d) : divisor(d > 0 ? d : 1) {
    while ((uint64_t{1} << shift) < divisor) ++shift;
    factor = static_cast<uint32_t>(((uint64_t{1} << 32) * ((uint64_t{1} << shift) - divisor)) / divisor + 1);
  }

  /** n / divisor for n below 2^31. */
  ATHANOR_INLINE_MEMBER uint32_t quotient(uint32_t n) const {
    const uint32_t high = static_cast<uint32_t>((static_cast<uint64_t>(n) * factor) >> 32);
    return (high + n) >> shift;
  }
};

}  // namespace cuda
}  // namespace athanor
