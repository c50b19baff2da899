// The caching allocator of a device: large segments are taken from the driver, which is slow and waits for the device,
// and cut into pieces; a freed piece joins its free neighbours and is handed out again.
//
// Memory is used in the order of a queue. A piece that was freed may still be read by work that the queue has not got
// to, so it is handed out again to the same queue only: what comes later there runs later. Pure C++: where segments
// come from is an argument.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>

#include "core/allocator.h"

namespace athanor {

class DeviceAllocator {
 public:
  struct Source {
    void* context;
    void* (*allocate)(void* context, size_t bytes);       // null: there is no more; throws where nothing can be had
    void (*release)(void* context, void* data) noexcept;  // must wait for all work that may use it
  };

  /**
   * `name` stands in messages; `physical` is what the device has. Without `cache` each request is a segment of exactly
   * its bytes, given back when it is freed: a tool that watches accesses sees where each buffer ends.
   */
  DeviceAllocator(std::string name, Source source, size_t physical, bool cache = true);
  ~DeviceAllocator();
  DeviceAllocator(const DeviceAllocator&) = delete;

  /** Aligned to 512 bytes, uninitialised. Gives cached segments back and tries again before it throws OutOfMemory. */
  Block allocate(size_t bytes, int queue = 0);
  void release(Block block) noexcept;
  /** Gives cached segments back until at most `keep` bytes stay cached; one of which a piece is in use cannot go. */
  void trim(size_t keep = 0) noexcept;

  void set_limit(size_t bytes) noexcept;
  void reset_peak() noexcept;
  /** Whether `more` bytes would take what is live past half of the limit (none set: of the device's memory). */
  bool tight(size_t more) const noexcept;
  /** The most bytes there can be: the limit, or else the device's memory. */
  size_t available() const noexcept;
  MemoryStats stats() const noexcept;

  static size_t round_up(size_t bytes) noexcept;

 private:
  struct Piece {
    char* data;
    size_t bytes;
    int queue;
    bool small, free;
    Piece *before, *after;  // neighbours within the segment
  };
  struct BySize {
    bool operator()(const Piece* a, const Piece* b) const {
      return a->bytes != b->bytes ? a->bytes < b->bytes : a->data < b->data;
    }
  };
  using Pool = std::set<Piece*, BySize>;
  Pool& pool_of(const Piece& piece) { return pools_[{piece.queue, piece.small}]; }

  Piece* take_cached(size_t bytes, int queue, bool small);
  Piece* take_segment(size_t bytes, int queue, bool small);
  void split(Piece* piece, size_t bytes);
  void absorb_next(Piece* piece);
  void trim_locked(size_t keep) noexcept;

  const std::string name_;
  const Source source_;
  size_t most() const { return stats_.limit_bytes != 0 ? stats_.limit_bytes : physical_; }

  const size_t physical_;
  const bool cache_;
  mutable std::mutex mutex_;
  std::map<std::pair<int, bool>, Pool> pools_;  // of free pieces, by queue and size
  std::unordered_map<void*, Piece*> live_;
  MemoryStats stats_;
};

}  // namespace athanor
