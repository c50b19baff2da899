#pragma once
#include "core/view.h"

namespace athanor {
namespace ATHANOR_ISA {

/** Sizes of the pieces that are kept in each cache. */
template <class T>
struct Blocking {
#if defined(__AVX512F__)
  // A panel of A of this depth is 28 KiB and stays in the first-level cache (32 KiB or more) while panels of B stream
  // by from the second, which holds an item's share of 512 KiB on every machine with AVX-512 (1 MiB or more). Half the
  // depth would pass over C twice as often: a tenth slower from 2048 cubed up.
  static constexpr int64_t depth = 2048 / static_cast<int64_t>(sizeof(T));
  static constexpr int64_t local = 512 * 1024 / static_cast<int64_t>(sizeof(T));
#else
  // A panel of B of this depth is 16 KiB, half of a first-level cache; second-level caches begin at 256 KiB.
  static constexpr int64_t depth = 1024 / static_cast<int64_t>(sizeof(T));
  static constexpr int64_t local = 192 * 1024 / static_cast<int64_t>(sizeof(T));
#endif
  // What all threads share: stays in the last-level cache.
  static constexpr int64_t shared = 4 * 1024 * 1024 / static_cast<int64_t>(sizeof(T));
  // Multiply-adds below which waking a second thread costs more than it saves: about 5 us of one core.
  static constexpr int64_t worth_sharing = 500 * 1000;
};

}  // namespace ATHANOR_ISA
}  // namespace athanor
