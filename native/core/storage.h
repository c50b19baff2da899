// A refcounted buffer. Its memory is taken when the task that fills it runs, and goes back to the allocator when the
// last holder lets go: a JavaScript handle, or a queued task, which is what makes the release happen in stream order.
#pragma once
#include <atomic>
#include <memory>

#include "core/allocator.h"
#include "core/error.h"

namespace athanor {

/** Streams of one environment: 0 computes, 1 loads data ahead of it. */
constexpr int kStreams = 2;

/** Memory of a device that is not the CPU: in device.cc. */
Block allocate_on(int device, size_t bytes);
void release_on(int device, Block block) noexcept;

struct Storage {
  explicit Storage(size_t size, int on = 0) : bytes(size), device(on) {}
  Storage(const Storage&) = delete;

  size_t bytes;
  int device;   // 0: the CPU
  Block block;  // empty until the first write

  // The last submission of each stream that touches or writes this storage, so that the other stream can wait for it.
  // Read and set on the JavaScript thread only, when a task is submitted.
  uint64_t last_use[kStreams] = {};
  uint64_t last_write[kStreams] = {};

  std::shared_ptr<const Failure> failure;  // why the data never came to be

  void* data() const { return block.data; }
  void ensure_memory() {
    if (block.data == nullptr) block = device == 0 ? Allocator::cpu().allocate(bytes) : allocate_on(device, bytes);
  }

  /** Held by the caller alone: no other handle, no task in flight. */
  bool sole() const noexcept { return refs_.load(std::memory_order_acquire) == 1; }
  /** Makes a storage that the caller alone holds as good as new; memory of the CPU and of the right size stays with it.
   */
  void renew(size_t size, int on = 0) noexcept {
    if ((device | on) != 0 || Allocator::round_up(size) != block.capacity) {
      give_back();
      block = Block{};
    }
    bytes = size;
    device = on;
    for (int i = 0; i < kStreams; ++i) last_use[i] = last_write[i] = 0;
    failure.reset();
  }

  void retain() noexcept { refs_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

 private:
  ~Storage() { give_back(); }
  void give_back() noexcept {
    if (device == 0)
      Allocator::cpu().release(block);
    else
      release_on(device, block);
  }
  std::atomic<int32_t> refs_{1};
};

}  // namespace athanor
