// The loops that reach a roof: plain structs, because they are compiled once per instruction set.
#pragma once
#include <cstdint>

namespace athanor {

/** What a loop works on: three arrays of n floats, aligned to 64 bytes, n a multiple of 256. */
using StreamLoop = void (*)(float* a, float* b, float* c, int64_t n);
/** A loop of dependent chains, enough of them to fill every unit; returns the FLOPs that it did. */
using ComputeLoop = double (*)(int64_t rounds);

struct NamedStream {
  const char* name;
  StreamLoop run;
  int reads, writes;  // arrays that the loop reads and writes; what it reads for the sake of its writes is not counted
};

struct NamedCompute {
  const char* name;
  ComputeLoop run;
  const char* needs;  // a feature beyond the level's, as the processor calls it; null: none
};

/** The loops of one instruction set level; each list ends with a null name. */
struct RoofLoops {
  const NamedCompute* compute;
  const NamedStream* stream;
};

}  // namespace athanor
