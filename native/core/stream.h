// An in-order queue of tasks with a thread that runs them. The JavaScript thread is the only producer; a cheap task on
// an idle stream runs right there, because handing it over would cost more than doing it.
#pragma once
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "core/task.h"

namespace athanor {

class DeviceReads;

class Stream {
 public:
  /** Called on the executor's thread when a read has ended; `failure` is null when it went well. */
  using OnRead = void (*)(void* reader, uint64_t id, std::shared_ptr<const Failure> failure);

  /** `index` is this stream's place in Storage::last_use. */
  Stream(int index, OnRead on_read);
  ~Stream();
  /** The other stream of the environment, which tasks here may have to wait for. */
  void set_peer(Stream* peer) { peer_ = peer; }
  Stream(const Stream&) = delete;

  // ---- the producer's side: one thread
  /** An empty slot to fill in; waits while the queue is full. Give it to run_inline() or submit(). */
  Task& begin();
  /** Everything submitted has ended: what follows may run on the producer's thread. */
  bool idle() const { return completed_.load(std::memory_order_acquire) == submitted_; }
  /** Nothing is before the task, here or on the peer: it would not wait. */
  bool runs_inline(const Task& task) const;
  /** Runs the task here. Returns its failure; one that an input brought along is left to the next sync point. */
  std::shared_ptr<const Failure> run_inline(Task& task);
  /** Starts the executor where it does not run yet. Throws std::system_error; after it submit() cannot fail. */
  void start();
  uint64_t submit(Task& task);

  // ---- any thread
  uint64_t completed() const { return completed_.load(std::memory_order_acquire); }
  uint64_t submitted() const { return submitted_; }
  /** Outputs of queued tasks, in bytes, that have no memory yet. */
  size_t bytes_in_flight() const { return bytes_in_flight_.load(std::memory_order_relaxed); }
  void wait(uint64_t sequence);

  /** The first failure that no sync point has delivered yet; the stream forgets it. */
  std::shared_ptr<const Failure> take_failure();
  /** Forgets `failure` if it is the undelivered one, because a read is delivering it. */
  void delivered(const std::shared_ptr<const Failure>& failure);

  /** Lets the current task end and no other begin. Streams that wait for each other are all told before one is closed.
   */
  void stop();
  /** stop(), joins the thread and drops what is queued. */
  void close();

 private:
  void run();
  void run_task(Task& task);
  void remember(std::shared_ptr<const Failure> failure);
  void publish_awaited();
  void depend_on_peer(Task& task);
  uint64_t needed_of_peer(const Task& task) const;

  const int index_;
  Stream* peer_ = nullptr;
  std::vector<Task> ring_;
  uint64_t submitted_ = 0;              // producer only
  std::atomic<uint64_t> published_{0};  // what the executor may run
  std::atomic<uint64_t> completed_{0};
  std::atomic<size_t> bytes_in_flight_{0};  // of outputs yet to be made

  std::mutex mutex_;
  std::condition_variable has_work_, has_progress_;
  std::atomic<bool> executor_sleeps_{false};
  std::vector<uint64_t> awaited_;        // what sleeping waiters wait for; guarded by mutex_
  std::atomic<uint64_t> first_awaited_;  // the least of them: only its end wakes anyone
  std::atomic<bool> closing_{false};

  std::mutex failure_mutex_;
  std::shared_ptr<const Failure> first_failure_;
  std::atomic<bool> has_failure_{false};

  OnRead on_read_;
  std::unique_ptr<DeviceReads> device_reads_;  // made by the first of them
  std::thread executor_;                       // started by the first submission
};

}  // namespace athanor
