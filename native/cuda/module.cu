// The module's table: what core/device_module.h asks for, in terms of the CUDA runtime.
#include <chrono>
#include <cstdio>
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

const char* describe(int code) { return explain(static_cast<cudaError_t>(code)); }

/** Runs `body` with the device chosen for this thread, as every call of the runtime wants it. */
template <class F>
int on(int device, const F& body) {
  int code = choose_device(device);
  if (code == cudaSuccess) code = body();
  if (code != cudaSuccess) cudaGetLastError();  // told here, or the next launch would be blamed for it
  return code;
}

/** A stream, and the device that must be chosen where events are made. */
struct Queue {
  cudaStream_t stream;
  int device;
};

/** body(stream) with the queue's device chosen. */
template <class F>
int on_queue(void* queue, const F& body) {
  const Queue& q = *static_cast<Queue*>(queue);
  return on(q.device, [&] { return body(q.stream); });
}

int allocate(int device, size_t bytes, void** data) {
  *data = nullptr;
  const int code = on(device, [&] { return cudaMalloc(data, bytes); });
  if (code == cudaSuccess) return 0;
  *data = nullptr;
  return code == cudaErrorMemoryAllocation ? 0 : code;
}

void release(int device, void* data) {
  on(device, [&] {
    cudaDeviceSynchronize();  // cudaFree() is not said to wait for streams that do not block
    return cudaFree(data);
  });
}

void* allocate_host(int device, size_t bytes) {
  void* data = nullptr;
  return on(device, [&] { return cudaMallocHost(&data, bytes); }) == cudaSuccess ? data : nullptr;
}
void release_host(void* data) { cudaFreeHost(data); }

int queue_copy(void* queue, void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  return on_queue(queue, [&](cudaStream_t stream) { return cudaMemcpyAsync(to, from, bytes, kind, stream); });
}
int copy_in(void* queue, void* to, const void* from, size_t bytes) {
  return queue_copy(queue, to, from, bytes, cudaMemcpyHostToDevice);
}
int copy_out(void* queue, void* to, const void* from, size_t bytes) {
  return queue_copy(queue, to, from, bytes, cudaMemcpyDeviceToHost);
}
int copy_within(void* queue, void* to, const void* from, size_t bytes) {
  return queue_copy(queue, to, from, bytes, cudaMemcpyDeviceToDevice);
}

__global__ void write_bits(uint64_t* to, uint64_t bits) { *to = bits; }

int open_queue(int device, void** queue) {
  auto* made = new Queue{nullptr, device};
  *queue = made;
  return on(device, [&] {
    cudaFuncAttributes attributes;  // of any kernel: an error where there is no code for the chip
    const cudaError_t code = cudaFuncGetAttributes(&attributes, write_bits);
    return code == cudaSuccess ? create_stream(&made->stream) : code;
  });
}

int write_number(void* queue, void* to, uint64_t bits) {
  return on_queue(queue, [&](cudaStream_t stream) {
    return start(stream, write_bits, dim3(1), dim3(1), 0, static_cast<uint64_t*>(to), bits);
  });
}

// Elementwise kernels take numbers as arguments.
int takes_literals(const char* op) {
  for (const OpKernels* family : {unary, binary, copy})
    for (const OpKernels* k = family; k->op != nullptr; ++k)
      if (std::strcmp(k->op, op) == 0) return 1;
  return 0;
}

int record(void* queue, void** event) {
  return on_queue(queue, [&](cudaStream_t stream) {
    cudaEvent_t made = nullptr;
    cudaError_t code = create_event(&made);
    if (code == cudaSuccess) code = cudaEventRecord(made, stream);
    *event = made;
    return code;
  });
}
int passed(int device, void* event) {
  return on(device, [&] {
           const cudaError_t code = cudaEventQuery(static_cast<cudaEvent_t>(event));
           // A broken device will not use the memory again either.
           if (code != cudaErrorNotReady) cudaEventDestroy(static_cast<cudaEvent_t>(event));
           return code;
         }) != cudaErrorNotReady;
}
int await_event(int device, void* event) {
  return on(device, [&] {
    // A thread that sleeps is woken tens of microseconds late, so what is nearly over is looked at for that long first.
    constexpr std::chrono::microseconds patience{50};
    const auto begin = std::chrono::steady_clock::now();
    cudaError_t code = cudaErrorNotReady;
    while (code == cudaErrorNotReady && std::chrono::steady_clock::now() - begin < patience)
      code = cudaEventQuery(static_cast<cudaEvent_t>(event));
    cudaGetLastError();  // "not ready" is remembered like an error
    if (code == cudaErrorNotReady) code = cudaEventSynchronize(static_cast<cudaEvent_t>(event));
    cudaEventDestroy(static_cast<cudaEvent_t>(event));
    return code;
  });
}
int synchronize(void* queue) { return on_queue(queue, cudaStreamSynchronize); }

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

const char* explain(cudaError_t error) {
  switch (error) {
    case cudaErrorECCUncorrectable:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalAddress:
    case cudaErrorIllegalInstruction:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorMisalignedAddress: {
      // Whoever calls next is told, whatever it was that did it.
      thread_local char text[512];
      std::snprintf(text, sizeof text,
                    "%s, in this or an earlier call (ATHANOR_SYNC=1 tells which); this process can use the device no "
                    "more",
                    cudaGetErrorString(error));
      return text;
    }
    default: return cudaGetErrorString(error);
  }
}

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
