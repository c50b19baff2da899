#include "core/device_allocator.h"

#include <cstdlib>
#include <map>
#include <random>
#include <vector>

#include "core/error.h"
#include "test/check.h"

using athanor::Block;
using athanor::DeviceAllocator;

namespace {

constexpr size_t kMegabyte = size_t{1} << 20;

/** A driver with so much memory: addresses that nobody may touch. */
struct Driver {
  size_t room;
  size_t held = 0;
  uintptr_t next = 4096;
  std::map<void*, size_t> segments;

  explicit Driver(size_t bytes) : room(bytes) {}
  DeviceAllocator::Source source() {
    return {this,
            [](void* context, size_t bytes) -> void* {
              auto* self = static_cast<Driver*>(context);
              if (bytes > self->room - self->held) return nullptr;
              void* data = reinterpret_cast<void*>(self->next);
              self->next += (bytes + 4095) / 4096 * 4096 + 4096;
              self->held += bytes;
              self->segments[data] = bytes;
              return data;
            },
            [](void* context, void* data) noexcept {
              auto* self = static_cast<Driver*>(context);
              self->held -= self->segments.at(data);
              self->segments.erase(data);
            }};
  }
};

char* at(const Block& block) { return static_cast<char*>(block.data); }

}  // namespace

TEST(device_allocator_rounds_to_512_bytes) {
  CHECK_EQUAL(DeviceAllocator::round_up(0), 512u);
  CHECK_EQUAL(DeviceAllocator::round_up(512), 512u);
  CHECK_EQUAL(DeviceAllocator::round_up(513), 1024u);
}

TEST(device_allocator_shares_segments_and_joins_neighbours) {
  Driver driver(size_t{1} << 30);
  DeviceAllocator allocator("cuda:0", driver.source(), driver.room);
  const Block a = allocator.allocate(1000), b = allocator.allocate(1000), c = allocator.allocate(1000);
  CHECK_EQUAL(driver.segments.size(), 1u);
  CHECK_EQUAL(at(b) - at(a), 1024);
  CHECK_EQUAL(allocator.stats().live_bytes, 3072u);
  CHECK_EQUAL(allocator.stats().cached_bytes, 2 * kMegabyte - 3072);
  allocator.release(a);
  allocator.release(c);
  CHECK_EQUAL(allocator.allocate(900).data, a.data);  // the smallest piece that fits
  allocator.release(a);
  allocator.release(b);  // joins both neighbours: one free piece again
  const Block whole = allocator.allocate(kMegabyte);
  CHECK_EQUAL(whole.data, a.data);
  CHECK_EQUAL(allocator.stats().system_calls, 1u);
  allocator.release(whole);
  CHECK_EQUAL(allocator.stats().peak_bytes, kMegabyte);
  allocator.trim();
  CHECK_EQUAL(driver.held, 0u);
  CHECK_EQUAL(allocator.stats().cached_bytes, 0u);
}

TEST(device_allocator_keeps_large_blocks_apart_from_small_ones) {
  Driver driver(size_t{1} << 30);
  DeviceAllocator allocator("cuda:0", driver.source(), driver.room);
  const Block small = allocator.allocate(4096), medium = allocator.allocate(3 * kMegabyte);
  const Block large = allocator.allocate(33 * kMegabyte + 1);
  CHECK_EQUAL(driver.segments.at(small.data), 2 * kMegabyte);
  CHECK_EQUAL(driver.segments.at(medium.data), 20 * kMegabyte);
  CHECK_EQUAL(driver.segments.at(large.data), 34 * kMegabyte);
  // What is left of a segment holds the next of its kind.
  CHECK_EQUAL(at(allocator.allocate(5 * kMegabyte)) - at(medium), static_cast<ptrdiff_t>(3 * kMegabyte));
  CHECK_EQUAL(driver.segments.size(), 3u);
}

