// Scalar math that host and device share. Branch-free where it matters, so that the compiler turns a loop over it into
// vector code at every instruction set.
#pragma once
#include <math.h>

#include "core/dtype.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace m {

ATHANOR_ALWAYS_INLINE float exp(float x) { return ::expf(x); }
ATHANOR_ALWAYS_INLINE double exp(double x) { return ::exp(x); }

}  // namespace m
}  // namespace ATHANOR_ISA
}  // namespace athanor
