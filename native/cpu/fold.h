// The loops behind the REDUCE lines of ops.def: any set of axes of any layout folded with one functor.
// Reads item size bytes and spends 1 FLOP per element: bound by read bandwidth, also where float32 is converted to
// float64 on the way. Split over results where there are enough, else over the longest folded dimension, with partial
// results combined in the order of the pieces.
//
// A functor F for input type T has: Acc<T> (accumulator), start<A>(), of(A x) applied to each element, fold(V a, V b)
// for numbers or vectors, finish(A a, A n) for the folded value of n elements.
#pragma once
#include "cpu/dtypes.h"
#include "cpu/fold_run.h"
#include "cpu/vectors.h"
#include "math/functions.h"
#include "math/reductions.h"

namespace athanor {
namespace ATHANOR_ISA {

template <class F, class T>
struct Fold {
  using A = typename F::template Acc<T>;
  using State = A;
  using R = typename FoldResult<T, A>::type;
  static constexpr int64_t kLanes = Lanes<A>::count;
  using V = typename Lanes<A>::type;

  ATHANOR_ALWAYS_INLINE A start() { return F::template start<A>(); }
  ATHANOR_ALWAYS_INLINE A merge(A a, A b, int64_t) { return F::fold(a, b); }
  ATHANOR_ALWAYS_INLINE A load(const T* x) { return F::of(static_cast<A>(*x)); }
  ATHANOR_ALWAYS_INLINE V load_vector(const T* x) { return F::of(load_lanes<A>(x)); }

  /** Folds n elements that lie side by side. */
  static A dense_row(const T* x, int64_t n) {
    A total = F::template start<A>();
    if (n >= kLanes) {
      // Four chains hide the latency of an addition.
      V a = splat<A>(total), b = a, c = a, d = a;
      for (; n >= 4 * kLanes; n -= 4 * kLanes, x += 4 * kLanes) {
        a = F::fold(a, load_vector(x));
        b = F::fold(b, load_vector(x + kLanes));
        c = F::fold(c, load_vector(x + 2 * kLanes));
        d = F::fold(d, load_vector(x + 3 * kLanes));
      }
      for (; n >= kLanes; n -= kLanes, x += kLanes) a = F::fold(a, load_vector(x));
      A lanes[kLanes];
      store_lanes<A>(lanes, F::fold(F::fold(a, b), F::fold(c, d)));
      for (int64_t half = kLanes / 2; half > 0; half /= 2)
        for (int64_t l = 0; l < half; ++l) lanes[l] = F::fold(lanes[l], lanes[l + half]);
      total = lanes[0];
    }
    for (int64_t i = 0; i < n; ++i) total = F::fold(total, load(x + i));
    return total;
  }

  /** Folds n elements with a step between them. */
  static A strided_row(const T* x, int64_t n, int64_t step) {
    constexpr int64_t kPiece = 512;  // fits L1 beside what is read
    T piece[kPiece];
    A total = F::template start<A>();
    for (int64_t i = 0; i < n; i += kPiece) {
      const int64_t k = min_of(kPiece, n - i);
      for (int64_t j = 0; j < k; ++j) piece[j] = x[(i + j) * step];
      total = F::fold(total, dense_row(piece, k));
    }
    return total;
  }

  ATHANOR_ALWAYS_INLINE A row(const T* x, int64_t n, int64_t step) {
    return step == 1 ? dense_row(x, n) : strided_row(x, n, step);
  }

  static constexpr int64_t kColumns = 1024;  // their accumulators and eight rows of them fit L1

  static void columns_of(const FoldPlan& p, const T* x, int64_t n, int64_t step, A* acc) {
    T dense[8 * kColumns];
    for (int64_t c = 0; c < n; ++c) acc[c] = F::template start<A>();
    Odometer r = Odometer::at(p.folded, p.n_folded, 0);
    for (int64_t row = 0; row < p.count;) {
      const T* from[8];
      const int64_t count = row + 8 <= p.count ? 8 : 1;
      for (int64_t k = 0; k < count; ++k, r.next()) from[k] = x + r.in;
      if (step != 1) lay_dense(from, count, n, step, dense);
      if (count == 8) {
        fold_8(acc, from, n);
      } else {
        fold_1(acc, from[0], n);
      }
      row += count;
    }
  }

