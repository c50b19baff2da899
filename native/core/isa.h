// Which instruction set the CPU kernels use: the best the machine has, or the one named by ATHANOR_CPU_ISA.
#pragma once
#include "core/roof_loops.h"
#include "core/view.h"

namespace athanor {

struct IsaLevel {
  const char* name;
  /** The families compiled at this level: each a list of OpKernels, ended by a null `op`. */
  const OpKernels* const* families;
  int n_families;
  /** Loops that reach the roofs of the machine at this level. */
  const RoofLoops* roofs;
};

/** The level in use; chosen once, on the first call. Throws Error when ATHANOR_CPU_ISA names none of this machine's. */
const IsaLevel& isa_level();

/** Levels this machine can run, best first; `count` receives how many. */
const IsaLevel* const* isa_levels(int* count);

/** Whether the processor multiplies pairs of bfloat16 (AVX512_BF16), which not every machine with AVX-512 does. */
bool has_bf16_dot();

}  // namespace athanor
