// Parallel loops for kernels. A loop is cut by size and thread count alone, so a result never depends on which thread
// did what. Everything here is in the namespace of one instruction set: see CONTRIBUTING on why.
#pragma once
#include "core/view.h"

namespace athanor {
namespace ATHANOR_ISA {

/** Work that one thread should have at least, in elements of a cheap streaming loop: below, waking a thread costs more.
 */
constexpr int64_t kGrain = 16384;

template <class T>
ATHANOR_ALWAYS_INLINE constexpr T min_of(T a, T b) {
  return a < b ? a : b;
}
template <class T>
ATHANOR_ALWAYS_INLINE constexpr T max_of(T a, T b) {
  return a < b ? b : a;
}
ATHANOR_ALWAYS_INLINE int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/** body(i) for i in [0, count): each i on one thread, in any order. */
template <class F>
ATHANOR_ALWAYS_INLINE void parallel_each(Context* ctx, int64_t count, const F& body) {
  if (count == 1) {
    body(int64_t{0});
    return;
  }
  ctx->parallel(ctx, count, const_cast<F*>(&body), [](void* f, int64_t i) { (*static_cast<const F*>(f))(i); });
}

/** How many pieces a loop over n elements is cut into. */
ATHANOR_ALWAYS_INLINE int64_t chunk_count(const Context* ctx, int64_t n, int64_t grain) {
  return max_of<int64_t>(1, min_of<int64_t>(ctx->threads == 1 ? 1 : 4 * ctx->threads, n / max_of<int64_t>(grain, 1)));
}

/** body(begin, end) over pieces of [0, n), as equal as can be. */
template <class F>
ATHANOR_ALWAYS_INLINE void parallel_for(Context* ctx, int64_t n, int64_t grain, const F& body) {
  if (n <= 0) return;
  const int64_t chunks = chunk_count(ctx, n, grain);
  parallel_each(ctx, chunks, [&](int64_t i) { body(n * i / chunks, n * (i + 1) / chunks); });
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
