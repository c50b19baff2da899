#include "cuda/machine.h"

#include <dlfcn.h>

#include <cstdio>
#include <cstring>
#include <vector>

namespace athanor {
namespace cuda {
namespace {

constexpr int kLeastMajor = 8;  // cp.async and the tensor cores of bf16 and tf32 begin with Ampere

/** The devices that this module has code for: their numbers in the runtime. */
struct Found {
  std::vector<int> ordinals;
  char reason[400] = "";

  Found() {
    int driver = 0, runtime = 0, count = 0;
    cudaRuntimeGetVersion(&runtime);
    cudaDriverGetVersion(&driver);
    const cudaError_t error = cudaGetDeviceCount(&count);
    cudaGetLastError();
    if (driver == 0) {
      // The runtime says the same whether the driver's library is absent or too old to be asked.
      void* library = dlopen("libcuda.so.1", RTLD_LAZY);
      std::snprintf(reason, sizeof reason,
                    library == nullptr ? "there is no NVIDIA driver here (no libcuda.so.1)"
                                       : "the NVIDIA driver does not answer");
    } else if (driver / 1000 < runtime / 1000) {
      std::snprintf(reason, sizeof reason,
                    "the NVIDIA driver is too old: it knows CUDA %d.%d, and this module needs CUDA %d.0 or newer",
                    driver / 1000, driver % 1000 / 10, runtime / 1000);
    } else if (error != cudaSuccess || count == 0) {
      std::snprintf(reason, sizeof reason, "the NVIDIA driver finds no GPU: %s", cudaGetErrorString(error));
    } else {
      for (int i = 0; i < count; ++i) {
        cudaDeviceProp p;
        if (cudaGetDeviceProperties(&p, i) != cudaSuccess) continue;
        if (p.major >= kLeastMajor)
          ordinals.push_back(i);
        else
          std::snprintf(reason, sizeof reason,
                        "there is no code for this chip: %s has compute capability %d.%d, %d.0 is needed", p.name,
                        p.major, p.minor, kLeastMajor);
      }
    }
  }
};

const Found& found() {
  static const auto* instance = new Found;  // threads may ask while the process ends
  return *instance;
}

}  // namespace

int count_devices(char* reason, size_t room) {
  std::snprintf(reason, room, "%s", found().reason);
  return static_cast<int>(found().ordinals.size());
}

int device_properties(int device, DeviceProperties* out) {
  cudaDeviceProp p;
  const cudaError_t code = cudaGetDeviceProperties(&p, found().ordinals[static_cast<size_t>(device)]);
  if (code != cudaSuccess) return code;
  std::snprintf(out->name, sizeof out->name, "%s", p.name);
  out->memory_bytes = p.totalGlobalMem;
  out->multiprocessors = p.multiProcessorCount;
  out->major = p.major;
  out->minor = p.minor;
  out->cache_bytes = static_cast<uint64_t>(p.l2CacheSize);
  return 0;
}

cudaError_t choose_device(int device) { return cudaSetDevice(found().ordinals[static_cast<size_t>(device)]); }

cudaError_t create_stream(cudaStream_t* out) { return cudaStreamCreateWithFlags(out, cudaStreamNonBlocking); }

// Without timing an event costs less; a thread that waits for one sleeps rather than spins.
cudaError_t create_event(cudaEvent_t* out) {
  return cudaEventCreateWithFlags(out, cudaEventDisableTiming | cudaEventBlockingSync);
}

}  // namespace cuda
}  // namespace athanor
