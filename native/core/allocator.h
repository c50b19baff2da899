// The caching allocator of the CPU: freed blocks go to a free list of their size class and are handed out again, so a
// repeated training step asks the system for nothing and touches no new page.
#pragma once
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace athanor {

struct Block {
  void* data = nullptr;
  size_t capacity = 0;  // the size class, at least the bytes asked for
};

struct MemoryStats {
  size_t live_bytes = 0;      // handed out, by size class
  size_t cached_bytes = 0;    // free, kept for the next request
  size_t peak_bytes = 0;      // the most that was ever live
  size_t limit_bytes = 0;     // 0: none
  uint64_t system_calls = 0;  // blocks asked of the system since the start
};

/** One per process, shared by all streams; every member may be called from any thread. */
class Allocator {
 public:
  static Allocator& cpu();

  /** 64-byte aligned, uninitialised. Trims the cache and tries again before it throws OutOfMemory. */
  Block allocate(size_t bytes);
  void release(Block block) noexcept;

  /** Gives cached blocks back to the system, the largest first, until at most `keep` bytes stay cached. */
  void trim(size_t keep = 0) noexcept;
  void set_limit(size_t bytes) noexcept;
  void reset_peak() noexcept;
  /** Whether `more` bytes would take what is live past half of the limit (none set: of the machine's memory). */
  bool tight(size_t more) const noexcept;
  /** The most bytes there can be: the limit, or else the memory of the machine or container. */
  size_t available() const noexcept;
  MemoryStats stats() const noexcept;

  /** Bytes of the size class that serves a request: four classes a doubling up to 1 MiB, eight above. */
  static size_t round_up(size_t bytes) noexcept;

 private:
  Allocator();
  static int class_index(size_t capacity) noexcept;
  void* take_cached(size_t capacity) noexcept;
  void trim_locked(size_t keep) noexcept;

  mutable std::mutex mutex_;
  std::vector<std::vector<void*>> free_;  // by class index
  std::vector<size_t> class_bytes_;
  MemoryStats stats_;
  const size_t physical_;
  size_t cache_limit_;
};

}  // namespace athanor
