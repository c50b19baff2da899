// Running a reduction: what walks a FoldPlan, cuts it into pieces for the threads and puts partial results together.
// What is computed is a struct K for input type T:
//
//   State                             what is known of some elements
//   start()                           of none
//   row(x, n, step)                   of n elements, `step` apart
//   columns(plan, x, n, step, out)    of each of n <= kColumns columns, `step` apart, over all folded dimensions
//   merge(a, b, first)                of both; b's elements come after a's, `first` of them before b
//
// Work is split over results where there are enough, else over the longest folded dimension; partial results are then
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

/** to[i] = result begin + i, where the innermost dimension is folded. */
template <class K, class T>
ATHANOR_ALWAYS_INLINE void fold_rows(const FoldPlan& p, const T* x, int64_t begin, int64_t end, typename K::State* to) {
  const FoldDim inner = p.n_folded > 0 ? p.folded[p.n_folded - 1] : FoldDim{1, 1, 0};
  const int outer = p.n_folded > 0 ? p.n_folded - 1 : 0;
  const int64_t repeats = inner.size > 0 ? p.count / inner.size : 0;
  Odometer at = Odometer::at(p.kept, p.n_kept, begin);
  for (int64_t o = begin; o < end; ++o, at.next(), ++to) {
    if (repeats == 1) {
      *to = K::row(x + at.in, inner.size, inner.in);
      continue;
    }
    typename K::State total = K::start();
    Odometer r = Odometer::at(p.folded, outer, 0);
    for (int64_t i = 0; i < repeats; ++i, r.next())
      total = K::merge(total, K::row(x + at.in + r.in, inner.size, inner.in), i * inner.size);
    *to = total;
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

/** finish(output offset, step, states, n) gets every result once, from some thread. */
template <class K, class T, class Finish>
ATHANOR_ALWAYS_INLINE void run_fold(Context* ctx, const FoldPlan& p, const T* x, int64_t grain, const Finish& finish) {
  using State = typename K::State;
  if (p.outputs == 0) return;
  const int64_t pieces = chunk_count(ctx, p.outputs * p.count, grain);
  // Below these many results a piece, rows would be dealt out unevenly and columns would not fill vectors.
  const bool enough = p.outputs >= pieces * (p.by_rows ? 4 : 64);
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
  int longest = 0;
  for (int d = 1; d < p.n_folded; ++d)
    if (p.folded[d].size > p.folded[longest].size) longest = d;
  const int64_t size = p.folded[longest].size, splits = min_of(pieces, size);
  State* partial = static_cast<State*>(ctx->scratch(ctx, static_cast<size_t>(splits * p.outputs) * sizeof(State)));
  parallel_each(ctx, splits, [&](int64_t i) {
    const int64_t begin = size * i / splits, end = size * (i + 1) / splits;
    FoldPlan own = p;
    own.folded[longest].size = end - begin;
    own.count = p.count / size * (end - begin);
    fold_part<K>(own, x + begin * p.folded[longest].in, 0, p.outputs, partial + i * p.outputs);
  });
  for (int64_t o = 0; o < p.outputs; ++o)
    for (int64_t i = 1; i < splits; ++i)
      partial[o] = K::merge(partial[o], partial[i * p.outputs + o], size * i / splits);
  hand_over(p, 0, p.outputs, static_cast<const State*>(partial), finish);
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
