// Every UNARY, BINARY and COMPARE line of ops.def, expanded: a functor, a kernel over its dtypes, a table entry.
#include "cpu/elementwise.h"

#include "cpu/families.h"
#include "math/functions.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

#define UNARY(name, dtypes, expression)               \
  struct F_##name {                                   \
    template <class T>                                \
    ATHANOR_ALWAYS_INLINE T apply(T x) {              \
      return static_cast<T>(expression);              \
    }                                                 \
  };                                                  \
  void k_##name(const Call& c) {                      \
    if (!with_##dtypes(c.in[0].dtype, [&](auto tag) { \
          using T = typename decltype(tag)::type;     \
          run_unary<F_##name, T, T>(c);               \
        }))                                           \
      refuse_dtype(c, c.in[0].dtype);                 \
  }                                                   \
  const Kernel kernels_##name[] = {{"flat", nullptr, k_##name}};

#define BINARY_AS(name, dtypes, expression, Result)   \
  struct F_##name {                                   \
    template <class T>                                \
    ATHANOR_ALWAYS_INLINE Result apply(T a, T b) {    \
      return static_cast<Result>(expression);         \
    }                                                 \
  };                                                  \
  void k_##name(const Call& c) {                      \
    if (!with_##dtypes(c.in[0].dtype, [&](auto tag) { \
          using T = typename decltype(tag)::type;     \
          run_binary<F_##name, T, Result>(c);         \
        }))                                           \
      refuse_dtype(c, c.in[0].dtype);                 \
  }                                                   \
  const Kernel kernels_##name[] = {{"flat", nullptr, k_##name}};

#define BINARY(name, dtypes, expression) BINARY_AS(name, dtypes, expression, T)
#define COMPARE(name, dtypes, expression) BINARY_AS(name, dtypes, expression, bool)
#include "ops.def"

}  // namespace

const OpKernels elementwise[] = {
#define UNARY(name, dtypes, expression) {#name, kernels_##name, 1},
#define BINARY(name, dtypes, expression) {#name, kernels_##name, 1},
#define COMPARE(name, dtypes, expression) {#name, kernels_##name, 1},
#include "ops.def"
    {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
