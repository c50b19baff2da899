#include <cstdio>
#include <cstdlib>

#include "cuda/machine.h"
#include "cuda/simulator/devices.h"

namespace athanor {
namespace cuda {

// Two, so that moving between devices is tested too. ATHANOR_SIMULATED_REASON makes it a machine without a GPU.
int count_devices(char* reason, size_t room) {
  const char* text = std::getenv("ATHANOR_SIMULATED_REASON");
  std::snprintf(reason, room, "%s", text == nullptr ? "" : text);
  return text == nullptr ? simulator::kDevices : 0;
}

int device_properties(int, DeviceProperties* out) {
  std::snprintf(out->name, sizeof out->name, "simulator on the processor");
  out->memory_bytes = uint64_t{1} << 30;
  out->multiprocessors = 4;
  out->major = 8;
  out->minor = 0;
  out->cache_bytes = uint64_t{1} << 20;
  return 0;
}

cudaError_t choose_device(int device) { return cudaSetDevice(device); }
cudaError_t create_stream(cudaStream_t* out) { return cudaStreamCreate(out); }
cudaError_t create_event(cudaEvent_t* out) { return cudaEventCreate(out); }

}  // namespace cuda
}  // namespace athanor

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* out, const void* kernel) {
  out->maxDynamicSharedSizeBytes = static_cast<int>(athanor::simulator::granted_shared(kernel));
  return cudaSuccess;
}
cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute, int value) {
  return athanor::simulator::grant_shared(kernel, value) ? cudaSuccess : cudaErrorInvalidValue;
}
