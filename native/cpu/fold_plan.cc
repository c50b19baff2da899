// The plan of a reduction: made once a call, whatever is folded.
#include "cpu/fold_plan.h"

namespace athanor {
namespace ATHANOR_ISA {

FoldPlan make_fold_plan(const View& x, const View& out, unsigned mask) {
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
