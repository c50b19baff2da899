// Host memory that a device copies from and to by itself ("pinned"): blocks of one size, since pinning costs the system
// a millisecond and what was pinned is worth keeping. Larger copies go through it in pieces.
#pragma once
#include <cstddef>
#include <deque>
#include <mutex>
#include <vector>

namespace athanor {

class StagingPool {
 public:
  /** A piece of a copy: large enough that the bus, not the calls, bounds the copy. */
  static constexpr size_t kBytes = size_t{4} << 20;
  /** Past this many blocks take() waits for one that is in use by the device: 64 MiB of copies are on their way then.
   */
  static constexpr size_t kMost = 16;

  struct Driver {
    void* (*allocate)(int device, size_t bytes);
    void (*release)(void* block);
    int device;
    int (*passed)(int device, void* event);       // whether the device got to the mark, which is then freed
    int (*await_event)(int device, void* event);  // blocks until then
  };
  explicit StagingPool(const Driver& driver) : driver_(driver) {}
  ~StagingPool();
  StagingPool(const StagingPool&) = delete;

  /** A block of kBytes. Throws OutOfMemory. */
  void* take();
  void give(void* block) noexcept;
  /** Takes a block back that the device will have done with when it gets to `event`; the pool frees that. */
  void give_after(void* block, void* event);
  size_t blocks() const;  // ever made

 private:
  struct Busy {
    void* block;
    void* event;
  };
  const Driver driver_;
  mutable std::mutex mutex_;
  std::vector<void*> free_;
  std::deque<Busy> busy_;  // in the order of the device's queue
  size_t made_ = 0;
};

}  // namespace athanor
