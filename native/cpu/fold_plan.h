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

/** The plan for folding the axes whose bits are set in `mask`. `out` has them with size 1, or not at all. */
ATHANOR_ALWAYS_INLINE FoldPlan make_fold_plan(const View& x, const View& out, unsigned mask) {
  struct Dim {
    FoldDim d;
    bool folded;
  } dims[kMaxDims];
  int n = 0;
  FoldPlan p;
  for (int d = 0, o = 0; d < x.ndim; ++d) {
    const bool folded = mask >> d & 1u;
    const int64_t out_stride = folded ? 0 : out.strides[out.ndim == x.ndim ? d : o];
    if (!folded) ++o;
    (folded ? p.count : p.outputs) *= x.shape[d];
    if (x.shape[d] == 1) continue;
    // Sorted by step, the largest first. A repeated dimension (step 0) goes outside: a row is then read again and again
    // from the cache, instead of one number folded with itself.
    const Dim dim{{x.shape[d], x.strides[d], out_stride}, folded};
    const uint64_t step = static_cast<uint64_t>(dim.d.in < 0 ? -dim.d.in : dim.d.in) - 1;
    int at = n++;
    for (; at > 0; --at) {
      const int64_t before = dims[at - 1].d.in;
      if (static_cast<uint64_t>(before < 0 ? -before : before) - 1 >= step) break;
      dims[at] = dims[at - 1];
    }
    dims[at] = dim;
  }
  bool previous_folded = false;
  for (int i = 0; i < n; ++i) {
    const Dim& dim = dims[i];
    FoldDim* list = dim.folded ? p.folded : p.kept;
    int& length = dim.folded ? p.n_folded : p.n_kept;
    FoldDim* outer = i > 0 && previous_folded == dim.folded ? &list[length - 1] : nullptr;
    if (outer != nullptr && outer->in == dim.d.in * dim.d.size && outer->out == dim.d.out * dim.d.size)
      *outer = {outer->size * dim.d.size, dim.d.in, dim.d.out};
    else
      list[length++] = dim.d;
    previous_folded = dim.folded;
  }
  p.by_rows = n == 0 || dims[n - 1].folded;
  return p;
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
