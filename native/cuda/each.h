// Kernels that are one body for each number below a count, and nothing that threads share.
#pragma once
#include "cuda/runtime.h"

namespace athanor {
namespace cuda {

constexpr int kEachThreads = 256;
constexpr int kEachTogether = 4;  // numbers of a thread whose values are all read before the first is put anywhere

template <class F>
__global__ void __launch_bounds__(kEachThreads) each_number(uint32_t count, F body) {
  const uint32_t i = blockIdx.x * kEachThreads + threadIdx.x;
  if (i < count) body(i);
}

// Loads do not pass stores, as both may be of one memory: values that are read first are on their way together.
template <class F>
__global__ void __launch_bounds__(kEachThreads) each_value(uint32_t count, F body) {
  decltype(body.value(0)) values[kEachTogether];
  const uint32_t first = blockIdx.x * (kEachTogether * kEachThreads) + threadIdx.x;
#pragma unroll
  for (uint32_t u = 0; u < kEachTogether; ++u)
    if (first + u * kEachThreads < count) values[u] = body.value(first + u * kEachThreads);
#pragma unroll
  for (uint32_t u = 0; u < kEachTogether; ++u)
    if (first + u * kEachThreads < count) body.put(first + u * kEachThreads, values[u]);
}

/** How many blocks take `count` numbers, `each` a block; 0 and a failure of the call where they have 32 bits. */
inline unsigned blocks_of_numbers(const Call& c, int64_t count, int each) {
  if (count < int64_t{1} << 31) return static_cast<unsigned>((count + each - 1) / each);
  c.ctx->fail(c.ctx, "2^31 elements or more in one call");
  return 0;
}

/** body(i) on the device for i below `count`; F is a struct with a device operator(). */
template <class F>
void for_each_number(const Call& c, int64_t count, const F& body) {
  const unsigned blocks = count > 0 ? blocks_of_numbers(c, count, kEachThreads) : 0;
  if (blocks > 0) launch(c, each_number<F>, dim3(blocks), dim3(kEachThreads), 0, static_cast<uint32_t>(count), body);
}

/** body.put(i, body.value(i)) on the device for i below `count`, in any order: no put() may change a value(). */
template <class F>
void for_each_value(const Call& c, int64_t count, const F& body) {
  const unsigned blocks = count > 0 ? blocks_of_numbers(c, count, kEachThreads * kEachTogether) : 0;
  if (blocks > 0) launch(c, each_value<F>, dim3(blocks), dim3(kEachThreads), 0, static_cast<uint32_t>(count), body);
}

}  // namespace cuda
}  // namespace athanor
