// sum over any axes; attrs: the axes.
#include "cpu/dtypes.h"
#include "cpu/families.h"
#include "cpu/iterate.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

void sum_plain(const Call& c) {
  with_numbers(c.in[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const View& x = c.in[0];
    T* out = c.out[0].template as<T>();
    for (int64_t i = 0, n = numel(c.out[0]); i < n; ++i) out[i] = 0;
    View target = x;  // out seen in x's shape: stride 0 along the axes that are summed
    int64_t step = 1;
    for (int d = x.ndim - 1; d >= 0; --d) {
      bool reduced = false;
      for (int a = 0; a < c.n_attrs; ++a) reduced = reduced || static_cast<int>(c.attrs[a]) == d;
      target.strides[d] = reduced ? 0 : step;
      if (!reduced) step *= x.shape[d];
    }
    if (numel(x) == 0) return;
    const Walk<2> w = make_walk<2>({&x, &target});
    const int64_t sx = w.strides[0][w.ndim - 1], so = w.strides[1][w.ndim - 1];
    for_rows(c.ctx, w, int64_t{1} << 60, [&](int64_t n, const int64_t* at) {
      const T* from = x.template as<T>() + at[0];
      for (int64_t i = 0; i < n; ++i) out[at[1] + i * so] += from[i * sx];
    });
  });
}

const Kernel kernels_sum[] = {{"plain", nullptr, sum_plain}};

}  // namespace

const OpKernels reduce[] = {ATHANOR_OP(sum, kernels_sum), {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
