#include "cpu/runtime/pool.h"

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif

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

#if defined(__linux__)
// Telling a worker where it may run takes about a microsecond, each time the caller finds itself elsewhere.
constexpr size_t kMostTold = 16;
#endif

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
  caller_processor_ = -1;
  shares_ = std::vector<Share>(static_cast<size_t>(workers) + 1);
  // A thread that the system starts late takes part in the loop that began meanwhile.
  const uint32_t seen = generation_.load(std::memory_order_relaxed);
  try {
    for (size_t i = 1; i < shares_.size(); ++i) workers_.emplace_back([this, i, seen] { work(i, seen); });
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

void Pool::leave_to_caller() {
#if defined(__linux__)
  const int processor = sched_getcpu();
  if (processor == caller_processor_ || processor < 0 || workers_.size() > kMostTold) return;
  caller_processor_ = processor;
  cpu_set_t allowed;  // the caller's, so that workers follow when somebody moves the process to other processors
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < threads()) return;
  CPU_CLR(processor, &allowed);
  for (std::thread& worker : workers_) pthread_setaffinity_np(worker.native_handle(), sizeof allowed, &allowed);
#endif
}

void Pool::run_share(Share& share, uint32_t generation) {
  int64_t done = 0;
  uint64_t ticket = share.ticket.load(std::memory_order_acquire);
  while (static_cast<uint32_t>(ticket >> 32) == generation) {
    const int64_t i = static_cast<int64_t>(ticket & 0xffffffffu);
    if (i >= share.end.load(std::memory_order_relaxed)) break;
    Body body = body_.load(std::memory_order_relaxed);
    void* closure = closure_.load(std::memory_order_relaxed);
    // Success proves that the generation has not moved since it was read, hence that body and closure are its own.
    if (!share.ticket.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel)) continue;
    body(closure, i);
    ++done;
    ticket = share.ticket.load(std::memory_order_acquire);
  }
  if (done > 0) done_.fetch_add(done, std::memory_order_release);
}

void Pool::run_shares(size_t own, uint32_t generation) {
  for (size_t k = own; k < shares_.size(); ++k) run_share(shares_[k], generation);
  for (size_t k = 0; k < own; ++k) run_share(shares_[k], generation);
}

void Pool::run(int64_t count, void* closure, Body body) {
  if (count <= 0) return;
  std::unique_lock<std::mutex> lock(owner_, std::defer_lock);
  if (count == 1 || threads() == 1 || count > INT32_MAX || !lock.try_lock()) {
    for (int64_t i = 0; i < count; ++i) body(closure, i);
    return;
  }
  leave_to_caller();
  // Between two loops no ticket names a loop: nobody can take an index while the rest is written.
  const uint32_t generation = generation_.load(std::memory_order_relaxed) + 2;
  const int64_t shares = static_cast<int64_t>(shares_.size());
  body_.store(body, std::memory_order_relaxed);
  closure_.store(closure, std::memory_order_relaxed);
  done_.store(0, std::memory_order_relaxed);
  for (int64_t k = 0; k < shares; ++k) {
    Share& share = shares_[static_cast<size_t>(k)];
    share.end.store(count * (k + 1) / shares, std::memory_order_relaxed);
    const uint64_t first = static_cast<uint64_t>(count * k / shares);
    share.ticket.store(static_cast<uint64_t>(generation) << 32 | first, std::memory_order_release);
  }
  generation_.store(generation, std::memory_order_seq_cst);
  if (sleeping_.load(std::memory_order_seq_cst) > 0) {
    std::lock_guard<std::mutex> sleep_lock(sleep_mutex_);
    wake_.notify_all();
  }
  run_shares(0, generation);
  for (int spins = 0; done_.load(std::memory_order_acquire) < count; ++spins) spin_pause(spins);
  // Retire the generation: its tickets must not meet the next loop's body.
  for (Share& share : shares_) share.ticket.store(0, std::memory_order_release);
}

void Pool::work(size_t own, uint32_t seen) {
  for (;;) {
    int spins = 0;
    uint32_t generation = seen;
    while (!stopping_.load(std::memory_order_relaxed)) {
      generation = generation_.load(std::memory_order_acquire);
      if (generation != seen) break;
      if (++spins < kSpins) {
        cpu_relax();
        continue;
      }
      std::unique_lock<std::mutex> lock(sleep_mutex_);
      sleeping_.fetch_add(1, std::memory_order_seq_cst);
      wake_.wait(lock, [&] { return stopping_.load() || generation_.load(std::memory_order_seq_cst) != seen; });
      sleeping_.fetch_sub(1, std::memory_order_relaxed);
    }
    if (stopping_.load(std::memory_order_relaxed)) return;
    seen = generation;
    run_shares(own, generation);
  }
}

}  // namespace athanor
