// What belongs to which of several devices, and what a launch must ask for, as the simulator is told by kernels and the
// module.
#include <thread>

#include "test/cuda_products.h"

using namespace athanor;
using namespace athanor::test;

namespace {

__global__ void write_one(float* out) { *out = 1; }

/** Runs on a thread of its own, whose device nobody has chosen. */
template <class F>
void on_a_new_thread(const F& body) {
  std::string failure;
  std::thread([&] {
    try {
      body();
    } catch (const std::exception& e) {
      failure = e.what();
    }
  }).join();
  if (!failure.empty()) throw CheckFailed(failure);
}

}  // namespace

TEST(cuda_kernels_run_on_the_device_of_their_queue) {
  // The widest tile, whose shared memory must be granted on the device that has the queue.
  Asked asked{DType::f32, Float32Precision::tf32, 1};
  asked.device = 1;
  on_a_new_thread([&] { product_is_right({128, 256, 64}, 0, asked); });
  CHECK_EQUAL(cudaSetDevice(0), cudaSuccess);
  product_is_right({128, 256, 64}, 0, asked);
}

TEST(cuda_copies_and_marks_run_on_the_device_of_their_queue) {
  const DeviceModule& module = *athanor_device_module();
  CudaContext context(1);
  on_a_new_thread([&] {
    void* data = nullptr;
    CHECK_EQUAL(module.allocate(1, 64, &data), 0);
    const float in[2] = {3, 4};
    float out[2] = {};
    CHECK_EQUAL(module.copy_in(context.queue, data, in, sizeof in), 0);
    CHECK_EQUAL(module.write_number(context.queue, static_cast<char*>(data) + 8, 7), 0);
    CHECK_EQUAL(module.copy_out(context.queue, out, data, sizeof out), 0);
    void* mark = nullptr;
    CHECK_EQUAL(module.record(context.queue, &mark), 0);
    CHECK_EQUAL(module.passed(1, mark), 0);
    CHECK_EQUAL(cudaGetLastError(), cudaSuccess);  // "not ready" is no error of whoever launches next
    CHECK_EQUAL(module.await_event(1, mark), 0);
    CHECK_EQUAL(out[0] + out[1], 7.0f);
    module.release(1, data);
  });
}

TEST(cuda_memory_goes_back_when_nobody_uses_it) {
  const DeviceModule& module = *athanor_device_module();
  CudaContext context;
  void* data = nullptr;
  float out = 0;
  CHECK_EQUAL(module.allocate(0, sizeof out, &data), 0);
  CHECK_EQUAL(module.write_number(context.queue, data, 0x3f800000u), 0);
  CHECK_EQUAL(module.copy_out(context.queue, &out, data, sizeof out), 0);
  module.release(0, data);  // waits for the copy
  CHECK_EQUAL(out, 1.0f);
}

TEST(cuda_memory_that_runs_out_is_no_error_of_the_next_launch) {
  const DeviceModule& module = *athanor_device_module();
  void* data = &data;
  CHECK_EQUAL(module.allocate(0, size_t{1} << 40, &data), 0);
  CHECK(data == nullptr);
  CHECK_EQUAL(cudaGetLastError(), cudaSuccess);
}

TEST(simulator_refuses_what_a_gpu_would_not_start) {
  CudaContext context(1);
  float out = 0;
  cudaStream_t stream = nullptr;
  CHECK_EQUAL(cudaSetDevice(0), cudaSuccess);
  CHECK_EQUAL(cudaStreamCreate(&stream), cudaSuccess);
  CHECK_EQUAL(cudaSetDevice(1), cudaSuccess);
  CHECK_EQUAL(cuda::start(stream, write_one, dim3(1), dim3(1), 0, &out), cudaErrorInvalidResourceHandle);
  CHECK_EQUAL(cudaSetDevice(0), cudaSuccess);
  CHECK_EQUAL(cuda::start(stream, write_one, dim3(1, 65536), dim3(1), 0, &out), cudaErrorInvalidConfiguration);
  simulator::launch(stream, dim3(1), dim3(1), 64 << 10, write_one, &out);  // nobody asked for so much
  CHECK_EQUAL(cudaGetLastError(), cudaErrorInvalidValue);
  CHECK_EQUAL(cuda::start(stream, write_one, dim3(1), dim3(1), 64 << 10, &out), cudaSuccess);
  CHECK_EQUAL(cudaStreamSynchronize(stream), cudaSuccess);
  CHECK_EQUAL(out, 1.0f);
}
