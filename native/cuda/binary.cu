// The lines of ops.def with two or three operands, broadcast: a map and a kernel for each of its dtypes, and a table
// entry.
#include "cuda/elementwise.h"
#include "cuda/families.h"
#include "cuda/report.h"
#include "math/functions.h"

namespace athanor {
namespace cuda {
namespace {

/** out = F(a, b, p, q), where the op has that many parameters. */
template <class F, class T, class R>
struct Apply : BinaryMap<T, R> {
  T p, q;
  template <int V>
  __device__ __forceinline__ R apply(const Two<T, V>& in, int v) const {
    return F::template apply<T>(in.a.at[v], in.b.at[v], p, q);
  }
};

/** The same for an op that has no result where an integer b is 0. */
template <class F, class T>
struct Divide : BinaryMap<T, T> {
  Complaints complaints;
  template <int V>
  __device__ __forceinline__ T apply(const Two<T, V>& in, int v) const {
    const T a = in.a.at[v], b = in.b.at[v];
    if (T(0.5) == T(0) && b == T(0)) {  // only numbers with fractions may be divided by zero
      complaints.add(complaint_division);
      return T(0);
    }
    return F::usual(a, b) ? F::apply(a, b) : F::rare(a, b);
  }
};

/** out = F(c, a, b) with c a bool. */
template <class F, class T>
struct Choose : TernaryMap<T> {
  template <int V>
  __device__ __forceinline__ T apply(const Three<T, V>& in, int v) const {
    return F::template apply<T>(in.c.at[v], in.a.at[v], in.b.at[v]);
  }
};

template <class F, class T, class R, int Parameters>
void run_binary(const Call& c) {
  Apply<F, T, R> map;
  map.p = Parameters > 0 ? static_cast<T>(c.attrs[0]) : T(0);
  map.q = Parameters > 1 ? static_cast<T>(c.attrs[1]) : T(0);
  run_elementwise(c, map);
}
template <class F, class T>
void run_divide(const Call& c) {
  Divide<F, T> map;
  map.complaints = complaints_of(c);
  run_elementwise(c, map);
}
template <class F, class T>
void run_choose(const Call& c) {
  run_elementwise(c, Choose<F, T>{});
}

// All operands have one dtype but a ternary's condition, which comes first: the last one's decides.
#define KERNEL(name, dtypes, operands, ...)                                    \
  void k_##name(const Call& c) {                                               \
    const bool known = with_##dtypes(c.in[operands - 1].dtype, [&](auto tag) { \
      using T = typename decltype(tag)::type;                                  \
      __VA_ARGS__(c);                                                          \
    });                                                                        \
    if (!known) refuse_dtype(c, c.in[operands - 1].dtype);                     \
  }                                                                            \
  const Kernel kernels_##name[] = {{"elementwise", nullptr, k_##name}};

#define BINARY_AS(name, dtypes, expression, Result, parameters)                                \
  struct F_##name {                                                                            \
    template <class T>                                                                         \
    ATHANOR_ALWAYS_INLINE Result apply(T a, T b, [[maybe_unused]] T p, [[maybe_unused]] T q) { \
      return static_cast<Result>(expression);                                                  \
    }                                                                                          \
  };                                                                                           \
  KERNEL(name, dtypes, 2, run_binary<F_##name, T, Result, parameters>)

#define BINARY(name, dtypes, expression) BINARY_AS(name, dtypes, expression, T, 0)
#define BINARY1(name, dtypes, expression) BINARY_AS(name, dtypes, expression, T, 1)
#define BINARY2(name, dtypes, expression) BINARY_AS(name, dtypes, expression, T, 2)
#define COMPARE(name, dtypes, expression) BINARY_AS(name, dtypes, expression, bool, 0)
#define DIVIDE(name, dtypes, expression, condition, otherwise) \
  struct F_##name {                                            \
    template <class T>                                         \
    ATHANOR_ALWAYS_INLINE T apply(T a, T b) {                  \
      return expression;                                       \
    }                                                          \
    template <class T>                                         \
    ATHANOR_ALWAYS_INLINE bool usual(T a, T b) {               \
      return condition;                                        \
    }                                                          \
    template <class T>                                         \
    ATHANOR_ALWAYS_INLINE T rare(T a, T b) {                   \
      return otherwise;                                        \
    }                                                          \
  };                                                           \
  KERNEL(name, dtypes, 2, run_divide<F_##name, T>)
#define TERNARY(name, dtypes, expression)             \
  struct F_##name {                                   \
    template <class T>                                \
    ATHANOR_ALWAYS_INLINE T apply(bool c, T a, T b) { \
      return expression;                              \
    }                                                 \
  };                                                  \
  KERNEL(name, dtypes, 3, run_choose<F_##name, T>)
#include "ops.def"

// attrs: the exponent, one for all.
void k_powScalar(const Call& c) {
  const bool known = with_floats(c.in[0].dtype, [&](auto tag) {
    typename decltype(tag)::type exponent = static_cast<typename decltype(tag)::type>(c.attrs[0]);
    View in[2] = {c.in[0], c.in[0]};
    in[1].data = &exponent;
    in[1].literal = true;
    in[1].ndim = 0;
    Call power = c;
    power.in = in;
    power.n_in = 2;
    k_pow(power);
  });
  if (!known) refuse_dtype(c, c.in[0].dtype);
}
const Kernel kernels_powScalar[] = {{"elementwise", nullptr, k_powScalar}};

}  // namespace

const OpKernels binary[] = {ATHANOR_OP(powScalar, kernels_powScalar),
#define BINARY(name, dtypes, expression) ATHANOR_OP(name, kernels_##name),
#define BINARY1(name, dtypes, expression) ATHANOR_OP(name, kernels_##name),
#define BINARY2(name, dtypes, expression) ATHANOR_OP(name, kernels_##name),
#define COMPARE(name, dtypes, expression) ATHANOR_OP(name, kernels_##name),
#define DIVIDE(name, dtypes, expression, condition, otherwise) ATHANOR_OP(name, kernels_##name),
#define TERNARY(name, dtypes, expression) ATHANOR_OP(name, kernels_##name),
#include "ops.def"
                            {nullptr, nullptr, 0}};

}  // namespace cuda
}  // namespace athanor
