// What differs between a machine with GPUs and the simulator: finding devices, and making streams and events.
#pragma once
#include "cuda/runtime.h"

namespace athanor {
namespace cuda {

/** How many devices this module has code for; with none, `reason` says why. */
int count_devices(char* reason, size_t room);
int device_properties(int device, DeviceProperties* out);
/** Makes it the calling thread's device. */
cudaError_t choose_device(int device);
cudaError_t create_stream(cudaStream_t* out);
cudaError_t create_event(cudaEvent_t* out);

}  // namespace cuda
}  // namespace athanor
