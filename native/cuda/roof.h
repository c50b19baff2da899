// Measuring the roofs of a GPU.
#pragma once
#include "cuda/runtime.h"

namespace athanor {
namespace cuda {

/** Fills `request.rates`; the calling thread's device must be `device`. A code of the runtime. */
int measure_roof(int device, cudaStream_t stream, const DeviceRoof& request);

}  // namespace cuda
}  // namespace athanor
