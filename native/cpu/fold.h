// The loops behind the REDUCE lines of ops.def: any set of axes of any layout folded with one functor.
// Reads item size bytes and spends 1 FLOP per element: bound by read bandwidth, also where float32 is converted to
// float64 on the way. Split over results where there are enough, else over a folded dimension, with partial results
// combined in the order of the pieces.
//
// A functor F for input type T has: Acc<T> (accumulator), start<A>(), of(A x) applied to each element, fold(V a, V b)
// for numbers or vectors, finish(A a, A n) for the folded value of n elements.
#pragma once
#include "cpu/dtypes.h"
#include "cpu/fold_run.h"
#include "cpu/streaming.h"
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

  /** Folds n elements that lie side by side, a multiple of kLanes, into lanes. */
  static __attribute__((noinline)) V dense_lanes(const T* x, int64_t n) {
    // Four chains hide the latency of an addition. What lies ahead is asked for: rows of a page each are no stream to
    // the processor.
    V a = splat<A>(F::template start<A>()), b = a, c = a, d = a;
    for (; n >= 4 * kLanes; n -= 4 * kLanes, x += 4 * kLanes) {
      prefetch_bytes<4 * kLanes* static_cast<int64_t>(sizeof(T))>(x);
      a = F::fold(a, load_vector(x));
      b = F::fold(b, load_vector(x + kLanes));
      c = F::fold(c, load_vector(x + 2 * kLanes));
      d = F::fold(d, load_vector(x + 3 * kLanes));
    }
    for (; n >= kLanes; n -= kLanes, x += kLanes) a = F::fold(a, load_vector(x));
    return F::fold(F::fold(a, b), F::fold(c, d));
  }

  /** Folds n elements that lie side by side. */
  static A dense_row(const T* x, int64_t n) {
    A total = F::template start<A>();
    const int64_t whole = n / kLanes * kLanes;
    if (whole > 0) {
      A lanes[kLanes];
      store_lanes<A>(lanes, dense_lanes(x, whole));
      for (int64_t half = kLanes / 2; half > 0; half /= 2)
        for (int64_t l = 0; l < half; ++l) lanes[l] = F::fold(lanes[l], lanes[l + half]);
      total = lanes[0];
    }
    for (int64_t i = whole; i < n; ++i) total = F::fold(total, load(x + i));
    return total;
  }

#if defined(__GNUC__) && !defined(__clang__)
  // Rows up to this long are folded as many at a time as a vector has lanes, so that what is left of each, a vector,
  // is folded across lanes for all of them together. Not for vectors of bytes: there would be too many.
  static constexpr int64_t kShortRow = sizeof(A) > 1 ? 128 * kLanes : 0;
#else
  static constexpr int64_t kShortRow = 0;
#endif

  /** to[r] = fold of row r, for rows of n <= kShortRow elements that lie `apart` >= n from each other. */
  static void short_rows(const T* x, int64_t apart, int64_t rows, int64_t n, A* to) {
    int64_t r = 0;
#if defined(__GNUC__) && !defined(__clang__)
    typedef decltype(V{} < V{}) Index;
    const int64_t whole = n / kLanes * kLanes, room = (rows - 1) * apart + n;
    Index lane;
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) lane[i] = i;
    const Index inside = lane < static_cast<int>(n - whole);
    const V none = splat<A>(F::template start<A>());
    // A row's last vector reaches into what follows, which must be memory of these rows too.
    const int64_t reach = whole == n ? n : whole + kLanes;
    for (; r + kLanes <= rows && (r + kLanes - 1) * apart + reach <= room; r += kLanes, x += kLanes * apart) {
      V v[kLanes];
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) {
        const T* const row = x + i * apart;
        v[i] = whole > 0 ? dense_lanes(row, whole) : none;
        if (whole < n) v[i] = F::fold(v[i], inside ? load_vector(row + whole) : none);
      }
      fold_lanes(v);
      store_lanes<A>(to + r, v[0]);
    }
#endif
    for (; r < rows; ++r, x += apart) to[r] = dense_row(x, n);
  }

#if defined(__GNUC__) && !defined(__clang__)
  /** Lane i of v[0] becomes the fold of all lanes of v[i]. */
  ATHANOR_ALWAYS_INLINE void fold_lanes(V (&v)[kLanes]) {
    typedef decltype(V{} < V{}) Index;
    // Each vector holds groups of `width` lanes, a row each; pairs of vectors become one with groups of half of it.
#pragma GCC unroll 4
    for (int width = kLanes; width > 1; width /= 2) {
      const int half = width / 2;
      Index low;
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) low[i] = i / half % 2 * kLanes + i / width * width + i % half;
#pragma GCC unroll 8
      for (int i = 0; i < half; ++i)
        v[i] = F::fold(__builtin_shuffle(v[i], v[i + half], low), __builtin_shuffle(v[i], v[i + half], low + half));
    }
  }
#endif

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
    int64_t c = 0;
    for (; c + kLanes <= n; c += kLanes) store_lanes<A>(acc + c, F::fold(load_lanes<A>(acc + c), load_vector(x + c)));
    for (; c < n; ++c) acc[c] = F::fold(acc[c], load(x + c));
  }
  // Eight rows at a time, so that the accumulators are loaded and stored once for eight elements. As vectors: of a
  // fold that chooses, such as a maximum, the compiler makes a loop of single numbers.
  ATHANOR_ALWAYS_INLINE void fold_8(A* acc, const T* const (&x)[8], int64_t n) {
    const auto pairs = [](const auto& a, const auto& at) __attribute__((always_inline)) {
      const auto low = F::fold(F::fold(at(0), at(1)), F::fold(at(2), at(3)));
      const auto high = F::fold(F::fold(at(4), at(5)), F::fold(at(6), at(7)));
      return F::fold(a, F::fold(low, high));
    };
    int64_t c = 0;
    for (; c + kLanes <= n; c += kLanes)
      store_lanes<A>(acc + c, pairs(load_lanes<A>(acc + c),
                                    [&](int k) __attribute__((always_inline)) { return load_vector(x[k] + c); }));
    for (; c < n; ++c) acc[c] = pairs(acc[c], [&](int k) { return load(x[k] + c); });
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
