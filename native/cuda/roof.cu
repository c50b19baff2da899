// The roofs of a GPU, measured: how fast its arithmetic units and its memory go when nothing else limits them.
//
// Arithmetic: every thread (of tensor cores: every warp) has eight independent chains of multiply-adds in registers,
// more than the latency of one hides, and touches no memory. Memory: 16 bytes a thread and access, neighbours side by
// side, in a loop that strides by the whole grid. Tensor cores are driven through mma.sync: Hopper's wgmma reaches
// more.
#include <chrono>
#include <cstring>

#include "cuda/machine.h"
#include "cuda/ptx.h"
#include "cuda/roof.h"

namespace athanor {
namespace cuda {
namespace {

constexpr int kBlock = 256;
constexpr int kBlocksEach = 8;  // blocks a multiprocessor: as many as fill its 2,048 threads
constexpr int kChains = 8;
constexpr int kRounds = 64;  // multiply-adds of a chain between two looks at the loop's counter

/** A value that no chain reaches: what is compared with it must be computed. */
constexpr float kNever = -1.0f;

template <class T>
__global__ void __launch_bounds__(kBlock) multiply_add(T* out, int64_t times, T factor, T addend) {
  T chain[kChains];
  for (int c = 0; c < kChains; ++c) chain[c] = static_cast<T>(threadIdx.x + c);
  for (int64_t i = 0; i < times; ++i)
#pragma unroll
    for (int r = 0; r < kRounds; ++r)
#pragma unroll
      for (int c = 0; c < kChains; ++c) chain[c] = chain[c] * factor + addend;
  T sum = 0;
  for (int c = 0; c < kChains; ++c) sum += chain[c];
  if (sum == static_cast<T>(kNever)) *out = sum;
}

template <bool Bf16>
__global__ void __launch_bounds__(kBlock) multiply_matrices(float* out, int64_t times) {
  float d[kChains][4] = {};
  uint32_t a[4], b[2];
  // Small positive numbers, none of them zero: multipliers that switch draw more power, and clocks follow.
  for (int r = 0; r < 4; ++r) a[r] = 0x3c003c00u + threadIdx.x;
  for (int r = 0; r < 2; ++r) b[r] = 0x3c003c00u + 3 * threadIdx.x;
  for (int64_t i = 0; i < times; ++i)
#pragma unroll
    for (int c = 0; c < kChains; ++c) {
      if constexpr (Bf16)
        mma_bf16(d[c], a, b);
      else
        mma_tf32(d[c], a, b);
    }
  float sum = 0;
  for (int c = 0; c < kChains; ++c)
    for (int r = 0; r < 4; ++r) sum += d[c][r];
  if (sum == kNever) *out = sum;
}

__device__ __forceinline__ int64_t first_of_thread() {
  return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ __forceinline__ int64_t all_threads() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

__global__ void __launch_bounds__(kBlock) read_all(const float4* a, int64_t n, float* out) {
  float sum = 0;
  for (int64_t i = first_of_thread(); i < n; i += all_threads()) {
    const float4 x = a[i];
    sum += x.x + x.y + x.z + x.w;
  }
  if (sum == kNever) *out = sum;
}
__global__ void __launch_bounds__(kBlock) write_all(float4* a, int64_t n, float value) {
  for (int64_t i = first_of_thread(); i < n; i += all_threads()) a[i] = {value, value, value, value};
}
__global__ void __launch_bounds__(kBlock) copy_all(const float4* a, float4* b, int64_t n) {
  for (int64_t i = first_of_thread(); i < n; i += all_threads()) b[i] = a[i];
}
__global__ void __launch_bounds__(kBlock) triad_all(const float4* a, const float4* b, float4* c, int64_t n, float s) {
  for (int64_t i = first_of_thread(); i < n; i += all_threads()) {
    const float4 x = a[i], y = b[i];
    c[i] = {x.x + s * y.x, x.y + s * y.y, x.z + s * y.z, x.w + s * y.w};
  }
}

/** One measurement: a queue, its device, and memory to pass over. */
struct Roof {
  cudaStream_t stream;
  int multiprocessors;
  char* data;
  int64_t bytes;

  dim3 grid() const { return dim3(static_cast<unsigned>(multiprocessors * kBlocksEach)); }
  double threads() const { return static_cast<double>(multiprocessors) * kBlocksEach * kBlock; }
  /** The part of the memory that each of `arrays` arrays has, in steps of 16 bytes. */
  int64_t steps(int arrays) const { return bytes / arrays / 16; }
  float4* array(int which, int arrays) const { return reinterpret_cast<float4*>(data) + which * steps(arrays); }
};

template <class T>
double run_multiply_add(const Roof& r, int64_t times) {
  start(r.stream, multiply_add<T>, r.grid(), dim3(kBlock), 0, reinterpret_cast<T*>(r.data), times, T(0.999), T(0.001));
  return r.threads() * static_cast<double>(times) * kRounds * kChains * 2;
}
template <bool Bf16>
double run_multiply_matrices(const Roof& r, int64_t times) {
  start(r.stream, multiply_matrices<Bf16>, r.grid(), dim3(kBlock), 0, reinterpret_cast<float*>(r.data), times);
  return r.threads() / kWarp * static_cast<double>(times) * kChains * 2 * 16 * 8 * (Bf16 ? 16 : 8);
}
double run_read(const Roof& r, int64_t times) {
  for (int64_t i = 0; i < times; ++i)
    start(r.stream, read_all, r.grid(), dim3(kBlock), 0, r.array(0, 1), r.steps(1), reinterpret_cast<float*>(r.data));
  return static_cast<double>(times * r.steps(1) * 16);
}
double run_write(const Roof& r, int64_t times) {
  for (int64_t i = 0; i < times; ++i)
    start(r.stream, write_all, r.grid(), dim3(kBlock), 0, r.array(0, 1), r.steps(1), 1.0f);
  return static_cast<double>(times * r.steps(1) * 16);
}
double run_copy(const Roof& r, int64_t times) {
  for (int64_t i = 0; i < times; ++i)
    start(r.stream, copy_all, r.grid(), dim3(kBlock), 0, r.array(0, 2), r.array(1, 2), r.steps(2));
  return static_cast<double>(times * r.steps(2) * 32);
}
double run_triad(const Roof& r, int64_t times) {
  for (int64_t i = 0; i < times; ++i)
    start(r.stream, triad_all, r.grid(), dim3(kBlock), 0, r.array(0, 3), r.array(1, 3), r.array(2, 3), r.steps(3),
          0.5f);
  return static_cast<double>(times * r.steps(3) * 48);
}

/** Queues `times` passes and answers the FLOPs or bytes of all of them. */
using Pass = double (*)(const Roof&, int64_t times);

struct NamedRoof {
  const char* name;
  Pass pass;
};
constexpr NamedRoof roofs[] = {{"f32", run_multiply_add<float>},
                               {"f64", run_multiply_add<double>},
                               {"bf16", run_multiply_matrices<true>},
                               {"tf32", run_multiply_matrices<false>},
                               {"read", run_read},
                               {"write", run_write},
                               {"copy", run_copy},
                               {"triad", run_triad}};

double seconds_of(const Roof& r, Pass pass, int64_t times, double* amount) {
  const auto begin = std::chrono::steady_clock::now();
  *amount = pass(r, times);
  cudaStreamSynchronize(r.stream);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

int measure_roof(int device, cudaStream_t stream, const DeviceRoof& request) {
  Pass pass = nullptr;
  for (const NamedRoof& roof : roofs)
    if (std::strcmp(roof.name, request.what) == 0) pass = roof.pass;
  if (pass == nullptr) return cudaErrorInvalidValue;
  DeviceProperties properties{};
  int code = device_properties(device, &properties);
  if (code != 0) return code;
  Roof r{stream, properties.multiprocessors, nullptr, request.bytes > 4096 ? request.bytes : 4096};
  code = cudaMalloc(reinterpret_cast<void**>(&r.data), static_cast<size_t>(r.bytes));
  if (code != cudaSuccess) {
    cudaGetLastError();
    return code;
  }
  cudaMemsetAsync(r.data, 0, static_cast<size_t>(r.bytes), stream);
  double amount = 0;
  int64_t times = 1;
  seconds_of(r, pass, times, &amount);  // the first launch of a kernel loads its code
  // One launch costs microseconds, so a window is made of as many passes as fill it.
  for (double taken = seconds_of(r, pass, times, &amount); taken < request.seconds && times < (int64_t{1} << 30);
       taken = seconds_of(r, pass, times, &amount))
    times = taken * 8 < request.seconds ? times * 8 : times * 2;
  for (int w = 0; w < request.windows; ++w) {
    const double taken = seconds_of(r, pass, times, &amount);
    request.rates[w] = amount / taken;
  }
  code = cudaGetLastError();
  cudaFree(r.data);
  return code;
}

}  // namespace cuda
}  // namespace athanor
