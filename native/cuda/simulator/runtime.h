// The part of the CUDA runtime and language that this folder uses, for a compiler that knows neither. Work is done when
// somebody waits for it, not when it is started: host code that lets go of something too early is found out. Threads
// have a current device, and what belongs to another one is refused, as is shared memory that was not asked for.
#pragma once
#include <math.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "cuda/simulator/queue.h"

// ---- the language
#define __global__ static
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __restrict__ __restrict

using dim3 = ::athanor::simulator::Dim3;
#define threadIdx ::athanor::simulator::thread_index
#define blockIdx ::athanor::simulator::block_index
#define blockDim ::athanor::simulator::block_size
#define gridDim ::athanor::simulator::grid_size
#define __syncthreads() ::athanor::simulator::sync_threads(__LINE__)

static inline void __syncwarp(unsigned mask = 0xffffffffu) {
  ::athanor::simulator::meet(mask, nullptr, nullptr, nullptr);
}

namespace athanor {
namespace simulator {

template <class T>
struct Shuffle {
  T value;
  int source;
};

template <class T>
T shuffle(unsigned mask, T value, int source) {
  const Shuffle<T> in{value, source};
  T out = value;
  meet(mask, &in, &out, [](const void* const* ins, void* const* outs) {
    for (int l = 0; l < 32; ++l) {
      if (ins[l] == nullptr) continue;
      const int from = static_cast<const Shuffle<T>*>(ins[l])->source;
      // Undefined on a GPU: a value that is surely wrong, if a float.
      if (ins[from] == nullptr)
        std::memset(outs[l], 0xff, sizeof(T));
      else
        *static_cast<T*>(outs[l]) = static_cast<const Shuffle<T>*>(ins[from])->value;
    }
  });
  return out;
}

}  // namespace simulator
}  // namespace athanor

template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes) {
  return ::athanor::simulator::shuffle(mask, value, ::athanor::simulator::lane() ^ lanes);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned lanes) {
  const int from = ::athanor::simulator::lane() + static_cast<int>(lanes);
  return ::athanor::simulator::shuffle(mask, value, from < 32 ? from : ::athanor::simulator::lane());
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned lanes) {
  const int from = ::athanor::simulator::lane() - static_cast<int>(lanes);
  return ::athanor::simulator::shuffle(mask, value, from >= 0 ? from : ::athanor::simulator::lane());
}
template <class T>
T __shfl_sync(unsigned mask, T value, int from) {
  return ::athanor::simulator::shuffle(mask, value, from & 31);
}

// Threads take turns at barriers only, so each of these is atomic.
template <class T>
T atomicAdd(T* at, T value) {
  const T old = *at;
  *at = static_cast<T>(old + value);
  return old;
}
static inline int atomicExch(int* at, int value) {
  const int old = *at;
  *at = value;
  return old;
}
static inline unsigned atomicCAS(unsigned* at, unsigned expected, unsigned value) {
  const unsigned old = *at;
  if (old == expected) *at = value;
  return old;
}
static inline unsigned atomicCAS_system(unsigned* at, unsigned expected, unsigned value) {
  return atomicCAS(at, expected, value);
}
static inline void __threadfence() {}
static inline void __threadfence_system() {}
template <class T>
T __ldg(const T* at) {
  return *at;
}

struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(16) double2 {
  double x, y;
};

// ---- the runtime
enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorCudartUnloading = 4,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidDevice = 101,
  cudaErrorECCUncorrectable = 214,
  cudaErrorInvalidResourceHandle = 400,
  cudaErrorNotReady = 600,
  cudaErrorIllegalAddress = 700,
  cudaErrorLaunchTimeout = 702,
  cudaErrorHardwareStackError = 714,
  cudaErrorIllegalInstruction = 715,
  cudaErrorMisalignedAddress = 716,
  cudaErrorInvalidAddressSpace = 717,
  cudaErrorInvalidPc = 718,
  cudaErrorLaunchFailure = 719
};
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
struct cudaFuncAttributes {
  int maxDynamicSharedSizeBytes;
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };

namespace athanor {
namespace simulator {
template <class... P>
void launch(Stream* stream, dim3 grid, dim3 block, size_t shared, void (*kernel)(P...), P... args) {
  if (!admit(stream, reinterpret_cast<const void*>(kernel), grid, block, shared)) return;
  enqueue(stream, [=] {
    const auto call = [=] { kernel(args...); };
    run_grid(grid, block, shared, [](const void* f) { (*static_cast<decltype(&call)>(f))(); }, &call);
  });
}
}  // namespace simulator
}  // namespace athanor

using cudaStream_t = ::athanor::simulator::Stream*;
using cudaEvent_t = ::athanor::simulator::Event*;

// With the names and types of the toolkit's own: what nvcc compiled can be linked with them too.
extern "C" {
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* out, const void* kernel);
cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value);
cudaError_t cudaGetLastError();
cudaError_t cudaPeekAtLastError();
cudaError_t cudaSetDevice(int device);
cudaError_t cudaDeviceSynchronize();
const char* cudaGetErrorString(cudaError_t error);
cudaError_t cudaMalloc(void** out, size_t bytes);
cudaError_t cudaFree(void* data);
cudaError_t cudaMallocHost(void** out, size_t bytes);
cudaError_t cudaFreeHost(void* data);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaStreamCreate(cudaStream_t* out);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaEventCreate(cudaEvent_t* out);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventQuery(cudaEvent_t event);
cudaError_t cudaEventDestroy(cudaEvent_t event);
}

template <class... P>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* out, void (*kernel)(P...)) {
  return cudaFuncGetAttributes(out, reinterpret_cast<const void*>(kernel));
}
template <class... P>
cudaError_t cudaFuncSetAttribute(void (*kernel)(P...), cudaFuncAttribute attribute, int value) {
  return cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), attribute, value);
}
