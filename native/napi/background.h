// Threads beside the streams for what takes seconds (measurements): they end with the environment that started them.
#pragma once
#include <atomic>
#include <list>
#include <thread>
#include <utility>

namespace athanor {

class Background {
 public:
  /** Runs body(stop) on a thread of its own; it should end soon once stop is true. Throws std::system_error. */
  template <class Body>
  void run(Body body) {
    running_.remove_if([](One& one) {
      const bool ended = one.ended.load();
      if (ended) one.thread.join();
      return ended;
    });
    One& one = running_.emplace_back();
    try {
      one.thread = std::thread([this, &one, body = std::move(body)]() mutable {
        body(stop_);
        one.ended.store(true);
      });
    } catch (...) {
      running_.pop_back();
      throw;
    }
  }

  /** Tells all to end and waits for them. */
  void stop() {
    stop_.store(true);
    for (One& one : running_) one.thread.join();
    running_.clear();
  }

 private:
  struct One {
    std::thread thread;
    std::atomic<bool> ended{false};
  };
  std::list<One> running_;  // a list: its members stay where they are
  std::atomic<bool> stop_{false};
};

}  // namespace athanor
