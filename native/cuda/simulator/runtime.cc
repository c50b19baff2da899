#include "cuda/simulator/runtime.h"

#include "cuda/simulator/devices.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <deque>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

namespace athanor {
namespace simulator {

struct Stream {
  int device = 0;
  std::recursive_mutex mutex;
  std::deque<std::function<void()>> work;
  uint64_t enqueued = 0, done = 0;

  void drain_to(uint64_t until) {
    std::lock_guard<std::recursive_mutex> lock(mutex);
    while (done < until) {
      auto next = std::move(work.front());
      work.pop_front();
      ++done;
      next();
    }
  }
};

struct Event {
  int device = 0;
  Stream* stream = nullptr;
  uint64_t until = 0;
};

namespace {

constexpr size_t kMostPending = 256;  // a real queue has a bound too

struct Memory {
  std::mutex mutex;
  std::unordered_map<void*, size_t> live, host;  // of devices, and of the host where they may read it
  size_t bytes = 0;
  size_t limit = size_t{1} << 30;
  Memory() {
    if (const char* text = std::getenv("ATHANOR_SIMULATED_MEMORY")) limit = std::strtoull(text, nullptr, 10);
  }
};

Memory& memory() {
  static Memory* instance = new Memory;
  return *instance;
}

thread_local cudaError_t last_error = cudaSuccess;
thread_local int current_device = 0;
// As on a GPU, a kernel that went wrong makes every later call fail: nothing that it left behind can be trusted.
std::string& broken() {
  static std::string* what = new std::string;
  return *what;
}

cudaError_t state() { return broken().empty() ? cudaSuccess : cudaErrorLaunchFailure; }

/** The error of a call, kept as the thread's last one. */
cudaError_t told(cudaError_t error) {
  if (error != cudaSuccess) last_error = error;
  return error;
}

struct Streams {
  std::mutex mutex;
  std::vector<Stream*> all;
};
Streams& streams() {
  static auto* instance = new Streams;
  return *instance;
}

/** The shared memory that kernels were granted, by device. */
struct Granted {
  std::mutex mutex;
  std::map<std::pair<int, const void*>, size_t> bytes;
};
Granted& granted() {
  static auto* instance = new Granted;
  return *instance;
}

// As with a driver, the first call adds a handler to the end of the process, after which no call is safe.
bool ended = false;
void in_use() {
  static const int added = std::atexit([] { ended = true; });
  static_cast<void>(added);
  if (ended) std::abort();
}

constexpr size_t kUsualShared = 48 << 10;
constexpr size_t kMostShared = 227 << 10;

/** A kernel that breaks the device: the launch of this number (ATHANOR_SIMULATED_FAULT), counted from 1. */
bool faults_now() {
  static const char* const text = std::getenv("ATHANOR_SIMULATED_FAULT");
  static std::atomic<long> launches{0};
  return text != nullptr && ++launches == std::strtol(text, nullptr, 10);
}

}  // namespace

bool admit(Stream* stream, const void* kernel, dim3 grid, dim3 block, size_t shared) {
  in_use();
  const size_t threads = static_cast<size_t>(block.x) * block.y * block.z;
  const bool possible = grid.x > 0 && grid.y > 0 && grid.z > 0 && grid.x <= 0x7fffffffu && grid.y <= 65535 &&
                        grid.z <= 65535 && threads > 0 && threads <= 1024;
  if (stream->device != current_device) return told(cudaErrorInvalidResourceHandle) == cudaSuccess;
  if (!possible) return told(cudaErrorInvalidConfiguration) == cudaSuccess;
  if (shared > kUsualShared) {
    std::lock_guard<std::mutex> lock(granted().mutex);
    if (shared > granted().bytes[{current_device, kernel}]) return told(cudaErrorInvalidValue) == cudaSuccess;
  }
  if (faults_now()) enqueue(stream, [] { throw std::runtime_error("an illegal memory access was encountered"); });
  return told(state()) == cudaSuccess;
}

size_t granted_shared(const void* kernel) {
  std::lock_guard<std::mutex> lock(granted().mutex);
  return granted().bytes[{current_device, kernel}];
}

bool grant_shared(const void* kernel, int bytes) {
  if (bytes < 0 || static_cast<size_t>(bytes) > kMostShared) return false;
  std::lock_guard<std::mutex> lock(granted().mutex);
  granted().bytes[{current_device, kernel}] = static_cast<size_t>(bytes);
  return true;
}

std::vector<std::pair<uintptr_t, uintptr_t>> usable_memory() {
  auto& m = memory();
  std::lock_guard<std::mutex> lock(m.mutex);
  std::vector<std::pair<uintptr_t, uintptr_t>> out;
  for (const auto* all : {&m.live, &m.host})
    for (const auto& [data, bytes] : *all) {
      const auto begin = reinterpret_cast<uintptr_t>(data);
      out.emplace_back(begin, begin + bytes);
    }
  std::sort(out.begin(), out.end());
  return out;
}

void enqueue(Stream* stream, std::function<void()> work) {
  std::lock_guard<std::recursive_mutex> lock(stream->mutex);
  stream->work.push_back([work = std::move(work)] {
    if (!broken().empty()) return;
    try {
      work();
    } catch (const std::exception& e) {
      broken() = e.what();
    }
  });
  ++stream->enqueued;
  if (stream->work.size() > kMostPending) stream->drain_to(stream->enqueued);
}

}  // namespace simulator
}  // namespace athanor

