// How a reduction walks its input: dimensions sorted by their step in memory and merged where both sides allow it, so
// that any set of axes of any layout ends as one of two loops: along rows that are folded, or over rows of columns that
// are kept.
#pragma once
#include "cpu/parallel.h"

namespace athanor {
namespace ATHANOR_ISA {

/** A merged dimension: its size and its steps, in elements, in the input and in the output (0 when folded). */
struct FoldDim {
  int64_t size, in, out;
};

/** Kept and folded dimensions, each list outermost in memory first. */
struct FoldPlan {
  FoldDim kept[kMaxDims], folded[kMaxDims];
  int n_kept = 0, n_folded = 0;
  bool by_rows = true;  // the innermost dimension in memory is folded
  int64_t outputs = 1;  // results
  int64_t count = 1;    // elements folded into each
};

/** Counts through a list of dimensions, the last one fastest. */
struct Odometer {
  const FoldDim* dims;
  int n;
  int64_t index[kMaxDims];
  int64_t in = 0, out = 0;

  static __attribute__((always_inline)) Odometer at(const FoldDim* dims, int n, int64_t flat) {
    Odometer o;
    o.dims = dims;
    o.n = n;
    for (int d = n - 1; d >= 0; --d) {
      const int64_t size = dims[d].size > 0 ? dims[d].size : 1;  // the one place of an empty list is never read
      o.index[d] = flat % size;
      flat /= size;
      o.in += o.index[d] * dims[d].in;
      o.out += o.index[d] * dims[d].out;
    }
    return o;
  }
  __attribute__((always_inline)) void next() {
    for (int d = n - 1; d >= 0; --d) {
      in += dims[d].in;
      out += dims[d].out;
      if (++index[d] < dims[d].size) return;
      in -= dims[d].size * dims[d].in;
      out -= dims[d].size * dims[d].out;
      index[d] = 0;
    }
  }
};

/** The plan for folding the axes whose bits are set in `mask`. `out` has them with size 1, or not at all. In
 *  fold_plan.cc. */
FoldPlan make_fold_plan(const View& x, const View& out, unsigned mask);

}  // namespace ATHANOR_ISA
}  // namespace athanor
