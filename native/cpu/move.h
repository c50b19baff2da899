// Moving elements without looking at them: by size, so that one loop serves every dtype of that size.
#pragma once
#include "cpu/dtypes.h"
#include "cpu/iterate.h"

namespace athanor {
namespace ATHANOR_ISA {

/** f(tag) with an unsigned integer type as wide as one element. */
template <class F>
ATHANOR_ALWAYS_INLINE void with_word(DType t, const F& f) {
  switch (item_size(t)) {
    case 1: f(Tag<uint8_t>{}); break;
    case 2: f(Tag<uint16_t>{}); break;
    case 4: f(Tag<uint32_t>{}); break;
    default: f(Tag<uint64_t>{}); break;
  }
}

/** out[i * so] = x[i * sx] for i in [0, n). */
template <class W>
ATHANOR_ALWAYS_INLINE void move_row(int64_t n, W* out, int64_t so, const W* x, int64_t sx) {
  if (so == 1 && sx == 1) {
    __builtin_memcpy(out, x, static_cast<size_t>(n) * sizeof(W));
  } else if (so == 1 && sx == 0) {
    const W value = *x;
    for (int64_t i = 0; i < n; ++i) out[i] = value;
  } else {
    for (int64_t i = 0; i < n; ++i) out[i * so] = x[i * sx];
  }
}

/** The same bits for dimensions [from, to) of a view alone, at its first element. */
ATHANOR_ALWAYS_INLINE View dims_of(const View& v, int from, int to) {
  View part = v;
  part.ndim = to - from;
  for (int d = from; d < to; ++d) {
    part.shape[d - from] = v.shape[d];
    part.strides[d - from] = v.strides[d];
  }
  return part;
}

/** The shape of a view, laid out in row-major order without gaps in other memory. */
ATHANOR_ALWAYS_INLINE View dense_like(const View& v, void* data) {
  View dense = v;
  dense.data = data;
  int64_t step = 1;
  for (int d = v.ndim - 1; d >= 0; --d) {
    dense.strides[d] = step;
    step *= v.shape[d];
  }
  return dense;
}

/** Copies x, of the same dtype and of out's shape or broadcast to it, into out. */
ATHANOR_ALWAYS_INLINE void copy_view(Context* ctx, const View& out, const View& x) {
  const Walk<2> w = make_walk<2>({&out, &x});
  with_word(out.dtype, [&](auto tag) {
    using W = typename decltype(tag)::type;
    W* to = static_cast<W*>(w.data[0]);
    const W* from = static_cast<const W*>(w.data[1]);
    const int64_t so = w.strides[0][w.ndim - 1], sx = w.strides[1][w.ndim - 1];
    for_rows(ctx, w, kGrain, [&](int64_t n, const int64_t* at) { move_row(n, to + at[0], so, from + at[1], sx); });
  });
}

/** copy_view() for calls that are seldom made: one copy of the code a file, instead of one a call. */
static inline __attribute__((noinline)) void copy_view_apart(Context* ctx, const View& out, const View& x) {
  copy_view(ctx, out, x);
}

/** The view itself where its elements lie in row-major order without gaps, else a copy that lives as long as the call.
 */
static inline __attribute__((noinline)) View dense_view(const Call& c, const View& v) {
  if (is_contiguous(v)) return v;
  const View dense = dense_like(v, c.ctx->scratch(c.ctx, static_cast<size_t>(numel(v)) * item_size(v.dtype)));
  copy_view_apart(c.ctx, dense, v);
  return dense;
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
