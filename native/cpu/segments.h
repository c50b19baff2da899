// Parallel loops over many tensors in one call: their elements are laid end to end and cut evenly, so that a network's
// one large weight and its many small biases keep all threads equally busy.
#pragma once
#include "cpu/iterate.h"

namespace athanor {
namespace ATHANOR_ISA {

/** Cuts fall on multiples of this many elements of a tensor: whole vectors at every width, whole cache lines. */
constexpr int64_t kCut = 64;

/** body(k, begin, end) over pieces of `count` tensors; tensor k has length(k) elements. */
template <class L, class F>
ATHANOR_ALWAYS_INLINE void parallel_segments(Context* ctx, int count, int64_t cut, int64_t grain, const L& length,
                                             const F& body) {
  int64_t total = 0;
  for (int k = 0; k < count; ++k) total += length(k);
  parallel_for(ctx, total, grain, [&](int64_t begin, int64_t end) {
    int64_t start = 0;
    for (int k = 0; k < count && start < end; ++k) {
      const int64_t n = length(k);
      const auto place = [&](int64_t at) { return at <= start ? 0 : (at - start >= n ? n : (at - start) / cut * cut); };
      const int64_t from = place(begin), to = place(end);
      if (from < to) body(k, from, to);
      start += n;
    }
  });
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
