#include "core/staging.h"

#include "core/error.h"

namespace athanor {

StagingPool::~StagingPool() {
  for (const Busy& b : busy_) {
    driver_.await_event(driver_.device, b.event);
    driver_.release(b.block);
  }
  for (void* block : free_) driver_.release(block);
}

void* StagingPool::take() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!busy_.empty() && driver_.passed(driver_.device, busy_.front().event) != 0) {
    free_.push_back(busy_.front().block);
    busy_.pop_front();
  }
  if (!free_.empty()) {
    void* block = free_.back();
    free_.pop_back();
    return block;
  }
  if (made_ >= kMost && !busy_.empty()) {
    const Busy oldest = busy_.front();
    busy_.pop_front();
    lock.unlock();
    driver_.await_event(driver_.device, oldest.event);
    return oldest.block;
  }
  ++made_;
  free_.reserve(made_);  // so that give() never allocates
  lock.unlock();
  void* block = driver_.allocate(driver_.device, kBytes);
  if (block != nullptr) return block;
  lock.lock();
  --made_;
  throw OutOfMemory(format("out of pinned host memory: %zu bytes were asked for", kBytes));
}

void StagingPool::give(void* block) noexcept {
  std::lock_guard<std::mutex> lock(mutex_);
  free_.push_back(block);
}

void StagingPool::give_after(void* block, void* event) {
  std::lock_guard<std::mutex> lock(mutex_);
  busy_.push_back({block, event});
}

size_t StagingPool::blocks() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return made_;
}

}  // namespace athanor
