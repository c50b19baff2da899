// Optimizer steps, each over all parameters at once; the rules are in math/optim_rules.h.
// Bound by memory: item size * (3 + 2 * states) bytes per element; sgdStep 2 to 6 FLOPs, adamStep about 14 with a
// square root and two divisions, rmspropStep 6 to 13, adagradStep 6.
#include "cpu/optim.h"

#include "cpu/families.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

/** Runs a rule over all parameters of a call. */
template <class T>
struct Steps {
  const Call& call;
  template <int S, class RuleOf>
  __attribute__((always_inline)) void run(const RuleOf& rule_of) const {
    step_all<T, S>(call, rule_of);
  }
};

#define STEP(name)                                \
  void name##_step(const Call& c) {               \
    const DType t = c.out[0].dtype;               \
    if (!with_floats(t, [&](auto tag) {           \
          using T = typename decltype(tag)::type; \
          name##_rules<T>(c.attrs, Steps<T>{c});  \
        }))                                       \
      refuse_dtype(c, t);                         \
  }                                               \
  const Kernel kernels_##name[] = {{"fused", nullptr, name##_step}};
STEP(sgd)
STEP(adam)
STEP(rmsprop)
STEP(adagrad)
#undef STEP

}  // namespace

const OpKernels optim[] = {ATHANOR_OP(sgdStep, kernels_sgd),
                           ATHANOR_OP(adamStep, kernels_adam),
                           ATHANOR_OP(rmspropStep, kernels_rmsprop),
                           ATHANOR_OP(adagradStep, kernels_adagrad),
                           {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
