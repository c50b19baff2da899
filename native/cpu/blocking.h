#pragma once
#include "core/view.h"

namespace athanor {
namespace ATHANOR_ISA {

/** Sizes of the pieces that are kept in each cache. */
template <class T>
struct Blocking {
  // One panel of B: 256 steps of two full vectors are 32 KiB with AVX-512, two thirds of a first-level cache.
  static constexpr int64_t depth = 256;
  // What an item packs for itself: half of a second-level cache of 512 KiB or more, beside what streams through it.
  static constexpr int64_t local = 256 * 1024 / static_cast<int64_t>(sizeof(T));
  // What all threads share: stays in the last-level cache.
  static constexpr int64_t shared = 4 * 1024 * 1024 / static_cast<int64_t>(sizeof(T));
  // Multiply-adds below which waking a second thread costs more than it saves: about 5 us of one core.
  static constexpr int64_t worth_sharing = 500 * 1000;
};

}  // namespace ATHANOR_ISA
}  // namespace athanor