TEST(device_allocator_gives_a_piece_back_to_its_own_queue_only) {
  Driver driver(size_t{1} << 30);
  DeviceAllocator allocator("cuda:0", driver.source(), driver.room);
  const Block first = allocator.allocate(4096, 0);
  allocator.release(first);
  const Block other = allocator.allocate(4096, 1);
  CHECK(other.data != first.data);
  CHECK_EQUAL(allocator.allocate(4096, 0).data, first.data);
}

TEST(device_allocator_trims_and_tries_again_before_it_gives_up) {
  Driver driver(64 * kMegabyte);
  DeviceAllocator allocator("cuda:0", driver.source(), driver.room);
  const Block a = allocator.allocate(30 * kMegabyte), b = allocator.allocate(30 * kMegabyte);
  allocator.release(a);
  allocator.release(b);
  const Block c = allocator.allocate(50 * kMegabyte);  // fits only where both were
  CHECK_EQUAL(driver.segments.size(), 1u);
  CHECK_THROWS(allocator.allocate(20 * kMegabyte),
               "out of memory on cuda:0: 20971520 bytes were asked for with 52428800 live and 0 cached of 67108864");
  const Block d =
      allocator.allocate(10 * kMegabyte);  // too little is left for a usual segment, but not for the request
  allocator.release(c);
  allocator.release(d);
  allocator.release(allocator.allocate(60 * kMegabyte));
}

TEST(device_allocator_obeys_its_limit) {
  Driver driver(size_t{1} << 30);
  DeviceAllocator allocator("cuda:0", driver.source(), driver.room);
  allocator.set_limit(8 * kMegabyte);
  const Block a = allocator.allocate(6 * kMegabyte);
  CHECK(allocator.tight(0));
  CHECK_THROWS(allocator.allocate(3 * kMegabyte), "and a limit of 8388608");
  allocator.release(a);
  allocator.allocate(8 * kMegabyte);
}

TEST(device_allocator_never_hands_out_memory_twice) {
  Driver driver(size_t{1} << 32);
  DeviceAllocator allocator("cuda:0", driver.source(), driver.room);
  std::mt19937 random(7);
  std::map<char*, size_t> live;
  std::vector<Block> blocks;
  for (int step = 0; step < 20000; ++step) {
    if (blocks.size() > 200 || (!blocks.empty() && random() % 2 == 0)) {
      const size_t i = random() % blocks.size();
      live.erase(at(blocks[i]));
      allocator.release(blocks[i]);
      blocks[i] = blocks.back();
      blocks.pop_back();
      continue;
    }
    const size_t bytes = size_t{1} << random() % 24, wanted = bytes + random() % bytes;
    const Block block = allocator.allocate(wanted, static_cast<int>(random() % 2));
    CHECK(block.capacity >= wanted);
    const auto after = live.lower_bound(at(block));
    if (after != live.end()) CHECK(at(block) + block.capacity <= after->first);
    if (after != live.begin()) {
      const auto before = std::prev(after);
      CHECK(before->first + before->second <= at(block));
    }
    live[at(block)] = block.capacity;
    blocks.push_back(block);
  }
  for (const Block& block : blocks) allocator.release(block);
  CHECK_EQUAL(allocator.stats().live_bytes, 0u);
  CHECK_EQUAL(allocator.stats().cached_bytes, driver.held);
  allocator.trim();
  CHECK_EQUAL(driver.held, 0u);
}

TEST(device_allocator_without_a_cache_gives_each_request_a_segment_of_its_bytes) {
  Driver driver(size_t{1} << 30);
  DeviceAllocator allocator("cuda:0", driver.source(), driver.room, false);
  const Block a = allocator.allocate(1001), b = allocator.allocate(1000), none = allocator.allocate(0);
  CHECK_EQUAL(driver.segments.size(), 3u);
  CHECK_EQUAL(driver.segments.at(a.data), 1001u);
  CHECK_EQUAL(allocator.stats().live_bytes, 2002u);
  for (const Block& block : {a, b, none}) allocator.release(block);
  CHECK_EQUAL(driver.held, 0u);
  CHECK_EQUAL(allocator.stats().cached_bytes, 0u);
}
