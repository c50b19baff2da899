// From a runtime dtype to a C++ type, for ops that move numbers and do not compute with them.
#pragma once
#include "cpu/dtypes.h"
#include "math/bfloat16.h"

namespace athanor {
namespace ATHANOR_ISA {

/** Every dtype that can be stored: those that are computed with, and bfloat16. */
template <class F>
ATHANOR_HOST_INLINE bool with_stored(DType t, const F& f) {
  if (t != DType::bf16) return with_all(t, f);
  f(Tag<BFloat16>{});
  return true;
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
