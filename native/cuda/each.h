// Kernels that are one body for each number below a count, and nothing that threads share.
#pragma once
#include "cuda/runtime.h"

namespace athanor {
namespace cuda {

constexpr int kEachThreads = 256;

template <class F>
__global__ void __launch_bounds__(kEachThreads) each_number(uint32_t count, F body) {
  const uint32_t i = blockIdx.x * kEachThreads + threadIdx.x;
  if (i < count) body(i);
}

/** body(i) on the device for i below `count`; F is a struct with a device operator(). */
template <class F>
void for_each_number(const Call& c, int64_t count, const F& body) {
  if (count <= 0) return;
  if (count >= int64_t{1} << 31) {
    c.ctx->fail(c.ctx, "2^31 elements or more in one call");
    return;
  }
  launch(c, each_number<F>, dim3(static_cast<unsigned>((count + kEachThreads - 1) / kEachThreads)), dim3(kEachThreads),
         0, static_cast<uint32_t>(count), body);
}

}  // namespace cuda
}  // namespace athanor
