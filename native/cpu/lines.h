// Ops that map each line of one axis to a line of the same length: softmax and its kin. Lines that lie in memory
// without gaps are taken one by one; where the axis is not the innermost, neighbouring lines are taken together, so
// that the inner loop runs across them; whatever else comes is taken line by line with steps.
#pragma once
#include "cpu/iterate.h"

namespace athanor {
namespace ATHANOR_ISA {

/** A tensor without one of its axes. */
ATHANOR_ALWAYS_INLINE View without_axis(const View& v, int axis) {
  View rest = v;
  --rest.ndim;
  for (int d = axis; d < rest.ndim; ++d) {
    rest.shape[d] = rest.shape[d + 1];
    rest.strides[d] = rest.strides[d + 1];
  }
  return rest;
}

/** N operands of one shape, seen as lines along one axis. */
template <int N>
struct Lines {
  int64_t length;
  int64_t step[N];  // between elements of a line
  Walk<N> walk;     // over the lines
};

template <int N>
ATHANOR_ALWAYS_INLINE Lines<N> make_lines(const View* const (&views)[N], int axis) {
  Lines<N> lines;
  View rest[N];
  const View* pointers[N];
  for (int k = 0; k < N; ++k) {
    rest[k] = without_axis(*views[k], axis);
    lines.step[k] = views[k]->strides[axis];
    pointers[k] = &rest[k];
  }
  lines.length = views[0]->shape[axis];
  lines.walk = make_walk<N>(pointers);
  return lines;
}

/** Neighbouring lines that are taken together: one row of them fills a few vectors, and 40 rows fit the first cache. */
constexpr int64_t kLinesTogether = 256;

/** Steps of dense lines: known to be 1 where the loops are compiled, which makes them vector code. */
struct OneStep {
  __attribute__((always_inline)) int64_t operator[](int) const { return 1; }
};

/**
 * K::line(length, pointers, steps) computes one line; K::together(lines, length, pointers, steps) computes at most
 * kLinesTogether of them that lie one element apart. `cost` is the time of an element, in cheap streamed ones.
 */
template <class K, class T, int N>
ATHANOR_ALWAYS_INLINE void run_lines(Context* ctx, const Lines<N>& l, int64_t cost) {
  const int inner = l.walk.ndim - 1;
  bool dense = true, neighbours = true;
  int64_t apart[N];
  for (int k = 0; k < N; ++k) {
    apart[k] = l.walk.strides[k][inner];
    dense = dense && (l.step[k] == 1 || l.length == 1);
    neighbours = neighbours && apart[k] == 1;
  }
  const auto each = [&](int64_t n, T** p, auto steps) {
    for (int64_t i = 0; i < n; ++i) {
      K::line(l.length, p, steps);
      for (int k = 0; k < N; ++k) p[k] += apart[k];
    }
  };
  const int64_t grain = max_of<int64_t>(1, kGrain / cost / max_of<int64_t>(1, l.length));
  for_rows(ctx, l.walk, grain, [&](int64_t n, const int64_t* at) {
    T* p[N];
    for (int k = 0; k < N; ++k) p[k] = static_cast<T*>(l.walk.data[k]) + at[k];
    if (dense) {
      each(n, p, OneStep{});
    } else if (neighbours) {
      for (int64_t i = 0; i < n; i += kLinesTogether) {
        T* q[N];
        for (int k = 0; k < N; ++k) q[k] = p[k] + i;
        K::together(min_of(kLinesTogether, n - i), l.length, q, l.step);
      }
    } else {
      each(n, p, l.step);
    }
  });
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
