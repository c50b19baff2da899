// The roofs of this machine, measured: how fast its arithmetic units and its memory go when nothing else limits them.
#pragma once
#include <atomic>
#include <vector>

#include "core/roof_loops.h"

namespace athanor {

struct RoofRequest {
  const RoofLoops* loops;
  const char* what;  // a name of one of the lists
  int threads;
  int64_t bytes;   // of all arrays of all threads together, for a stream
  double seconds;  // of one window
  int windows;
  const std::atomic<bool>* stop;  // once true, the rest is hurried through
};

/**
 * FLOPs or bytes a second of all threads together, one figure for each window. All threads work all the time; each has
 * arrays of its own, which it touches first. Throws Error for a name that is in neither list.
 */
std::vector<double> measure_roof(const RoofRequest& request);

/** Whether the processor has what a compute loop needs. */
bool roof_available(const NamedCompute& loop);

}  // namespace athanor
