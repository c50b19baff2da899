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
   * body(closure, i) for every i in [0, count), the caller working along; returns when all have ended. When another
   * stream has the pool the caller does all of it alone, so two environments never wait for each other. Bodies must
   * not throw.
   */
  void run(int64_t count, void* closure, Body body);

 private:
  Pool();
  void start(int workers);
  void stop();
  void work();
  bool take_and_run(uint32_t generation);

  std::mutex owner_;  // held by the caller whose loop runs
  std::atomic<int> threads_{1};
  std::vector<std::thread> workers_;

  // The loop on offer. `ticket_` is generation << 32 | next index; taking an index is a compare-and-swap that fails
  // once the generation moved on, so a worker that wakes late can never touch a loop that has ended.
  std::atomic<uint64_t> ticket_{0};
  std::atomic<int64_t> count_{0};
  std::atomic<void*> closure_{nullptr};
  std::atomic<Body> body_{nullptr};
  alignas(64) std::atomic<int64_t> done_{0};

  alignas(64) std::mutex sleep_mutex_;
  std::condition_variable wake_;
  std::atomic<int> sleeping_{0};
  std::atomic<bool> stopping_{false};
};

}  // namespace athanor
