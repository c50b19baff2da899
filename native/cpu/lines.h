// Ops that map each line of one axis to a line of the same length: softmax and its kin. Lines that lie in memory
// without gaps are rows; where the axis is not the innermost, neighbouring lines are taken together, so that the inner
// loop runs across them; whatever else comes is to be copied first.
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

/** Whether all operands' lines are dense. */
template <int N>
ATHANOR_ALWAYS_INLINE bool lines_dense(const Lines<N>& l) {
  for (int k = 0; k < N; ++k)
    if (l.step[k] != 1 && l.length != 1) return false;
  return true;
}

/** Whether run_lines() takes them: all dense, or all side by side. Operands in row-major order always are. */
template <int N>
ATHANOR_ALWAYS_INLINE bool lines_fit(const Lines<N>& l) {
  bool neighbours = true;
  for (int k = 0; k < N; ++k) neighbours = neighbours && l.walk.strides[k][l.walk.ndim - 1] == 1;
  return neighbours || lines_dense(l);
}

/**
 * The loops of an op for one element type: `rows` computes dense lines, `apart` elements from each to the next;
 * `together` at most kLinesTogether of them that lie one element apart, their elements `steps` apart. Pointers, so that
 * what finds the lines is compiled once and not for each op and type.
 */
struct LineLoops {
  void (*rows)(int64_t lines, int64_t length, void* const* operands, const int64_t* apart);
  void (*together)(int64_t lines, int64_t length, void* const* operands, const int64_t* steps);
  size_t item;  // bytes of an element
};

/** Those of K, which has rows<T>() and together<T>() for N operands. */
template <class K, class T, int N>
LineLoops loops_of() {
  return {[](int64_t lines, int64_t length, void* const* operands, const int64_t* apart) {
            T* p[N];
            for (int k = 0; k < N; ++k) p[k] = static_cast<T*>(operands[k]);
            K::rows(lines, length, static_cast<T* const*>(p), apart);
          },
          [](int64_t lines, int64_t length, void* const* operands, const int64_t* steps) {
            T* p[N];
            for (int k = 0; k < N; ++k) p[k] = static_cast<T*>(operands[k]);
            K::together(lines, length, static_cast<T* const*>(p), steps);
          },
          sizeof(T)};
}

/** `cost` is the time of an element, in cheap streamed ones. */
template <int N>
ATHANOR_ALWAYS_INLINE void run_lines(Context* ctx, const Lines<N>& l, const LineLoops& loops, int64_t cost) {
  const bool dense = lines_dense(l);
  const int64_t item = static_cast<int64_t>(loops.item);
  int64_t apart[N];
  for (int k = 0; k < N; ++k) apart[k] = l.walk.strides[k][l.walk.ndim - 1];
  const int64_t grain = max_of<int64_t>(1, kGrain / cost / max_of<int64_t>(1, l.length));
  for_rows(ctx, l.walk, grain, [&](int64_t n, const int64_t* at) {
    void* p[N];
    for (int k = 0; k < N; ++k) p[k] = static_cast<char*>(l.walk.data[k]) + at[k] * item;
    if (dense) return loops.rows(n, l.length, p, apart);
    for (int64_t i = 0; i < n; i += kLinesTogether) {
      loops.together(min_of(kLinesTogether, n - i), l.length, p, l.step);
      for (int k = 0; k < N; ++k) p[k] = static_cast<char*>(p[k]) + kLinesTogether * item;
    }
  });
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
