// The part of the CUDA runtime that nvcc's objects call, on the executor: registration of kernels, launches, and what
// is asked of devices. Memory, streams and events are the simulator's, which has them under the same names. Compiled
// with the toolkit's own headers, so that types and numbers are theirs.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "cuda/ptx_executor/registry.h"
#include "cuda/ptx_executor/warp.h"
#include "cuda/simulator/devices.h"
#include "cuda/simulator/queue.h"

using athanor::ptx::Kernel;
using athanor::ptx::Program;
using athanor::ptx::Range;

namespace {

constexpr size_t kUsualShared = 48 << 10;

struct Configuration {
  dim3 grid, block;
  size_t shared;
  void* stream;
};
thread_local Configuration configuration;

athanor::simulator::Dim3 plain(dim3 d) { return {d.x, d.y, d.z}; }
athanor::simulator::Stream* plain(cudaStream_t stream) { return reinterpret_cast<athanor::simulator::Stream*>(stream); }

/** What a kernel may use when it runs, which is later than its launch. */
std::vector<Range> memory_for(const athanor::ptx::Globals& globals) {
  std::vector<Range> out;
  for (const auto& [begin, end] : athanor::simulator::usable_memory()) out.push_back({begin, end});
  for (const auto& [name, bytes] : globals) {
    const auto begin = reinterpret_cast<uint64_t>(bytes.data());
    out.push_back({begin, begin + bytes.size()});
  }
  std::sort(out.begin(), out.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
  return out;
}

cudaError_t launch(Kernel& kernel, dim3 grid, dim3 block, void** arguments, size_t shared, cudaStream_t stream) {
  if (!athanor::simulator::admit(plain(stream), &kernel, plain(grid), plain(block), shared))
    return cudaPeekAtLastError();
  try {
    const Program& program = kernel.ready();
    if (block.x * block.y * block.z > program.most_threads)
      throw std::runtime_error(program.name + ": a block of more threads than __launch_bounds__ promised");
    const size_t granted = athanor::simulator::granted_shared(&kernel);
    if (shared + program.shared_bytes > kUsualShared && granted < shared)
      throw std::runtime_error(program.name +
                               ": more shared memory than was asked for, with what the kernel has itself");
    // Copied now: the caller's variables are gone when it runs.
    std::vector<char> parameters(program.parameter_bytes);
    for (size_t k = 0; k < program.parameters.size(); ++k)
      std::memcpy(parameters.data() + program.parameters[k].offset, arguments[k], program.parameters[k].bytes);
    athanor::simulator::enqueue(plain(stream),
                                [&kernel, &program, grid, block, shared, parameters = std::move(parameters)] {
                                  athanor::ptx::run_grid(program, plain(grid), plain(block), shared, parameters.data(),
                                                         memory_for(kernel.object->globals));
                                });
  } catch (const std::exception& e) {
    athanor::simulator::enqueue(plain(stream), [what = std::string(e.what())] { throw std::runtime_error(what); });
  }
  return cudaSuccess;
}

}  // namespace

extern "C" {

// ---- what nvcc's host code calls
void** __cudaRegisterFatBinary(void* wrapper) {
  try {
    return reinterpret_cast<void**>(athanor::ptx::add_object(wrapper));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "the CUDA module cannot be executed: %s\n", e.what());
    std::abort();
  }
}
void __cudaRegisterFatBinaryEnd(void**) {}
void __cudaUnregisterFatBinary(void**) {}
void __cudaRegisterFunction(void** object, const char* stub, char*, const char* name, int, uint3*, uint3*, dim3*, dim3*,
                            int*) {
  athanor::ptx::add_kernel(reinterpret_cast<athanor::ptx::Object*>(object), stub, name);
}
unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, struct CUstream_st* stream) {
  configuration = {grid, block, shared, stream};
  return 0;
}
cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, size_t* shared, void* stream) {
  *grid = configuration.grid;
  *block = configuration.block;
  *shared = configuration.shared;
  std::memcpy(stream, &configuration.stream, sizeof configuration.stream);
  return cudaSuccess;
}
cudaError_t __cudaGetKernel(cudaKernel_t* out, const void* stub) {
  Kernel* kernel = athanor::ptx::kernel_of(stub);
  *out = reinterpret_cast<cudaKernel_t>(kernel);
  return kernel == nullptr ? cudaErrorInvalidDeviceFunction : cudaSuccess;
}
cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments, size_t shared,
                               cudaStream_t stream) {
  return launch(*reinterpret_cast<Kernel*>(kernel), grid, block, arguments, shared, stream);
}

// ---- kernels; granted memory is kept by kernel, not by stub
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* out, const void* stub) {
  *out = {};
  Kernel* kernel = athanor::ptx::kernel_of(stub);
  if (kernel == nullptr) return cudaErrorInvalidDeviceFunction;
  out->maxDynamicSharedSizeBytes = static_cast<int>(athanor::simulator::granted_shared(kernel));
  return cudaSuccess;
}
cudaError_t cudaFuncSetAttribute(const void* stub, cudaFuncAttribute attribute, int value) {
  Kernel* kernel = athanor::ptx::kernel_of(stub);
  if (kernel == nullptr) return cudaErrorInvalidDeviceFunction;
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaErrorInvalidValue;
  return athanor::simulator::grant_shared(kernel, value) ? cudaSuccess : cudaErrorInvalidValue;
}

// ---- devices
cudaError_t cudaDriverGetVersion(int* out) { return *out = CUDART_VERSION, cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* out) { return *out = CUDART_VERSION, cudaSuccess; }
// ATHANOR_SIMULATED_REASON makes it a machine without a GPU.
cudaError_t cudaGetDeviceCount(int* out) {
  const bool none = std::getenv("ATHANOR_SIMULATED_REASON") != nullptr;
  *out = none ? 0 : athanor::simulator::kDevices;
  return none ? cudaErrorNoDevice : cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* out, int device) {
  if (device < 0 || device >= athanor::simulator::kDevices) return cudaErrorInvalidDevice;
  *out = {};
  std::snprintf(out->name, sizeof out->name, "executor of PTX on the processor");
  out->totalGlobalMem = size_t{1} << 30;
  out->multiProcessorCount = 4;
  out->major = 8;
  out->l2CacheSize = 1 << 20;
  return cudaSuccess;
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* out, unsigned) { return cudaStreamCreate(out); }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* out, unsigned) { return cudaEventCreate(out); }

}  // extern "C"
