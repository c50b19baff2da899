// Walking several operands of one shape together: dimensions that all of them cross with a fixed step are merged, so
// most calls end as one flat loop, and what is left runs as rows.
#pragma once
#include "cpu/parallel.h"

namespace athanor {
namespace ATHANOR_ISA {

/** The merged shape of N operands and, for each, its strides in elements. The last dimension is the inner loop. */
template <int N>
struct Walk {
  int ndim = 0;
  int64_t shape[kMaxDims];
  int64_t strides[N][kMaxDims];
  void* data[N];

  int64_t elements() const {
    int64_t n = 1;
    for (int d = 0; d < ndim; ++d) n *= shape[d];
    return n;
  }
};

/** Lines the operands up with operand 0, which has the full shape; missing and 1-sized dimensions repeat (stride 0). */
template <int N>
ATHANOR_ALWAYS_INLINE Walk<N> make_walk(const View* const (&views)[N]) {
  Walk<N> w;
  const View& full = *views[0];
  for (int k = 0; k < N; ++k) w.data[k] = views[k]->data;
  for (int d = 0; d < full.ndim; ++d) {
    const int64_t size = full.shape[d];
    if (size == 1) continue;
    int64_t step[N];
    for (int k = 0; k < N; ++k) {
      const View& v = *views[k];
      const int own = d - (full.ndim - v.ndim);
      step[k] = own < 0 || v.shape[own] == 1 ? 0 : v.strides[own];
    }
    const int last = w.ndim - 1;
    bool merges = last >= 0;
    for (int k = 0; k < N; ++k) merges = merges && w.strides[k][last] == step[k] * size;
    const int at = merges ? last : w.ndim++;
    w.shape[at] = merges ? w.shape[at] * size : size;
    for (int k = 0; k < N; ++k) w.strides[k][at] = step[k];
  }
  if (w.ndim == 0) {
    w.ndim = 1;
    w.shape[0] = 1;
    for (int k = 0; k < N; ++k) w.strides[k][0] = 0;
  }
  return w;
}

/**
 * row(n, offsets) for the rows, whole or in part, that hold elements [begin, end) in row-major order: `offsets[k]` is
 * the element offset of operand k at the piece's first element, its step is strides[k][ndim - 1].
 */
template <int N, class F>
ATHANOR_ALWAYS_INLINE void rows_between(const Walk<N>& w, int64_t begin, int64_t end, const F& row) {
  const int inner = w.ndim - 1;
  int64_t index[kMaxDims], offsets[N];
  int64_t rest = begin;
  for (int k = 0; k < N; ++k) offsets[k] = 0;
  for (int d = inner; d >= 0; --d) {
    index[d] = rest % w.shape[d];
    rest /= w.shape[d];
    for (int k = 0; k < N; ++k) offsets[k] += index[d] * w.strides[k][d];
  }
  for (int64_t at = begin; at < end;) {
    const int64_t n = min_of(w.shape[inner] - index[inner], end - at);
    row(n, static_cast<const int64_t*>(offsets));
    at += n;
    for (int k = 0; k < N; ++k) offsets[k] -= index[inner] * w.strides[k][inner];
    index[inner] = 0;
    for (int d = inner - 1; d >= 0; --d) {
      for (int k = 0; k < N; ++k) offsets[k] += w.strides[k][d];
      if (++index[d] < w.shape[d]) break;
      for (int k = 0; k < N; ++k) offsets[k] -= w.shape[d] * w.strides[k][d];
      index[d] = 0;
    }
  }
}

/** rows_between over all of the walk, in parallel. */
template <int N, class F>
ATHANOR_ALWAYS_INLINE void for_rows(Context* ctx, const Walk<N>& w, int64_t grain, const F& row) {
  parallel_for(ctx, w.elements(), grain, [&](int64_t begin, int64_t end) { rows_between(w, begin, end, row); });
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
