#include "core/allocator.h"

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "core/error.h"
#include "test/check.h"

using athanor::Allocator;
using athanor::Block;

namespace {

/** No limit and no cache before and after a test that looks at them. */
struct CleanAllocator {
  CleanAllocator() { reset(); }
  ~CleanAllocator() { reset(); }
  static void reset() {
    Allocator::cpu().set_limit(0);
    Allocator::cpu().trim();
  }
};

}  // namespace

TEST(allocator_size_classes_waste_little) {
  size_t previous = 0;
  for (size_t bytes = 0; bytes < (size_t{1} << 24); bytes += bytes / 7 + 1) {
    const size_t capacity = Allocator::round_up(bytes);
    CHECK(capacity >= bytes);
    CHECK(capacity >= previous);
    CHECK_EQUAL(capacity % 64, 0u);
    CHECK_EQUAL(Allocator::round_up(capacity), capacity);
    if (bytes >= 256) CHECK(capacity - bytes <= bytes / 4);
    previous = capacity;
  }
}

TEST(allocator_aligns_and_reuses) {
  CleanAllocator clean;
  Allocator& a = Allocator::cpu();
  for (size_t bytes : {size_t{0}, size_t{1}, size_t{63}, size_t{65}, size_t{4097}, (size_t{1} << 20) + 1}) {
    const Block first = a.allocate(bytes);
    CHECK_EQUAL(reinterpret_cast<uintptr_t>(first.data) % 64, 0u);
    std::memset(first.data, 0x5a, first.capacity);
    a.release(first);
    const uint64_t calls = a.stats().system_calls;
    const Block second = a.allocate(bytes);
    CHECK_EQUAL(second.data, first.data);
    CHECK_EQUAL(a.stats().system_calls, calls);
    a.release(second);
  }
}

TEST(allocator_counts_live_cached_and_peak) {
  CleanAllocator clean;
  Allocator& a = Allocator::cpu();
  const size_t live = a.stats().live_bytes;
  a.reset_peak();
  const Block x = a.allocate(1000), y = a.allocate(3000);
  const size_t both = x.capacity + y.capacity;
  CHECK_EQUAL(a.stats().live_bytes, live + both);
  a.release(x);
  a.release(y);
  CHECK_EQUAL(a.stats().live_bytes, live);
  CHECK_EQUAL(a.stats().cached_bytes, both);
  CHECK_EQUAL(a.stats().peak_bytes, live + both);
  a.trim(both - 1);
  CHECK(a.stats().cached_bytes < both);
  a.trim();
  CHECK_EQUAL(a.stats().cached_bytes, 0u);
}

TEST(allocator_limit_gives_up_the_cache_before_it_refuses) {
  CleanAllocator clean;
  Allocator& a = Allocator::cpu();
  a.release(a.allocate(1 << 16));  // cached, in the way of what comes
  a.set_limit(a.stats().live_bytes + (1 << 16) + (1 << 12));
  const Block x = a.allocate(48 << 10);
  CHECK_EQUAL(a.stats().cached_bytes, 0u);
  CHECK_THROWS(a.allocate(1 << 16), "out of memory on cpu: 65536 bytes were asked for");
  a.release(x);
  a.release(a.allocate(1 << 16));  // a refusal leaves nothing behind
  CHECK_THROWS(a.allocate(size_t{1} << 60), "out of memory");
}

TEST(allocator_serves_many_threads) {
  CleanAllocator clean;
  Allocator& a = Allocator::cpu();
  const size_t live = a.stats().live_bytes;
  std::atomic<int> damaged{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&a, &damaged, t] {
      uint32_t random = static_cast<uint32_t>(t) + 1;
      std::vector<Block> held;
      for (int i = 0; i < 2000; ++i) {
        random = random * 1664525u + 1013904223u;
        Block block = a.allocate(1 + random % 5000);
        std::memset(block.data, t, block.capacity);
        held.push_back(block);
        if (held.size() < 8) continue;
        const size_t which = random % held.size();
        const auto* bytes = static_cast<const unsigned char*>(held[which].data);
        if (bytes[0] != t || bytes[held[which].capacity - 1] != t) ++damaged;
        a.release(held[which]);
        held.erase(held.begin() + static_cast<std::ptrdiff_t>(which));
      }
      for (Block block : held) a.release(block);
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK_EQUAL(damaged.load(), 0);
  CHECK_EQUAL(a.stats().live_bytes, live);
}
