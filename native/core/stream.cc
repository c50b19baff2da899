#include "core/stream.h"

#include <algorithm>

#include "core/allocator.h"
#include "core/device_task.h"
#include "cpu/runtime/spin.h"

namespace athanor {
namespace {

// Deep enough that a step of a large network is queued without a wait, so a loop that awaits once a step never blocks.
constexpr size_t kTasks = 4096;
// What a producer that never awaits may have promised before it waits. Memory is taken when a task runs, so this bounds
// how much can come to life behind the producer's back before it (and the garbage collector) gets a turn: this much, or
// a quarter of what memory there may be. Below the second figure nobody asks.
constexpr size_t kBytes = size_t{2} << 30;
constexpr size_t kFewBytes = size_t{16} << 20;
constexpr int kSpins = 2000;  // tens of microseconds: the gap between two calls of a training step

constexpr uint64_t kNothing = UINT64_MAX;  // no sleeping waiter

}  // namespace

Stream::Stream(int index, OnRead on_read) : index_(index), first_awaited_(kNothing), on_read_(on_read) {}

Stream::~Stream() { close(); }

Task& Stream::begin() {
  if (ring_.empty()) ring_.resize(kTasks);
  // Half of it must drain before the producer goes on: woken for each task, it would take the core from the next one.
  if (submitted_ - completed() >= kTasks) wait(submitted_ - kTasks / 2);
  if (bytes_in_flight_.load(std::memory_order_relaxed) > kFewBytes) {
    const size_t most = std::min(kBytes, Allocator::cpu().available() / 4);
    const bool much = bytes_in_flight_.load(std::memory_order_relaxed) > most;
    while (much && bytes_in_flight_.load(std::memory_order_relaxed) > most / 2 && !idle())
      wait(completed() + (submitted_ - completed() + 3) / 4);
  }
  Task& task = ring_[submitted_ % kTasks];
  task.sequence = submitted_ + 1;
  return task;
}

std::shared_ptr<const Failure> Stream::run_inline(Task& task) {
  // Over by the time anyone can ask, so it leaves the peer nothing to wait for; it waits itself when all runs at once.
  peer_->wait(needed_of_peer(task));
  auto failure = execute(task);
  // What an input brought along is told where data is read, whether the call that made it had ended by now or not.
  bool inherited = false;
  for (int i = 0; failure && i < task.n_operands; ++i) {
    const Operand& o = task.operands[static_cast<size_t>(i)];
    inherited |= o.role != Role::output && o.storage != nullptr && o.storage->failure == failure;
  }
  task.clear();
  if (!inherited) return failure;
  remember(std::move(failure));
  return nullptr;
}

void Stream::remember(std::shared_ptr<const Failure> failure) {
  std::lock_guard<std::mutex> lock(failure_mutex_);
  if (!first_failure_) first_failure_ = std::move(failure);
  has_failure_.store(true, std::memory_order_release);
}

void Stream::start() {
  if (!executor_.joinable()) executor_ = std::thread([this] { run(); });
}

uint64_t Stream::submit(Task& task) {
  start();
  depend_on_peer(task);
  bytes_in_flight_.fetch_add(task.output_bytes, std::memory_order_relaxed);
  ++submitted_;
  published_.store(submitted_, std::memory_order_seq_cst);
  if (executor_sleeps_.load(std::memory_order_seq_cst)) {
    std::lock_guard<std::mutex> lock(mutex_);
    has_work_.notify_one();
  }
  return submitted_;
}

void Stream::wait(uint64_t sequence) {
  for (int turn = 0; turn < kSpins; ++turn) {
    if (completed() >= sequence) return;
    cpu_relax();
  }
  std::unique_lock<std::mutex> lock(mutex_);
  awaited_.push_back(sequence);
  publish_awaited();
  has_progress_.wait(lock, [&] { return completed_.load(std::memory_order_seq_cst) >= sequence || closing_.load(); });
  awaited_.erase(std::find(awaited_.begin(), awaited_.end(), sequence));
  publish_awaited();
}

void Stream::publish_awaited() {
  const auto least = std::min_element(awaited_.begin(), awaited_.end());
  first_awaited_.store(least == awaited_.end() ? kNothing : *least, std::memory_order_seq_cst);
}

// A reader waits for the peer's last write, a writer also for its last read.
uint64_t Stream::needed_of_peer(const Task& task) const {
  const int peer = 1 - index_;
  uint64_t needed = 0;
  for (int i = 0; i < task.n_operands; ++i) {
    const Storage* s = task.operands[static_cast<size_t>(i)].storage;
    if (s != nullptr) needed = std::max(needed, i >= task.n_in ? s->last_use[peer] : s->last_write[peer]);
  }
  return task.read.storage == nullptr ? needed : std::max(needed, task.read.storage->last_write[peer]);
}

// A device's driver may wait for room in its queue, which would hold up the producer.
bool Stream::runs_inline(const Task& task) const {
  return task.device == 0 && task.op >= 0 && idle() && needed_of_peer(task) <= peer_->completed();
}

void Stream::depend_on_peer(Task& task) {
  task.after = needed_of_peer(task);
  for (int i = 0; i < task.n_operands; ++i) {
    Storage* s = task.operands[static_cast<size_t>(i)].storage;
    if (s == nullptr) continue;
    s->last_use[index_] = task.sequence;
    if (i >= task.n_in) s->last_write[index_] = task.sequence;
  }
  if (task.read.storage != nullptr) task.read.storage->last_use[index_] = task.sequence;
}

void Stream::run_task(Task& task) {
  if (task.after != 0) peer_->wait(task.after);
  if (closing_.load(std::memory_order_acquire)) return;  // the peer may have stopped before it made our input
  const bool from_device = task.op == kRead && task.read.storage->device != 0;
  const bool is_read = task.op == kRead && !from_device;
  void* const reader = task.read.reader;
  const uint64_t read_id = task.read.id;
  std::shared_ptr<const Failure> failure;
  if (from_device) {
    if (!device_reads_) device_reads_ = std::make_unique<DeviceReads>();
    device_reads_->begin(task.read, on_read_);
  } else {
    failure = execute(task);
  }
  if (failure && !is_read) remember(failure);
  const size_t bytes = task.output_bytes;
  task.clear();
  bytes_in_flight_.fetch_sub(bytes, std::memory_order_relaxed);
  const uint64_t now = completed_.load(std::memory_order_relaxed) + 1;
  completed_.store(now, std::memory_order_seq_cst);
  if (now >= first_awaited_.load(std::memory_order_seq_cst)) {
    std::lock_guard<std::mutex> lock(mutex_);
    has_progress_.notify_all();
  }
  if (is_read) on_read_(reader, read_id, std::move(failure));
}

void Stream::run() {
  for (;;) {
    const uint64_t next = completed_.load(std::memory_order_relaxed);
    for (int turn = 0; turn < kSpins && published_.load(std::memory_order_acquire) == next; ++turn) {
      if (closing_.load(std::memory_order_relaxed)) return;
      cpu_relax();
    }
    if (published_.load(std::memory_order_acquire) == next) {
      std::unique_lock<std::mutex> lock(mutex_);
      executor_sleeps_.store(true, std::memory_order_seq_cst);
      has_work_.wait(lock, [&] { return closing_.load() || published_.load(std::memory_order_seq_cst) != next; });
      executor_sleeps_.store(false, std::memory_order_relaxed);
    }
    if (closing_.load(std::memory_order_relaxed)) return;
    run_task(ring_[next % kTasks]);
  }
}

std::shared_ptr<const Failure> Stream::take_failure() {
  if (!has_failure_.load(std::memory_order_acquire)) return nullptr;
  std::lock_guard<std::mutex> lock(failure_mutex_);
  has_failure_.store(false, std::memory_order_release);
  return std::move(first_failure_);
}

void Stream::delivered(const std::shared_ptr<const Failure>& failure) {
  std::lock_guard<std::mutex> lock(failure_mutex_);
  if (first_failure_ != failure) return;
  first_failure_.reset();
  has_failure_.store(false, std::memory_order_release);
}

void Stream::stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    closing_.store(true);
  }
  has_work_.notify_all();
  has_progress_.notify_all();
}

void Stream::close() {
  stop();
  if (executor_.joinable()) executor_.join();
  if (device_reads_) device_reads_->close();
  for (Task& task : ring_) task.clear();
}

}  // namespace athanor
