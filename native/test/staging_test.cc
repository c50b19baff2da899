#include "core/staging.h"

#include <cstdlib>
#include <set>

#include "test/check.h"

using athanor::StagingPool;

namespace {

/** A device that has passed the marks up to a number; a mark is its number. */
struct Marks {
  static uintptr_t passed;
  static int waits;
  static void* mark(uintptr_t number) { return reinterpret_cast<void*>(number); }
  static StagingPool::Driver driver() {
    passed = 0;
    waits = 0;
    return {[](int, size_t bytes) { return std::malloc(bytes); }, [](void* block) { std::free(block); }, 0,
            [](int, void* event) { return reinterpret_cast<uintptr_t>(event) <= passed ? 1 : 0; },
            [](int, void* event) {
              ++waits;
              if (passed < reinterpret_cast<uintptr_t>(event)) passed = reinterpret_cast<uintptr_t>(event);
              return 0;
            }};
  }
};
uintptr_t Marks::passed;
int Marks::waits;

}  // namespace

TEST(staging_blocks_come_back) {
  StagingPool pool(Marks::driver());
  void* block = pool.take();
  pool.give(block);
  CHECK_EQUAL(pool.take(), block);
  CHECK_EQUAL(pool.blocks(), 1u);
  pool.give(block);
}

TEST(staging_blocks_come_back_when_the_device_has_passed_them) {
  StagingPool pool(Marks::driver());
  void *first = pool.take(), *second = pool.take();
  pool.give_after(first, Marks::mark(1));
  pool.give_after(second, Marks::mark(2));
  void* third = pool.take();  // both are still in use
  CHECK(third != first && third != second);
  Marks::passed = 1;
  CHECK_EQUAL(pool.take(), first);
  CHECK_EQUAL(Marks::waits, 0);
  pool.give(first);
  pool.give(third);
}

TEST(staging_waits_for_the_oldest_when_enough_are_on_their_way) {
  StagingPool pool(Marks::driver());
  std::set<void*> blocks;
  for (size_t i = 0; i < StagingPool::kMost; ++i) {
    void* block = pool.take();
    blocks.insert(block);
    pool.give_after(block, Marks::mark(i + 1));
  }
  CHECK_EQUAL(blocks.size(), StagingPool::kMost);
  void* again = pool.take();
  CHECK(blocks.count(again) == 1);
  CHECK_EQUAL(Marks::waits, 1);
  CHECK_EQUAL(Marks::passed, uintptr_t{1});
  pool.give(again);
}
