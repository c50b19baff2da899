// What every file of this folder stands on: the CUDA runtime, or, where the same text is compiled for the processor,
// the simulator. Kernels are written against this header alone, so that each of them runs in the tests of a machine
// that has no GPU.
#pragma once
#ifdef __CUDACC__
#include <cuda_runtime.h>
#else
#include "cuda/simulator/runtime.h"
#endif

#include "core/device_module.h"

// What native/math and the layout headers of native/cpu declare belongs to an instruction set, whose name the build
// gives.
#ifndef ATHANOR_ISA
#error "compile with ATHANOR_ISA=cuda"
#endif

namespace athanor {
namespace cuda {

inline DeviceContext& context_of(const Call& c) { return *static_cast<DeviceContext*>(c.ctx); }

/** The stream of the call's queue; its device becomes the calling thread's. */
cudaStream_t stream_of(const DeviceContext& ctx);

/** What an error means for the caller; the text lasts until the thread asks again. */
const char* explain(cudaError_t error);

/** Shared memory that a block may have without asking for more. */
constexpr size_t kUsualShared = 48 << 10;

/** Starts a kernel on a stream of the thread's device. */
template <class... P, class... A>
cudaError_t start(cudaStream_t stream, void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, A... args) {
  // Asked for with each launch: what was granted holds for one device, and costs less than remembering for which.
  if (shared > kUsualShared)
    cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared));
#ifdef __CUDACC__
  kernel<<<grid, block, shared, stream>>>(static_cast<P>(args)...);
#else
  simulator::launch(stream, grid, block, shared, kernel, static_cast<P>(args)...);
#endif
  return cudaGetLastError();
}

/** Starts a kernel on the call's queue; a launch that is refused fails the call. */
template <class... P, class... A>
void launch(const Call& c, void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, A... args) {
  DeviceContext& ctx = context_of(c);
  const cudaError_t error = start(stream_of(ctx), kernel, grid, block, shared, args...);
  if (error != cudaSuccess) ctx.fail(&ctx, "the kernel could not be started: %s", explain(error));
}

/** Memory of the device for `count` elements that later work of the queue may use again. */
template <class T>
T* scratch_array(const Call& c, int64_t count) {
  return static_cast<T*>(c.ctx->scratch(c.ctx, static_cast<size_t>(count > 0 ? count : 1) * sizeof(T)));
}

constexpr int kWarp = 32;
constexpr unsigned kFullMask = 0xffffffffu;

/** A block's shared memory, as one struct: it is not initialised. At most once in a kernel. */
#ifdef __CUDACC__
#define ATHANOR_SHARED(Type, name) __shared__ Type name
#else
#define ATHANOR_SHARED(Type, name) Type& name = *static_cast<Type*>(::athanor::simulator::shared_memory(sizeof(Type)))
#endif

}  // namespace cuda
}  // namespace athanor
