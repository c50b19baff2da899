// The compute threads of the process, shared by the streams of all environments.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace athanor {

class Pool {
 public:
  using Body = void (*)(void* closure, int64_t i);

  static Pool& instance();

  /** Threads that work on one loop, the caller included. Starts at ATHANOR_NUM_THREADS or the cores we may use. */
  int threads() const { return threads_.load(std::memory_order_relaxed); }
  void set_threads(int n);

  /**
   * body(closure, i) for every i in [0, count), the caller working along; returns when all have ended. Each thread
   * begins with its own share, the same part of [0, count) every time, so that it finds what it left in its cache; who
   * is done helps the others. When another stream has the pool the caller does all of it alone, so two environments
   * never wait for each other. Bodies must not throw.
   */
  void run(int64_t count, void* closure, Body body);

 private:
  Pool();
  void start(int workers);
  void stop();
  void work(size_t own, uint32_t seen);  // begins with the loop after generation `seen`

  // The part of the loop that one thread begins with. `ticket` is generation << 32 | next index; taking an index is a
  // compare-and-swap that fails once the generation moved on, so a worker that wakes late can never touch a loop that
  // has ended.
  struct alignas(64) Share {
    std::atomic<uint64_t> ticket{0};
    std::atomic<int64_t> end{0};
  };
  /**
   * Keeps the workers off the processor that the caller runs on, where there is one for each thread. Linux, left to
   * itself, puts a woken thread behind the one that wakes it and leaves it there for milliseconds, beside an idle
   * processor: loops of 50 us took twice as long for hundreds of calls.
   */
  void leave_to_caller();
  void run_share(Share& share, uint32_t generation);
  void run_shares(size_t own, uint32_t generation);

  std::mutex owner_;  // held by the caller whose loop runs
  std::atomic<int> threads_{1};
  std::vector<std::thread> workers_;
  std::vector<Share> shares_;  // the caller's, then one a worker
  int caller_processor_ = -1;  // which the workers keep off; guarded by owner_

  // The loop on offer. Generations are odd; 0 names none.
  alignas(64) std::atomic<uint32_t> generation_{1};
  std::atomic<void*> closure_{nullptr};
  std::atomic<Body> body_{nullptr};
  alignas(64) std::atomic<int64_t> done_{0};

  alignas(64) std::mutex sleep_mutex_;
  std::condition_variable wake_;
  std::atomic<int> sleeping_{0};
  std::atomic<bool> stopping_{false};
};

}  // namespace athanor
