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

/** Copies x, of the same dtype and of out's shape or broadcast to it, into out. In copy.cc. */
void copy_view(Context* ctx, const View& out, const View& x);

/** The view itself where its elements lie in row-major order without gaps, else a copy that lives as long as the call.
 *  In copy.cc. */
View dense_view(const Call& c, const View& v);

}  // namespace ATHANOR_ISA
}  // namespace athanor
