// What the ops that take indices share: int32 indices in row-major order, checked before anything is written.
#pragma once
#include "cpu/move.h"
#include "cpu/place.h"

namespace athanor {
namespace ATHANOR_ISA {

/** The indices of a view in row-major order: its own memory when it is dense, else a copy. */
static inline const int32_t* dense_indices(const Call& c, const View& index) {
  return dense_view(c, index).as<const int32_t>();
}

/** The place of the first index in [begin, end) that is not in [0, size); end when there is none. */
static inline int64_t first_out_of_range(const int32_t* index, int64_t begin, int64_t end, int64_t size) {
  constexpr int64_t kBlock = 1024;  // a branch-free scan of this many, then one look at the result
  const uint32_t limit = static_cast<uint32_t>(min_of<int64_t>(size, int64_t{1} << 31));  // negative ones are above it
  for (int64_t at = begin; at < end; at += kBlock) {
    const int64_t stop = min_of(end, at + kBlock);
    uint32_t outside = 0;
#pragma omp simd reduction(| : outside)
    for (int64_t i = at; i < stop; ++i) outside |= static_cast<uint32_t>(index[i]) >= limit;
    if (!outside) continue;
    for (int64_t i = at;; ++i)
      if (static_cast<uint32_t>(index[i]) >= limit) return i;
  }
  return end;
}

/** Whether all of n dense indices are in [0, size). If not, reports the first one, with its place in `shape`. */
static inline bool indices_fit(const Call& c, const View& shape, const int32_t* index, int64_t n, int64_t size) {
  const int64_t chunks = chunk_count(c.ctx, n, kGrain);
  auto* found = static_cast<int64_t*>(c.ctx->scratch(c.ctx, static_cast<size_t>(chunks) * sizeof(int64_t)));
  parallel_each(c.ctx, chunks, [&](int64_t i) {
    const int64_t begin = n * i / chunks, end = n * (i + 1) / chunks;
    const int64_t at = first_out_of_range(index, begin, end, size);
    found[i] = at == end ? -1 : at;
  });
  for (int64_t i = 0; i < chunks; ++i) {
    if (found[i] < 0) continue;
    c.ctx->fail(c.ctx, "index %d is out of range [0, %lld): at position %s", static_cast<int>(index[found[i]]),
                static_cast<long long>(size), Place(shape, found[i]).text);
    return false;
  }
  return true;
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
