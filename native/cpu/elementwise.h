// The loops behind the lines of ops.def: unary and binary functors over any layout.
// Bound by memory bandwidth for arithmetic: (inputs + 1) * item size bytes and 1 FLOP per element. Split into flat
// pieces.
#pragma once
#include "cpu/dtypes.h"
#include "cpu/iterate.h"

namespace athanor {
namespace ATHANOR_ISA {

template <class F, class T, class R>
ATHANOR_ALWAYS_INLINE void unary_row(int64_t n, R* out, int64_t so, const T* x, int64_t sx) {
  if (so == 1 && sx == 1) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<R>(F::template apply<T>(x[i]));
  } else {
    for (int64_t i = 0; i < n; ++i) out[i * so] = static_cast<R>(F::template apply<T>(x[i * sx]));
  }
}

template <class F, class T, class R>
ATHANOR_ALWAYS_INLINE void binary_row(int64_t n, R* out, int64_t so, const T* a, int64_t sa, const T* b, int64_t sb) {
  if (so == 1 && sa == 1 && sb == 1) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<R>(F::template apply<T>(a[i], b[i]));
  } else if (so == 1 && sa == 1 && sb == 0) {
    const T y = *b;
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<R>(F::template apply<T>(a[i], y));
  } else if (so == 1 && sa == 0 && sb == 1) {
    const T y = *a;
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<R>(F::template apply<T>(y, b[i]));
  } else {
    for (int64_t i = 0; i < n; ++i) out[i * so] = static_cast<R>(F::template apply<T>(a[i * sa], b[i * sb]));
  }
}

/** out = F(x), element type T in, R out. */
template <class F, class T, class R>
void run_unary(const Call& c) {
  const Walk<2> w = make_walk<2>({&c.out[0], &c.in[0]});
  R* out = static_cast<R*>(w.data[0]);
  const T* x = static_cast<const T*>(w.data[1]);
  const int64_t so = w.strides[0][w.ndim - 1], sx = w.strides[1][w.ndim - 1];
  for_rows(c.ctx, w, kGrain,
           [&](int64_t n, const int64_t* at) { unary_row<F, T, R>(n, out + at[0], so, x + at[1], sx); });
}

/** out = F(a, b) with broadcasting; a and b have one element type T. */
template <class F, class T, class R>
void run_binary(const Call& c) {
  const Walk<3> w = make_walk<3>({&c.out[0], &c.in[0], &c.in[1]});
  R* out = static_cast<R*>(w.data[0]);
  const T *a = static_cast<const T*>(w.data[1]), *b = static_cast<const T*>(w.data[2]);
  const int64_t so = w.strides[0][w.ndim - 1], sa = w.strides[1][w.ndim - 1], sb = w.strides[2][w.ndim - 1];
  for_rows(c.ctx, w, kGrain, [&](int64_t n, const int64_t* at) {
    binary_row<F, T, R>(n, out + at[0], so, a + at[1], sa, b + at[2], sb);
  });
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
