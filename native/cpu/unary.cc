// The lines of ops.def with one operand: a functor, a loop for each of its dtypes, a kernel and a table entry.
#include "cpu/elementwise.h"
#include "cpu/families.h"
#include "math/functions.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

/** out = F(x, p, q), where the op has that many parameters. */
template <class F, class T, class R, int Parameters>
void unary_loop(int64_t n, const double* attrs, void* to, const void* const* in, bool streams) {
  const InMemory<T>* x = static_cast<const InMemory<T>*>(in[0]);
  const T p = Parameters > 0 ? static_cast<T>(attrs[0]) : T(0), q = Parameters > 1 ? static_cast<T>(attrs[1]) : T(0);
  write_elements(
      n, static_cast<InMemory<R>*>(to), streams,
      [&](int64_t i) __attribute__((always_inline)) { return F::template apply<T>(static_cast<T>(x[i]), p, q); }, x);
}

/** The same in blocks: one with an element that is not usual is computed by F's other expression, element by element.
 */
template <class F, class T>
void rare_loop(int64_t n, const double*, void* to, const void* const* in, bool streams) {
  T* out = static_cast<T*>(to);
  const T* x = static_cast<const T*>(in[0]);
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = min_of(begin + kBlock, n);
    int unusual = 0;
#pragma omp simd reduction(| : unusual)
    for (int64_t i = begin; i < end; ++i) unusual |= F::usual(x[i]) ? 0 : 1;
    if (unusual == 0) {
      write_elements(
          end - begin, out + begin, streams,
          [&](int64_t i) __attribute__((always_inline)) { return F::apply(x[begin + i]); }, x + begin);
    } else {
      for (int64_t i = begin; i < end; ++i) out[i] = F::usual(x[i]) ? F::apply(x[i]) : F::rare(x[i]);
    }
  }
}

#define KERNEL(name, dtypes, loop)                                  \
  void k_##name(const Call& c) {                                    \
    const bool known = with_##dtypes(c.in[0].dtype, [&](auto tag) { \
      using T = typename decltype(tag)::type;                       \
      run_elementwise<1>(c, loop);                                  \
    });                                                             \
    if (!known) refuse_dtype(c, c.in[0].dtype);                     \
  }                                                                 \
  const Kernel kernels_##name[] = {{"flat", nullptr, k_##name}};

#define UNARY_AS(name, dtypes, expression, Result, parameters)                            \
  struct F_##name {                                                                       \
    template <class T>                                                                    \
    ATHANOR_ALWAYS_INLINE Result apply(T x, [[maybe_unused]] T p, [[maybe_unused]] T q) { \
      return static_cast<Result>(expression);                                             \
    }                                                                                     \
  };                                                                                      \
  KERNEL(name, dtypes, (unary_loop<F_##name, T, Result, parameters>))

#define UNARY(name, dtypes, expression) UNARY_AS(name, dtypes, expression, T, 0)
#define UNARY1(name, dtypes, expression) UNARY_AS(name, dtypes, expression, T, 1)
#define UNARY2(name, dtypes, expression) UNARY_AS(name, dtypes, expression, T, 2)
#define PREDICATE(name, dtypes, expression) UNARY_AS(name, dtypes, expression, bool, 0)
#define UNARY_RARE(name, dtypes, expression, condition, otherwise) \
  struct F_##name {                                                \
    template <class T>                                             \
    ATHANOR_ALWAYS_INLINE T apply(T x) {                           \
      return expression;                                           \
    }                                                              \
    template <class T>                                             \
    ATHANOR_ALWAYS_INLINE bool usual(T x) {                        \
      return condition;                                            \
    }                                                              \
    template <class T>                                             \
    ATHANOR_ALWAYS_INLINE T rare(T x) {                            \
      return otherwise;                                            \
    }                                                              \
  };                                                               \
  KERNEL(name, dtypes, (rare_loop<F_##name, T>))
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

}  // namespace ATHANOR_ISA
}  // namespace athanor
