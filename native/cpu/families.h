// The families of CPU kernels: each file of this folder ends with its list, and adds one line to families.def.
#pragma once
#include "core/isa.h"

namespace athanor {
namespace ATHANOR_ISA {

#define FAMILY(name) extern const OpKernels name[];
#include "cpu/families.def"
#undef FAMILY

}  // namespace ATHANOR_ISA
}  // namespace athanor

/** One entry of a family's list: the op and its array of kernels, fastest first, the last fitting everything. */
#define ATHANOR_OP(op, kernels) {#op, kernels, static_cast<int>(sizeof(kernels) / sizeof(*kernels))}
