// Running a reduction: what walks a FoldPlan, cuts it into pieces for the threads and puts partial results together.
// What is computed is a struct K for input type T:
//
//   State                             what is known of some elements
//   start()                           of none
//   row(x, n, step)                   of n elements, `step` apart
//   columns(plan, x, n, step, out)    of each of n <= kColumns columns, `step` apart, over all folded dimensions
//   merge(a, b, first)                of both; b's elements come after a's, `first` of them before b
//   kShortRow                         0, or how long rows may be for
//   short_rows(x, apart, rows, n, out)    of each of `rows` rows of n elements
//
// Work is split over results where there are enough, else over a folded dimension; partial results are then
// merged in the order of the pieces, so that a result depends on the number of threads but not on their timing.
#pragma once
#include "cpu/fold_plan.h"

namespace athanor {
namespace ATHANOR_ISA {

/** Copies `count` rows of n elements, `step` apart, side by side to `to`, and points `rows` there: what columns() of a
 *  stepped input begins with, so that its loops are compiled for dense rows alone. */
template <class T>
void lay_dense(const T** rows, int64_t count, int64_t n, int64_t step, T* to) {
  for (int64_t k = 0; k < count; ++k, to += n) {
    const T* from = rows[k];
    for (int64_t c = 0; c < n; ++c) to[c] = from[c * step];
    rows[k] = to;
  }
}

/** to[i] = result begin + i, where a single dimension is folded, the innermost. */
template <class K, class T>
ATHANOR_ALWAYS_INLINE void fold_single_rows(const FoldPlan& p, const FoldDim& inner, const T* x, int64_t begin,
                                            int64_t end, typename K::State* to) {
  Odometer at = Odometer::at(p.kept, p.n_kept, begin);
  if constexpr (K::kShortRow > 0) {
    const FoldDim rows = p.n_kept > 0 ? p.kept[p.n_kept - 1] : FoldDim{1, 0, 0};
    if (inner.in == 1 && inner.size <= K::kShortRow && rows.in >= inner.size) {
      for (int64_t o = begin; o < end;) {
        const int64_t n = min_of(end - o, rows.size - at.index[p.n_kept - 1]);
        K::short_rows(x + at.in, rows.in, n, inner.size, to);
        o += n;
        to += n;
        if (o < end) at = Odometer::at(p.kept, p.n_kept, o);
      }
      return;
    }
  }
  for (int64_t o = begin; o < end; ++o, at.next(), ++to) *to = K::row(x + at.in, inner.size, inner.in);
}

/** to[i] = result begin + i, where the innermost dimension is folded. */
template <class K, class T>
ATHANOR_ALWAYS_INLINE void fold_rows(const FoldPlan& p, const T* x, int64_t begin, int64_t end, typename K::State* to) {
  const FoldDim inner = p.n_folded > 0 ? p.folded[p.n_folded - 1] : FoldDim{1, 1, 0};
  const int outer = p.n_folded > 0 ? p.n_folded - 1 : 0;
  const int64_t repeats = inner.size > 0 ? p.count / inner.size : 0;
  if (repeats == 1) return fold_single_rows<K>(p, inner, x, begin, end, to);
  for (int64_t o = begin; o < end; ++o) to[o - begin] = K::start();
  // Every result takes a row in its turn: kept dimensions lie between the folded ones, and memory is read in its order.
  Odometer r = Odometer::at(p.folded, outer, 0);
  constexpr int64_t kTogether = 64;
  typename K::State rows[kTogether];
  for (int64_t i = 0; i < repeats; ++i, r.next()) {
    for (int64_t o = begin; o < end; o += kTogether) {
      const int64_t n = min_of(kTogether, end - o);
      fold_single_rows<K>(p, inner, x + r.in, o, o + n, rows);
      for (int64_t k = 0; k < n; ++k) to[o - begin + k] = K::merge(to[o - begin + k], rows[k], i * inner.size);
    }
  }
}

/** As fold_rows(), where the innermost dimension is kept. */
template <class K, class T>
ATHANOR_ALWAYS_INLINE void fold_columns(const FoldPlan& p, const T* x, int64_t begin, int64_t end,
                                        typename K::State* to) {
  const FoldDim inner = p.kept[p.n_kept - 1];
  for (int64_t o = begin; o < end;) {
    const Odometer at = Odometer::at(p.kept, p.n_kept, o);
    const int64_t n = min_of(min_of(end - o, inner.size - at.index[p.n_kept - 1]), K::kColumns);
    K::columns(p, x + at.in, n, inner.in, to + (o - begin));
    o += n;
  }
}

template <class K, class T>
void fold_part(const FoldPlan& p, const T* x, int64_t begin, int64_t end, typename K::State* to) {
  if (p.by_rows) {
    fold_rows<K>(p, x, begin, end, to);
  } else {
    fold_columns<K>(p, x, begin, end, to);
  }
}

/** Hands results [begin, end) to finish(output offset, step, states, n): n of them that lie `step` apart. */
template <class State, class Finish>
ATHANOR_ALWAYS_INLINE void hand_over(const FoldPlan& p, int64_t begin, int64_t end, const State* states,
                                     const Finish& finish) {
  const FoldDim inner = p.n_kept > 0 ? p.kept[p.n_kept - 1] : FoldDim{1, 0, 0};
  for (int64_t o = begin; o < end;) {
    const Odometer at = Odometer::at(p.kept, p.n_kept, o);
    const int64_t n = p.n_kept > 0 ? min_of(end - o, inner.size - at.index[p.n_kept - 1]) : 1;
    finish(at.out, inner.out, states + (o - begin), n);
    o += n;
  }
}

/** Rows of columns that a piece has at least, where these are dealt out: what is merged at the end is little then. */
constexpr int64_t kRowsToSplit = 32;

/** finish(output offset, step, states, n) gets every result once, from some thread. */
template <class K, class T, class Finish>
ATHANOR_ALWAYS_INLINE void run_fold(Context* ctx, const FoldPlan& p, const T* x, int64_t grain, const Finish& finish) {
  using State = typename K::State;
  if (p.outputs == 0) return;
  const int64_t pieces = chunk_count(ctx, p.outputs * p.count, grain);
  // With fewer results a piece, rows would be dealt out unevenly. Columns are dealt out where each piece reads long
  // stretches of memory, or where there are too few rows to deal out.
  const bool enough =
      p.by_rows ? p.outputs >= pieces * 4
                : p.outputs >= pieces * K::kColumns || (p.outputs >= pieces * 64 && p.count < pieces * kRowsToSplit);
  if (pieces == 1 || enough || p.count < pieces) {
    parallel_for(ctx, p.outputs, ceil_div(p.outputs, pieces), [&](int64_t begin, int64_t end) {
      State states[K::kColumns];
      for (int64_t o = begin; o < end; o += K::kColumns) {
        const int64_t last = min_of(end, o + K::kColumns);
        fold_part<K>(p, x, o, last, states);
        hand_over(p, o, last, states, finish);
      }
    });
    return;
  }
  // The outermost dimension with a piece for everybody: each then reads one stretch of memory. Else the longest.
  int cut = 0;
  for (int d = 1; d < p.n_folded && p.folded[cut].size < pieces; ++d)
    if (p.folded[d].size > p.folded[cut].size) cut = d;
  const int64_t size = p.folded[cut].size, splits = min_of(pieces, size);
  State* partial = static_cast<State*>(ctx->scratch(ctx, static_cast<size_t>(splits * p.outputs) * sizeof(State)));
  parallel_each(ctx, splits, [&](int64_t i) {
    const int64_t begin = size * i / splits, end = size * (i + 1) / splits;
    FoldPlan own = p;
    own.folded[cut].size = end - begin;
    own.count = p.count / size * (end - begin);
    fold_part<K>(own, x + begin * p.folded[cut].in, 0, p.outputs, partial + i * p.outputs);
  });
  for (int64_t i = 1; i < splits; ++i) {
    const State* const next = partial + i * p.outputs;
    for (int64_t o = 0; o < p.outputs; ++o) partial[o] = K::merge(partial[o], next[o], size * i / splits);
  }
  hand_over(p, 0, p.outputs, static_cast<const State*>(partial), finish);
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
