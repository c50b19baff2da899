// variance: sum of (x - mean)^2 / max(0, n - correction) over any axes; std: its root. attrs: the axes as bits, the
// correction.
// Item size bytes and 5 FLOPs per element, in one pass (moments.h): bound by read bandwidth.
#include <math.h>

#include "cpu/families.h"
#include "cpu/moments.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

template <class T, bool Root>
void spread_of(const Call& c) {
  const FoldPlan p = make_fold_plan(c.in[0], c.out[0], static_cast<unsigned>(c.attrs[0]));
  const double divisor = max_of(0.0, static_cast<double>(p.count) - c.attrs[1]);
  T* out = c.out[0].as<T>();
  run_fold<FoldMoments<T>>(c.ctx, p, c.in[0].as<const T>(), kGrain,
                           [&](int64_t at, int64_t step, const Moments* m, int64_t n) {
                             for (int64_t i = 0; i < n; ++i) {
                               const double variance = m[i].m2 / divisor;
                               out[at + i * step] = static_cast<T>(Root ? ::sqrt(variance) : variance);
                             }
                           });
}

ATHANOR_FLOAT_KERNEL(variance_moments, spread_of<T, false>(c))
ATHANOR_FLOAT_KERNEL(std_moments, spread_of<T, true>(c))

const Kernel kernels_variance[] = {{"moments", nullptr, variance_moments}};
const Kernel kernels_std[] = {{"moments", nullptr, std_moments}};

}  // namespace

const OpKernels statistics[] = {
    ATHANOR_OP(variance, kernels_variance), ATHANOR_OP(std, kernels_std), {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
