// Vectors as wide as the registers of the instruction set that a file is compiled for. They are GCC's vector types:
// arithmetic, comparisons (masks) and the conditional operator work on them lane by lane.
#pragma once
#include "core/dtype.h"

namespace athanor {
namespace ATHANOR_ISA {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

template <class T>
struct Lanes {
  typedef T type __attribute__((vector_size(kVectorBytes)));
  static constexpr int count = kVectorBytes / sizeof(T);
};

/** As many elements of T as a register has lanes of A. */
template <class T, class A>
struct LanesFor {
  typedef T type __attribute__((vector_size(kVectorBytes / sizeof(A) * sizeof(T))));
};

template <class T>
ATHANOR_ALWAYS_INLINE typename Lanes<T>::type splat(T x) {
  return typename Lanes<T>::type{} + x;
}

/** A register of A from as many consecutive elements of T, converted. */
template <class A, class T>
ATHANOR_ALWAYS_INLINE typename Lanes<A>::type load_lanes(const T* x) {
  typename LanesFor<T, A>::type raw;
  __builtin_memcpy(&raw, x, sizeof raw);
  return __builtin_convertvector(raw, typename Lanes<A>::type);
}

template <class T>
ATHANOR_ALWAYS_INLINE void store_lanes(T* to, typename Lanes<T>::type v) {
  __builtin_memcpy(to, &v, sizeof v);
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
