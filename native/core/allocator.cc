#include "core/allocator.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "core/error.h"
#include "core/quota.h"
#include "core/settings.h"

namespace athanor {
namespace {

constexpr size_t kMinimum = 64;       // one cache line: also the alignment of every block
constexpr size_t kMapFrom = 1 << 20;  // from here on blocks are pages of their own, so trimming returns them whole
constexpr size_t kHugePage = 2u << 20;
constexpr size_t kCacheFloor = size_t{256} << 20;

int floor_log2(size_t n) { return 63 - __builtin_clzll(n); }

// Sub-steps of a doubling: 4 wastes at most a fifth on small blocks, 8 at most a ninth on large ones.
int steps_log2(size_t bytes) { return bytes <= kMapFrom ? 2 : 3; }

/** The machine's memory, or the part of it that the process may use. */
size_t physical_memory() {
  const long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGE_SIZE);
  const size_t machine =
      pages > 0 && size > 0 ? static_cast<size_t>(pages) * static_cast<size_t>(size) : size_t{4} << 30;
  const size_t quota = memory_quota();
  return quota == 0 ? machine : std::min(machine, quota);
}

void* system_allocate(size_t capacity) noexcept {
  if (capacity < kMapFrom) return std::aligned_alloc(kMinimum, capacity);
  void* p = mmap(nullptr, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return nullptr;
#ifdef MADV_HUGEPAGE
  if (capacity >= 2 * kHugePage) madvise(p, capacity, MADV_HUGEPAGE);
#endif
  return p;
}

void system_release(void* p, size_t capacity) noexcept {
  if (capacity < kMapFrom)
    std::free(p);
  else
    munmap(p, capacity);
}

}  // namespace

Allocator& Allocator::cpu() {
  static Allocator* instance = new Allocator;  // never destroyed: finalizers of a late garbage collection still use it
  return *instance;
}

Allocator::Allocator() : physical_(physical_memory()), cache_limit_(std::max(kCacheFloor, physical_ / 8)) {
  stats_.limit_bytes = settings().memory_limit;
}

size_t Allocator::round_up(size_t bytes) noexcept {
  if (bytes <= kMinimum) return kMinimum;
  if (bytes > (size_t{1} << 62)) return bytes;  // refused by the system, not by an overflow here
  const size_t step = std::max(kMinimum, (size_t{1} << floor_log2(bytes)) >> steps_log2(bytes));
  return (bytes + step - 1) / step * step;
}

int Allocator::class_index(size_t capacity) noexcept {
  const int log = floor_log2(capacity);
  return log * 8 + static_cast<int>((capacity - (size_t{1} << log)) >> (log > 3 ? log - 3 : 0));
}

void* Allocator::take_cached(size_t capacity) noexcept {
  const size_t index = static_cast<size_t>(class_index(capacity));
  if (index >= free_.size() || free_[index].empty()) return nullptr;
  void* p = free_[index].back();
  free_[index].pop_back();
  stats_.cached_bytes -= capacity;
  return p;
}

Block Allocator::allocate(size_t bytes) {
  const size_t capacity = round_up(bytes);
  std::lock_guard<std::mutex> lock(mutex_);
  void* p = take_cached(capacity);
  const auto over_limit = [&] {
    return stats_.limit_bytes != 0 && stats_.live_bytes + stats_.cached_bytes + capacity > stats_.limit_bytes;
  };
  if (p == nullptr) {
    if (over_limit()) trim_locked(0);
    if (!over_limit()) {
      ++stats_.system_calls;
      p = system_allocate(capacity);
      if (p == nullptr) {
        trim_locked(0);
        p = system_allocate(capacity);
      }
    }
  }
  if (p == nullptr) {
    throw OutOfMemory(format("out of memory on cpu: %zu bytes were asked for with %zu live%s", bytes, stats_.live_bytes,
                             stats_.limit_bytes ? format(" and a limit of %zu", stats_.limit_bytes).c_str() : ""));
  }
  stats_.live_bytes += capacity;
  stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.live_bytes);
  return {p, capacity};
}

void Allocator::release(Block block) noexcept {
  if (block.data == nullptr) return;
  std::lock_guard<std::mutex> lock(mutex_);
  stats_.live_bytes -= block.capacity;
  const size_t index = static_cast<size_t>(class_index(block.capacity));
  if (index >= free_.size()) {
    free_.resize(index + 1);
    class_bytes_.resize(index + 1);
  }
  class_bytes_[index] = block.capacity;
  free_[index].push_back(block.data);
  stats_.cached_bytes += block.capacity;
  if (stats_.cached_bytes > cache_limit_) trim_locked(cache_limit_ / 2);
}

void Allocator::trim_locked(size_t keep) noexcept {
  for (size_t i = free_.size(); i-- > 0 && stats_.cached_bytes > keep;) {
    while (!free_[i].empty() && stats_.cached_bytes > keep) {
      system_release(free_[i].back(), class_bytes_[i]);
      free_[i].pop_back();
      stats_.cached_bytes -= class_bytes_[i];
    }
  }
}

void Allocator::trim(size_t keep) noexcept {
  std::lock_guard<std::mutex> lock(mutex_);
  trim_locked(keep);
}

void Allocator::set_limit(size_t bytes) noexcept {
  std::lock_guard<std::mutex> lock(mutex_);
  stats_.limit_bytes = bytes;
}

size_t Allocator::available() const noexcept {
  std::lock_guard<std::mutex> lock(mutex_);
  return stats_.limit_bytes != 0 ? stats_.limit_bytes : physical_;
}

bool Allocator::tight(size_t more) const noexcept {
  std::lock_guard<std::mutex> lock(mutex_);
  return stats_.live_bytes + more > (stats_.limit_bytes != 0 ? stats_.limit_bytes : physical_) / 2;
}

void Allocator::reset_peak() noexcept {
  std::lock_guard<std::mutex> lock(mutex_);
  stats_.peak_bytes = stats_.live_bytes;
}

MemoryStats Allocator::stats() const noexcept {
  std::lock_guard<std::mutex> lock(mutex_);
  return stats_;
}

}  // namespace athanor
