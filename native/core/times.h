// When tasks ran: written by the threads that run them while somebody profiles, read by the one who does.
#pragma once
#include <chrono>
#include <cstdint>
#include <mutex>
#include <vector>

namespace athanor {

/** Nanoseconds of the clock that process.hrtime() shows. */
inline int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/** One task that ran: the label its caller gave it, and when. */
struct TaskTime {
  int64_t label;
  int64_t start, end;  // now_ns()
};

class TaskTimes {
 public:
  void add(const TaskTime& time) {
    std::lock_guard<std::mutex> lock(mutex_);
    times_.push_back(time);
  }
  /** What has come together since the last call. */
  std::vector<TaskTime> take() {
    std::lock_guard<std::mutex> lock(mutex_);
    return std::move(times_);
  }

 private:
  std::mutex mutex_;
  std::vector<TaskTime> times_;
};

}  // namespace athanor
