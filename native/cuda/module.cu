// The module's table: what core/device_module.h asks for, in terms of the CUDA runtime.
#include <cstring>

#include "cuda/families.h"
#include "cuda/report.h"
#include "cuda/roof.h"

namespace athanor {
namespace cuda {
namespace {

#define FAMILY(name) name,
const OpKernels* const families[] = {
#include "cuda/families.def"
};
#undef FAMILY

#define COMPLAINT(name, text) text,
const char* const complaints[] = {
#include "cuda/complaints.def"
};
#undef COMPLAINT

const char* describe(int code) { return cudaGetErrorString(static_cast<cudaError_t>(code)); }

/** Runs `body` with the device chosen for this thread, as every call of the runtime wants it. */
template <class F>
int on(int device, const F& body) {
  const cudaError_t chosen = choose_device(device);
  return chosen != cudaSuccess ? chosen : body();
}

/** A stream, and the device that must be chosen where events are made. */
struct Queue {
  cudaStream_t stream;
  int device;
};

cudaStream_t stream_of(void* queue) { return static_cast<Queue*>(queue)->stream; }

void* allocate(int device, size_t bytes) {
  void* data = nullptr;
  if (on(device, [&] { return cudaMalloc(&data, bytes); }) == cudaSuccess) return data;
  cudaGetLastError();  // or the next launch would be blamed for it
  return nullptr;
}

void release(int device, void* data) {
  on(device, [&] { return cudaFree(data); });
}

void* allocate_host(size_t bytes) {
  void* data = nullptr;
  if (cudaMallocHost(&data, bytes) == cudaSuccess) return data;
  cudaGetLastError();
  return nullptr;
}
void release_host(void* data) { cudaFreeHost(data); }

int open_queue(int device, void** queue) {
  auto* made = new Queue{nullptr, device};
  *queue = made;
  return on(device, [&] { return create_stream(&made->stream); });
}

int copy_in(void* queue, void* to, const void* from, size_t bytes) {
  return cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_of(queue));
}
int copy_out(void* queue, void* to, const void* from, size_t bytes) {
  return cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_of(queue));
}
int copy_within(void* queue, void* to, const void* from, size_t bytes) {
  return cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream_of(queue));
}

__global__ void write_bits(uint64_t* to, uint64_t bits) { *to = bits; }

int write_number(void* queue, void* to, uint64_t bits) {
  Queue& q = *static_cast<Queue*>(queue);
  return on(q.device,
            [&] { return start(q.stream, write_bits, dim3(1), dim3(1), 0, static_cast<uint64_t*>(to), bits); });
}

// Elementwise kernels take numbers as arguments.
int takes_literals(const char* op) {
  for (const OpKernels* family : {unary, binary, copy})
    for (const OpKernels* k = family; k->op != nullptr; ++k)
      if (std::strcmp(k->op, op) == 0) return 1;
  return 0;
}

int record(void* queue, void** event) {
  return on(static_cast<Queue*>(queue)->device, [&] {
    cudaEvent_t made = nullptr;
    cudaError_t code = create_event(&made);
    if (code == cudaSuccess) code = cudaEventRecord(made, stream_of(queue));
    *event = made;
    return code;
  });
}
int passed(int device, void* event) {
  return on(device, [&] {
           const cudaError_t code = cudaEventQuery(static_cast<cudaEvent_t>(event));
           if (code == cudaErrorNotReady) {
             cudaGetLastError();
           } else {
             cudaEventDestroy(static_cast<cudaEvent_t>(event));  // a broken device will not use the memory again either
           }
           return code;
         }) != cudaErrorNotReady;
}
int await_event(int device, void* event) {
  return on(device, [&] {
    const cudaError_t code = cudaEventSynchronize(static_cast<cudaEvent_t>(event));
    cudaEventDestroy(static_cast<cudaEvent_t>(event));
    return code;
  });
}
int synchronize(void* queue) { return cudaStreamSynchronize(stream_of(queue)); }

int measure(void* queue, const DeviceRoof* request) {
  const Queue& q = *static_cast<Queue*>(queue);
  return on(q.device, [&] { return measure_roof(q.device, q.stream, *request); });
}

const DeviceModule table = {kDeviceAbi,
                            sizeof(DeviceModule),
                            "cuda",
                            families,
                            static_cast<int32_t>(sizeof families / sizeof *families),
                            complaints,
                            takes_literals,
                            count_devices,
                            device_properties,
                            describe,
                            allocate,
                            release,
                            allocate_host,
                            release_host,
                            open_queue,
                            copy_in,
                            copy_out,
                            copy_within,
                            write_number,
                            record,
                            passed,
                            await_event,
                            synchronize,
                            measure};

}  // namespace

cudaStream_t stream_of(const DeviceContext& ctx) {
  const Queue& queue = *static_cast<const Queue*>(ctx.queue);
  choose_device(queue.device);
  return queue.stream;
}

}  // namespace cuda
}  // namespace athanor

extern "C" __attribute__((visibility("default"))) const athanor::DeviceModule* athanor_device_module() {
  return &athanor::cuda::table;
}
