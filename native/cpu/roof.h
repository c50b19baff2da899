// The measuring loops of one instruction set, for its level.
#pragma once
#include "core/roof_loops.h"

namespace athanor {
namespace ATHANOR_ISA {

extern const RoofLoops roof_loops;

}  // namespace ATHANOR_ISA
}  // namespace athanor
