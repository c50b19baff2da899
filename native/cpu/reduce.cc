// Every REDUCE line of ops.def, expanded: a functor, a kernel over its dtypes, a table entry.
#include "cpu/families.h"
#include "cpu/fold.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

/** The type to read T with: booleans as the bytes they are. */
template <class T>
struct Readable {
  using type = T;
};
template <>
struct Readable<bool> {
  using type = uint8_t;
};

#define REDUCE(name, dtypes, Accumulator, start_value, of_x, fold_ab, finish_an) \
  struct F_##name {                                                              \
    template <class T>                                                           \
    using Acc = Accumulator;                                                     \
    template <class A>                                                           \
    ATHANOR_ALWAYS_INLINE A start() {                                            \
      return start_value;                                                        \
    }                                                                            \
    template <class V>                                                           \
    ATHANOR_ALWAYS_INLINE V of(V x) {                                            \
      return of_x;                                                               \
    }                                                                            \
    template <class V>                                                           \
    ATHANOR_ALWAYS_INLINE V fold(V a, V b) {                                     \
      return fold_ab;                                                            \
    }                                                                            \
    template <class W>                                                           \
    ATHANOR_ALWAYS_INLINE W finish(W a, [[maybe_unused]] W n) {                  \
      return finish_an;                                                          \
    }                                                                            \
  };                                                                             \
  void k_##name(const Call& c) {                                                 \
    if (!with_##dtypes(c.in[0].dtype, [&](auto tag) {                            \
          using T = typename Readable<typename decltype(tag)::type>::type;       \
          Fold<F_##name, T>::run(c);                                             \
        }))                                                                      \
      refuse_dtype(c, c.in[0].dtype);                                            \
  }                                                                              \
  const Kernel kernels_##name[] = {{"fold", nullptr, k_##name}};
#include "ops.def"

}  // namespace

const OpKernels reduce[] = {
#define REDUCE(name, dtypes, Accumulator, start, of, fold, finish) {#name, kernels_##name, 1},
#include "ops.def"
    {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
