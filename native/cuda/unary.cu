// The lines of ops.def with one operand: a map and a kernel for each of its dtypes, and a table entry.
#include "cuda/elementwise.h"
#include "cuda/families.h"
#include "math/functions.h"

namespace athanor {
namespace cuda {
namespace {

/** out = F(x, p, q), where the op has that many parameters. */
template <class F, class T, class R>
struct Apply : UnaryMap<T, R> {
  T p, q;
  template <int V>
  __device__ __forceinline__ R apply(const One<T, V>& in, int v) const {
    return F::template apply<T>(in.x.at[v], p, q);
  }
};

template <class F, class T, class R, int Parameters>
void run_unary(const Call& c) {
  Apply<F, T, R> map;
  map.p = Parameters > 0 ? static_cast<T>(c.attrs[0]) : T(0);
  map.q = Parameters > 1 ? static_cast<T>(c.attrs[1]) : T(0);
  run_elementwise(c, map);
}

#define KERNEL(name, dtypes, Result, parameters)                    \
  void k_##name(const Call& c) {                                    \
    const bool known = with_##dtypes(c.in[0].dtype, [&](auto tag) { \
      using T = typename decltype(tag)::type;                       \
      run_unary<F_##name, T, Result, parameters>(c);                \
    });                                                             \
    if (!known) refuse_dtype(c, c.in[0].dtype);                     \
  }                                                                 \
  const Kernel kernels_##name[] = {{"elementwise", nullptr, k_##name}};

#define UNARY_AS(name, dtypes, expression, Result, parameters)                            \
  struct F_##name {                                                                       \
    template <class T>                                                                    \
    ATHANOR_ALWAYS_INLINE Result apply(T x, [[maybe_unused]] T p, [[maybe_unused]] T q) { \
      return static_cast<Result>(expression);                                             \
    }                                                                                     \
  };                                                                                      \
  KERNEL(name, dtypes, Result, parameters)

#define UNARY(name, dtypes, expression) UNARY_AS(name, dtypes, expression, T, 0)
#define UNARY1(name, dtypes, expression) UNARY_AS(name, dtypes, expression, T, 1)
#define UNARY2(name, dtypes, expression) UNARY_AS(name, dtypes, expression, T, 2)
#define PREDICATE(name, dtypes, expression) UNARY_AS(name, dtypes, expression, bool, 0)
#define UNARY_RARE(name, dtypes, expression, condition, otherwise) \
  UNARY_AS(name, dtypes, (condition) ? (expression) : (otherwise), T, 0)
#include "ops.def"

}  // namespace

const OpKernels unary[] = {
#define UNARY(name, dtypes, expression) ATHANOR_OP(name, kernels_##name),
#define UNARY1(name, dtypes, expression) ATHANOR_OP(name, kernels_##name),
#define UNARY2(name, dtypes, expression) ATHANOR_OP(name, kernels_##name),
#define PREDICATE(name, dtypes, expression) ATHANOR_OP(name, kernels_##name),
#define UNARY_RARE(name, dtypes, expression, condition, otherwise) ATHANOR_OP(name, kernels_##name),
#include "ops.def"
    {nullptr, nullptr, 0}};

}  // namespace cuda
}  // namespace athanor
