#include "cuda/simulator/runtime.h"

#include <cstdlib>
#include <deque>
#include <mutex>
#include <stdexcept>
#include <string>
#include <unordered_map>

namespace athanor {
namespace simulator {

struct Stream {
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
  Stream* stream = nullptr;
  uint64_t until = 0;
};

namespace {

constexpr size_t kMostPending = 256;  // a real queue has a bound too

struct Memory {
  std::mutex mutex;
  std::unordered_map<void*, size_t> live;
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
// As on a GPU, a kernel that went wrong makes every later call fail: nothing that it left behind can be trusted.
std::string& broken() {
  static std::string* what = new std::string;
  return *what;
}

cudaError_t state() { return broken().empty() ? cudaSuccess : cudaErrorLaunchFailure; }

}  // namespace

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
using athanor::simulator::last_error;
using athanor::simulator::memory;
using athanor::simulator::state;

cudaError_t cudaGetLastError() {
  const cudaError_t error = last_error;
  last_error = cudaSuccess;
  return error;
}

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "no error";
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorInvalidValue: return "invalid argument";
    default: return broken().empty() ? "unspecified launch failure" : broken().c_str();
  }
}

cudaError_t cudaMalloc(void** out, size_t bytes) {
  auto& m = memory();
  std::lock_guard<std::mutex> lock(m.mutex);
  *out = nullptr;
  if (bytes > m.limit - m.bytes) return last_error = cudaErrorMemoryAllocation;
  *out = std::aligned_alloc(512, (bytes + 511) / 512 * 512);
  if (*out == nullptr) return last_error = cudaErrorMemoryAllocation;
  std::memset(*out, 0xff, bytes);
  m.live[*out] = bytes;
  m.bytes += bytes;
  return cudaSuccess;
}

cudaError_t cudaFree(void* data) {
  auto& m = memory();
  std::lock_guard<std::mutex> lock(m.mutex);
  const auto at = m.live.find(data);
  if (at == m.live.end()) return last_error = cudaErrorInvalidValue;
  m.bytes -= at->second;
  m.live.erase(at);
  std::free(data);
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void** out, size_t bytes) {
  *out = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  return *out == nullptr ? last_error = cudaErrorMemoryAllocation : cudaSuccess;
}
cudaError_t cudaFreeHost(void* data) {
  std::free(data);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  athanor::simulator::enqueue(stream, [=] { std::memcpy(to, from, bytes); });
  return state();
}
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  athanor::simulator::enqueue(stream, [=] { std::memset(to, value, bytes); });
  return state();
}

cudaError_t cudaStreamCreate(cudaStream_t* out) {
  *out = new athanor::simulator::Stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  stream->drain_to(stream->enqueued);
  return state();
}
cudaError_t cudaEventCreate(cudaEvent_t* out) {
  *out = new athanor::simulator::Event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  std::lock_guard<std::recursive_mutex> lock(stream->mutex);
  event->stream = stream;
  event->until = stream->enqueued;
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  if (event->stream != nullptr) event->stream->drain_to(event->until);
  return state();
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  if (event->stream == nullptr) return state();
  std::lock_guard<std::recursive_mutex> lock(event->stream->mutex);
  return event->stream->done >= event->until ? state() : cudaErrorNotReady;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
