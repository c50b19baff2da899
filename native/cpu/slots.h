// Private memory for the items of a parallel loop that has more items than threads.
#pragma once
#include "cpu/parallel.h"

namespace athanor {
namespace ATHANOR_ISA {

/** Room for `count` elements in the kernel's scratch memory. */
template <class T>
ATHANOR_ALWAYS_INLINE T* scratch_array(Context* ctx, int64_t count) {
  return static_cast<T*>(ctx->scratch(ctx, static_cast<size_t>(max_of<int64_t>(count, 1)) * sizeof(T)));
}

/** Gives back the scratch memory that was asked for during its life. */
class ScratchMark {
 public:
  explicit ScratchMark(Context* ctx) : ctx_(ctx), mark_(ctx->mark(ctx)) {}
  ~ScratchMark() { ctx_->rewind(ctx_, mark_); }
  ScratchMark(const ScratchMark&) = delete;

 private:
  Context* ctx_;
  size_t mark_;
};

/** One array a thread. An item takes a free one and gives it back; which one it gets must not matter to its result. */
template <class T>
class Slots {
 public:
  struct Slot {
    T* data;
    int index;
  };

  /** Call it before the loop: scratch memory is the kernel's own thread's to ask for. */
  Slots(Context* ctx, int64_t elements)
      : count_(ctx->threads), size_(ceil_div(elements, line) * line), taken_(scratch_array<char>(ctx, ctx->threads)) {
    data_ = elements > 0 ? scratch_array<T>(ctx, count_ * size_) : nullptr;
    for (int i = 0; i < count_; ++i) taken_[i] = 0;
  }

  Slot take() const {
    if (data_ == nullptr) return {nullptr, 0};
    for (int i = 0;; i = i + 1 < count_ ? i + 1 : 0)
      if (!__atomic_test_and_set(taken_ + i, __ATOMIC_ACQUIRE)) return {data_ + i * size_, i};
  }
  void give_back(Slot slot) const {
    if (data_ != nullptr) __atomic_clear(taken_ + slot.index, __ATOMIC_RELEASE);
  }

 private:
  static constexpr int64_t line = 64 / static_cast<int64_t>(sizeof(T));
  int count_;
  int64_t size_;
  char* taken_;
  T* data_;
};

}  // namespace ATHANOR_ISA
}  // namespace athanor