using athanor::simulator::broken;
using athanor::simulator::current_device;
using athanor::simulator::in_use;
using athanor::simulator::last_error;
using athanor::simulator::memory;
using athanor::simulator::state;
using athanor::simulator::streams;
using athanor::simulator::told;

cudaError_t cudaGetLastError() {
  const cudaError_t error = last_error;
  last_error = cudaSuccess;
  return error;
}

cudaError_t cudaPeekAtLastError() { return last_error; }

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "no error";
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorInvalidValue: return "invalid argument";
    case cudaErrorInvalidConfiguration: return "invalid configuration argument";
    case cudaErrorNoDevice: return "no CUDA-capable device is detected";
    case cudaErrorInvalidDevice: return "invalid device ordinal";
    case cudaErrorInvalidResourceHandle: return "invalid resource handle";
    case cudaErrorNotReady: return "device not ready";
    default: return broken().empty() ? "unspecified launch failure" : broken().c_str();
  }
}

cudaError_t cudaSetDevice(int device) {
  in_use();
  if (device < 0 || device >= athanor::simulator::kDevices) return told(cudaErrorInvalidDevice);
  current_device = device;
  return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
  in_use();
  std::vector<cudaStream_t> all;
  {
    std::lock_guard<std::mutex> lock(streams().mutex);
    all = streams().all;
  }
  for (cudaStream_t stream : all)
    if (stream->device == current_device) stream->drain_to(stream->enqueued);
  return told(state());
}

cudaError_t cudaMalloc(void** out, size_t bytes) {
  in_use();
  *out = nullptr;
  if (state() != cudaSuccess) return told(state());
  auto& m = memory();
  std::lock_guard<std::mutex> lock(m.mutex);
  if (bytes > m.limit - m.bytes) return told(cudaErrorMemoryAllocation);
  *out = std::aligned_alloc(512, (bytes + 511) / 512 * 512);
  if (*out == nullptr) return told(cudaErrorMemoryAllocation);
  std::memset(*out, 0xff, bytes);
  m.live[*out] = bytes;
  m.bytes += bytes;
  return cudaSuccess;
}

// It waits for nobody: what still uses the memory reads what is no longer there.
cudaError_t cudaFree(void* data) {
  in_use();
  auto& m = memory();
  std::lock_guard<std::mutex> lock(m.mutex);
  const auto at = m.live.find(data);
  if (at == m.live.end()) return told(cudaErrorInvalidValue);
  m.bytes -= at->second;
  m.live.erase(at);
  std::free(data);
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void** out, size_t bytes) {
  in_use();
  *out = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  if (*out == nullptr) return told(cudaErrorMemoryAllocation);
  auto& m = memory();
  std::lock_guard<std::mutex> lock(m.mutex);
  m.host[*out] = bytes;
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void* data) {
  in_use();
  auto& m = memory();
  std::lock_guard<std::mutex> lock(m.mutex);
  if (m.host.erase(data) == 0) return told(cudaErrorInvalidValue);
  std::free(data);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  in_use();
  athanor::simulator::enqueue(stream, [=] { std::memcpy(to, from, bytes); });
  return told(state());
}
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  in_use();
  athanor::simulator::enqueue(stream, [=] { std::memset(to, value, bytes); });
  return told(state());
}

cudaError_t cudaStreamCreate(cudaStream_t* out) {
  in_use();
  *out = new athanor::simulator::Stream;
  (*out)->device = current_device;
  std::lock_guard<std::mutex> lock(streams().mutex);
  streams().all.push_back(*out);
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  in_use();
  stream->drain_to(stream->enqueued);
  return told(state());
}
cudaError_t cudaEventCreate(cudaEvent_t* out) {
  in_use();
  *out = new athanor::simulator::Event;
  (*out)->device = current_device;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  in_use();
  if (event->device != stream->device) return told(cudaErrorInvalidResourceHandle);
  std::lock_guard<std::recursive_mutex> lock(stream->mutex);
  event->stream = stream;
  event->until = stream->enqueued;
  return told(state());
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  in_use();
  if (event->stream != nullptr) event->stream->drain_to(event->until);
  return told(state());
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  in_use();
  if (event->stream == nullptr) return told(state());
  std::lock_guard<std::recursive_mutex> lock(event->stream->mutex);
  return told(event->stream->done >= event->until ? state() : cudaErrorNotReady);
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  in_use();
  delete event;
  return cudaSuccess;
}
