// The functors of the REDUCE lines of ops.def, F_sum and so on, for whatever folds. Host and device share them.
#pragma once
#include "math/arithmetic.h"
#include "math/folds.h"

namespace athanor {
namespace ATHANOR_ISA {

/** What a fold of T, accumulated in A, is stored as: float32 sums as float32, whole sums as the integers they wrap to.
 */
template <class T, class A>
struct FoldResult {
  using type = A;
};
template <>
struct FoldResult<float, double> {
  using type = float;
};

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
    template <class A>                                                           \
    ATHANOR_ALWAYS_INLINE A finish(A a, [[maybe_unused]] A n) {                  \
      return finish_an;                                                          \
    }                                                                            \
  };
#include "ops.def"

}  // namespace ATHANOR_ISA
}  // namespace athanor
