// logSumExp: log(sum(exp(x))) over any axes. attrs: the axes as bits.
#include "cpu/log_sum_exp.h"

#include "cpu/families.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

template <class T>
void log_sum_exp_of(const Call& c) {
  using K = LogSumExp<T>;
  const FoldPlan p = make_fold_plan(c.in[0], c.out[0], static_cast<unsigned>(c.attrs[0]));
  T* out = c.out[0].as<T>();
  run_fold<K>(c.ctx, p, c.in[0].as<const T>(), kGrain / 4,
              [&](int64_t at, int64_t step, const typename K::State* s, int64_t n) {
                for (int64_t i = 0; i < n; ++i) out[at + i * step] = static_cast<T>(K::finish(s[i]));
              });
}

ATHANOR_FLOAT_KERNEL(log_sum_exp_online, log_sum_exp_of<T>(c))

const Kernel kernels_logSumExp[] = {{"online", nullptr, log_sum_exp_online}};

}  // namespace

const OpKernels log_sum_exp[] = {ATHANOR_OP(logSumExp, kernels_logSumExp), {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
