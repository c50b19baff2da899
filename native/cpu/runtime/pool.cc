#include "cpu/runtime/pool.h"

#include <algorithm>
#include <system_error>

#include "core/quota.h"
#include "core/settings.h"
#include "cpu/runtime/spin.h"

namespace athanor {
namespace {

// A worker looks for the next loop this long before it sleeps: longer than the gap between two ops of a training step,
// shorter than what a sleeping neighbour would notice.
constexpr int kSpins = 2000;

int default_threads() {
  if (settings().threads > 0) return settings().threads;
  const int cores = static_cast<int>(std::thread::hardware_concurrency());  // honours the affinity mask
  const int quota = cpu_quota();
  return std::max(1, quota == 0 ? cores : std::min(cores, quota));
}

}  // namespace

Pool& Pool::instance() {
  static Pool* pool = new Pool;  // never destroyed: its threads may outlive static destruction
  return *pool;
}

Pool::Pool() { start(default_threads() - 1); }

void Pool::start(int workers) {
  stopping_.store(false);
  try {
    for (int i = 0; i < workers; ++i) workers_.emplace_back([this] { work(); });
  } catch (const std::system_error&) {
    // The system gives no more threads. Half of those that it gave do the work; the streams need some too.
    const int given = static_cast<int>(workers_.size());
    stop();
    return start(given / 2);
  }
  threads_.store(static_cast<int>(workers_.size()) + 1, std::memory_order_relaxed);
}

void Pool::stop() {
  {
    std::lock_guard<std::mutex> lock(sleep_mutex_);
    stopping_.store(true);
  }
  wake_.notify_all();
  for (auto& t : workers_) t.join();
  workers_.clear();
}

void Pool::set_threads(int n) {
  std::lock_guard<std::mutex> lock(owner_);
  if (n == threads()) return;
  stop();
  start(n - 1);
}

bool Pool::take_and_run(uint32_t generation) {
  uint64_t ticket = ticket_.load(std::memory_order_acquire);
  for (;;) {
    if (static_cast<uint32_t>(ticket >> 32) != generation) return false;
    const int64_t i = static_cast<int64_t>(ticket & 0xffffffffu);
    if (i >= count_.load(std::memory_order_relaxed)) return false;
    Body body = body_.load(std::memory_order_relaxed);
    void* closure = closure_.load(std::memory_order_relaxed);
    // Success proves that the generation has not moved since it was read, hence that body and closure are its own.
    if (!ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel)) continue;
    body(closure, i);
    done_.fetch_add(1, std::memory_order_release);
    return true;
  }
}

void Pool::run(int64_t count, void* closure, Body body) {
  if (count <= 0) return;
  std::unique_lock<std::mutex> lock(owner_, std::defer_lock);
  if (count == 1 || threads() == 1 || count > INT32_MAX || !lock.try_lock()) {
    for (int64_t i = 0; i < count; ++i) body(closure, i);
    return;
  }
  // Between two loops the generation names no loop and count is 0: nobody can take an index while the rest is written.
  const uint32_t generation = static_cast<uint32_t>(ticket_.load(std::memory_order_relaxed) >> 32) + 1;
  body_.store(body, std::memory_order_relaxed);
  closure_.store(closure, std::memory_order_relaxed);
  done_.store(0, std::memory_order_relaxed);
  count_.store(count, std::memory_order_relaxed);
  ticket_.store(static_cast<uint64_t>(generation) << 32, std::memory_order_seq_cst);
  if (sleeping_.load(std::memory_order_seq_cst) > 0) {
    std::lock_guard<std::mutex> sleep_lock(sleep_mutex_);
    wake_.notify_all();
  }
  while (take_and_run(generation)) {
  }
  for (int spins = 0; done_.load(std::memory_order_acquire) < count; ++spins) spin_pause(spins);
  // Retire the generation: its count must not meet the next loop's body.
  ticket_.store(static_cast<uint64_t>(generation + 1) << 32 | 0xffffffffu, std::memory_order_release);
  count_.store(0, std::memory_order_relaxed);
}

void Pool::work() {
  uint32_t seen = static_cast<uint32_t>(ticket_.load(std::memory_order_acquire) >> 32);
  for (;;) {
    int spins = 0;
    uint32_t generation = seen;
    while (!stopping_.load(std::memory_order_relaxed)) {
      generation = static_cast<uint32_t>(ticket_.load(std::memory_order_acquire) >> 32);
      if (generation != seen) break;
      if (++spins < kSpins) {
        cpu_relax();
        continue;
      }
      std::unique_lock<std::mutex> lock(sleep_mutex_);
      sleeping_.fetch_add(1, std::memory_order_seq_cst);
      wake_.wait(lock, [&] {
        return stopping_.load() || static_cast<uint32_t>(ticket_.load(std::memory_order_seq_cst) >> 32) != seen;
      });
      sleeping_.fetch_sub(1, std::memory_order_relaxed);
    }
    if (stopping_.load(std::memory_order_relaxed)) return;
    seen = generation;
    while (take_and_run(generation)) {
    }
  }
}

}  // namespace athanor
