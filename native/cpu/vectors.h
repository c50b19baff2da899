// Vectors as wide as the registers of the instruction set that a file is compiled for. They are GCC's vector types:
// arithmetic, comparisons (masks) and the conditional operator work on them lane by lane.
#pragma once
#include "core/dtype.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

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

template <class A, class B>
constexpr bool kSame = false;
template <class A>
constexpr bool kSame<A, A> = true;

/** As many elements of T as fill a register of A, converted. What is written out is a single instruction, where the
 *  compiler would convert halves or quarters and put them together. Masks of ones keep GCC 12 from a false warning. */
template <class A, class T>
ATHANOR_ALWAYS_INLINE typename Lanes<A>::type convert_lanes(const typename LanesFor<T, A>::type& raw) {
#if defined(__AVX512F__)
  if constexpr (kSame<A, double> && kSame<T, float>)
    return reinterpret_cast<typename Lanes<A>::type>(_mm512_maskz_cvtps_pd(0xff, reinterpret_cast<__m256>(raw)));
  else if constexpr (kSame<A, uint32_t> && kSame<T, uint8_t>)
    return reinterpret_cast<typename Lanes<A>::type>(
        _mm512_maskz_cvtepu8_epi32(0xffff, reinterpret_cast<__m128i>(raw)));
  else
#elif defined(__AVX2__)
  if constexpr (kSame<A, double> && kSame<T, float>)
    return reinterpret_cast<typename Lanes<A>::type>(_mm256_cvtps_pd(reinterpret_cast<__m128>(raw)));
  else
#endif
    return __builtin_convertvector(raw, typename Lanes<A>::type);
}
/** The other way. */
template <class T, class A>
ATHANOR_ALWAYS_INLINE typename LanesFor<T, A>::type narrow_lanes(const typename Lanes<A>::type& v) {
#if defined(__AVX512F__)
  if constexpr (kSame<A, double> && kSame<T, float>)
    return reinterpret_cast<typename LanesFor<T, A>::type>(_mm512_maskz_cvtpd_ps(0xff, reinterpret_cast<__m512d>(v)));
  else
#elif defined(__AVX2__)
  if constexpr (kSame<A, double> && kSame<T, float>)
    return reinterpret_cast<typename LanesFor<T, A>::type>(_mm256_cvtpd_ps(reinterpret_cast<__m256d>(v)));
  else
#endif
    return __builtin_convertvector(v, typename LanesFor<T, A>::type);
}

/** A register of A from as many consecutive elements of T, converted. */
template <class A, class T>
ATHANOR_ALWAYS_INLINE typename Lanes<A>::type load_lanes(const T* x) {
  typename LanesFor<T, A>::type raw;
  __builtin_memcpy(&raw, x, sizeof raw);
  return convert_lanes<A, T>(raw);
}

template <class T>
ATHANOR_ALWAYS_INLINE void store_lanes(T* to, typename Lanes<T>::type v) {
  __builtin_memcpy(to, &v, sizeof v);
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