  ATHANOR_ALWAYS_INLINE void fold_1(A* acc, const T* x, int64_t n) {
#pragma omp simd
    for (int64_t c = 0; c < n; ++c) acc[c] = F::fold(acc[c], load(x + c));
  }
  // Eight rows at a time, so that the accumulators are loaded and stored once for eight elements.
  ATHANOR_ALWAYS_INLINE void fold_8(A* acc, const T* const (&x)[8], int64_t n) {
    const T *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3], *x4 = x[4], *x5 = x[5], *x6 = x[6], *x7 = x[7];
#pragma omp simd
    for (int64_t c = 0; c < n; ++c) {
      const A a = F::fold(F::fold(load(x0 + c), load(x1 + c)), F::fold(load(x2 + c), load(x3 + c)));
      const A b = F::fold(F::fold(load(x4 + c), load(x5 + c)), F::fold(load(x6 + c), load(x7 + c)));
      acc[c] = F::fold(acc[c], F::fold(a, b));
    }
  }

  // A few columns fill no vector. Rows that follow each other without a gap are taken `group` at a time as one long
  // row.
  static constexpr int64_t kNarrow = 64, kGrouped = 256;

  static void narrow_columns(const FoldPlan& p, const T* x, int64_t n, A* acc) {
    const FoldDim last = p.folded[p.n_folded - 1];
    const int64_t group = min_of(last.size, ceil_div(kGrouped, n)), whole = last.size / group;
    A grouped[kColumns];
    FoldPlan part = p;
    FoldDim& inner = part.folded[p.n_folded - 1];
    inner = {whole, last.in * group, 0};
    part.count = p.count / last.size * whole;
    columns_of(part, x, n * group, 1, grouped);
    for (int64_t c = 0; c < n; ++c) acc[c] = grouped[c];
    for (int64_t g = 1; g < group; ++g)
      for (int64_t c = 0; c < n; ++c) acc[c] = F::fold(acc[c], grouped[g * n + c]);
    if (whole * group == last.size) return;
    inner = {last.size - whole * group, last.in, 0};
    part.count = p.count / last.size * inner.size;
    columns_of(part, x + whole * group * last.in, n, 1, grouped);
    for (int64_t c = 0; c < n; ++c) acc[c] = F::fold(acc[c], grouped[c]);
  }

  /** acc[c] = fold of column c over all folded dimensions, for n <= kColumns columns `step` apart. */
  static void columns(const FoldPlan& p, const T* x, int64_t n, int64_t step, A* acc) {
    const bool dense = p.n_folded > 0 && p.count > 0 && step == 1 && p.folded[p.n_folded - 1].in == n;
    if (dense && n < kNarrow) {
      narrow_columns(p, x, n, acc);
    } else {
      columns_of(p, x, n, step, acc);
    }
  }

  static void run(const Call& c) {
    const FoldPlan p = make_fold_plan(c.in[0], c.out[0], static_cast<unsigned>(c.attrs[0]));
    R* out = c.out[0].as<R>();
    const A count = static_cast<A>(p.count);
    run_fold<Fold>(c.ctx, p, c.in[0].as<const T>(), kGrain, [&](int64_t at, int64_t step, const A* a, int64_t n) {
      if (step == 1) {
        for (int64_t i = 0; i < n; ++i) out[at + i] = static_cast<R>(F::finish(a[i], count));
      } else {
        for (int64_t i = 0; i < n; ++i) out[at + i * step] = static_cast<R>(F::finish(a[i], count));
      }
    });
  }
};

}  // namespace ATHANOR_ISA
}  // namespace athanor
