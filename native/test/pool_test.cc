#include "cpu/runtime/pool.h"

#if defined(__linux__)
#include <sched.h>
#endif

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "test/check.h"

using athanor::Pool;

namespace {

using Counts = std::vector<std::atomic<int>>;

void visit(void* closure, int64_t i) { (*static_cast<Counts*>(closure))[static_cast<size_t>(i)].fetch_add(1); }

bool all_once(const Counts& counts) {
  for (const auto& n : counts)
    if (n.load() != 1) return false;
  return true;
}

struct RestoreThreads {
  const int threads = Pool::instance().threads();
  ~RestoreThreads() { Pool::instance().set_threads(threads); }
};

}  // namespace

TEST(pool_runs_every_index_once) {
  RestoreThreads restore;
  for (int threads : {1, 2, 3, 8}) {
    Pool::instance().set_threads(threads);
    CHECK_EQUAL(Pool::instance().threads(), threads);
    for (size_t count : {0u, 1u, 2u, 7u, 1000u}) {
      Counts counts(count);
      Pool::instance().run(static_cast<int64_t>(count), &counts, visit);
      CHECK(all_once(counts));
    }
  }
}

TEST(pool_starts_short_loops_back_to_back) {
  RestoreThreads restore;
  Pool::instance().set_threads(4);
  for (int round = 0; round < 5000; ++round) {
    Counts counts(static_cast<size_t>(2 + round % 5));
    Pool::instance().run(static_cast<int64_t>(counts.size()), &counts, visit);
    CHECK(all_once(counts));
  }
}

TEST(pool_gives_a_thread_the_same_share_each_time) {
  RestoreThreads restore;
  Pool::instance().set_threads(4);
  CHECK_EQUAL(Pool::instance().threads(), 4);
  struct Meeting {
    std::atomic<int> begun{0};
    std::thread::id by[4];
  };
  std::thread::id first[4];
  for (int round = 0; round < 20; ++round) {
    Meeting meeting;
    Pool::instance().run(4, &meeting, [](void* closure, int64_t i) {
      auto& m = *static_cast<Meeting*>(closure);
      m.by[i] = std::this_thread::get_id();
      ++m.begun;
      while (m.begun.load() < 4) std::this_thread::yield();  // so that nobody is done before all have begun
    });
    for (int i = 0; i < 4; ++i) {
      if (round == 0) first[i] = meeting.by[i];
      CHECK(meeting.by[i] == first[i]);
    }
  }
}

TEST(pool_serves_callers_at_once) {
  RestoreThreads restore;
  Pool::instance().set_threads(3);
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t) {
    callers.emplace_back([&wrong] {
      for (int round = 0; round < 500; ++round) {
        Counts counts(64);
        Pool::instance().run(64, &counts, visit);
        if (!all_once(counts)) ++wrong;
      }
    });
  }
  for (auto& caller : callers) caller.join();
  CHECK_EQUAL(wrong.load(), 0);
}

TEST(pool_wakes_from_sleep) {
  RestoreThreads restore;
  Pool::instance().set_threads(3);
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // longer than the workers look for work
    Counts counts(100);
    Pool::instance().run(100, &counts, visit);
    CHECK(all_once(counts));
  }
}

#if defined(__linux__)
namespace {

cpu_set_t processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof set, &set);
  return set;
}

/** Where each thread of a loop may run; the caller's is the first. */
std::vector<cpu_set_t> processors_of_all(int threads) {
  struct Meeting {
    std::vector<cpu_set_t> sets;
    std::atomic<int> begun{0};
  };
  Meeting meeting{std::vector<cpu_set_t>(static_cast<size_t>(threads))};
  Pool::instance().run(threads, &meeting, [](void* closure, int64_t i) {
    auto& m = *static_cast<Meeting*>(closure);
    m.sets[static_cast<size_t>(i)] = processors();
    ++m.begun;
    while (m.begun.load() < static_cast<int>(m.sets.size())) std::this_thread::yield();
  });
  return meeting.sets;
}

}  // namespace

TEST(pool_workers_leave_its_processor_to_the_caller) {
  RestoreThreads restore;
  const cpu_set_t allowed = processors();
  const int count = CPU_COUNT(&allowed);
  if (count > 1) {
    Pool::instance().set_threads(2);
    const std::vector<cpu_set_t> sets = processors_of_all(2);
    CHECK(CPU_EQUAL(&sets[0], &allowed));
    cpu_set_t both;
    CPU_AND(&both, &sets[1], &allowed);
    CHECK(CPU_EQUAL(&both, &sets[1]));
    CHECK_EQUAL(CPU_COUNT(&sets[1]), count - 1);
  }
  Pool::instance().set_threads(count + 1);  // more threads than processors: the system shares them out
  for (const cpu_set_t& set : processors_of_all(count + 1)) CHECK(CPU_EQUAL(&set, &allowed));
}
#endif
