// What blocked kernels do with vectors beside arithmetic: unaligned and partial loads and stores, sums across lanes,
// square transposes.
#pragma once
#include "core/view.h"
#include "cpu/vectors.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace athanor {
namespace ATHANOR_ISA {

template <class T>
using Vec = typename Lanes<T>::type;
template <class T>
constexpr int kLanes = static_cast<int>(Lanes<T>::count);

template <class T>
ATHANOR_ALWAYS_INLINE Vec<T> load(const T* p) {
  return load_lanes<T>(p);
}
template <class T>
ATHANOR_ALWAYS_INLINE void store(T* p, Vec<T> v) {
  store_lanes(p, v);
}

// The first n lanes, 0 <= n <= lanes. Lanes beyond are 0 on load, untouched on store; their memory is never accessed.
#if defined(__AVX512F__)
ATHANOR_ALWAYS_INLINE Vec<float> load_n(const float* p, int n) {
  return reinterpret_cast<Vec<float>>(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p));
}
ATHANOR_ALWAYS_INLINE Vec<double> load_n(const double* p, int n) {
  return reinterpret_cast<Vec<double>>(_mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << n) - 1), p));
}
ATHANOR_ALWAYS_INLINE void store_n(float* p, Vec<float> v, int n) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), reinterpret_cast<__m512>(v));
}
ATHANOR_ALWAYS_INLINE void store_n(double* p, Vec<double> v, int n) {
  _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1u << n) - 1), reinterpret_cast<__m512d>(v));
}
#elif defined(__AVX2__)
ATHANOR_ALWAYS_INLINE __m256i first_lanes(const float*, int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
ATHANOR_ALWAYS_INLINE __m256i first_lanes(const double*, int n) {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}
ATHANOR_ALWAYS_INLINE Vec<float> load_n(const float* p, int n) {
  return reinterpret_cast<Vec<float>>(_mm256_maskload_ps(p, first_lanes(p, n)));
}
ATHANOR_ALWAYS_INLINE Vec<double> load_n(const double* p, int n) {
  return reinterpret_cast<Vec<double>>(_mm256_maskload_pd(p, first_lanes(p, n)));
}
ATHANOR_ALWAYS_INLINE void store_n(float* p, Vec<float> v, int n) {
  _mm256_maskstore_ps(p, first_lanes(p, n), reinterpret_cast<__m256>(v));
}
ATHANOR_ALWAYS_INLINE void store_n(double* p, Vec<double> v, int n) {
  _mm256_maskstore_pd(p, first_lanes(p, n), reinterpret_cast<__m256d>(v));
}
#else
template <class T>
ATHANOR_ALWAYS_INLINE Vec<T> load_n(const T* p, int n) {
  Vec<T> v = {};
  for (int i = 0; i < kLanes<T>; ++i)
    if (i < n) v[i] = p[i];
  return v;
}
template <class T>
ATHANOR_ALWAYS_INLINE void store_n(T* p, Vec<T> v, int n) {
  for (int i = 0; i < kLanes<T>; ++i)
    if (i < n) p[i] = v[i];
}
#endif

/** f(i, lanes) for the vectors of a row of n numbers: all lanes, but for the last where numbers are left. */
template <class T, class F>
ATHANOR_ALWAYS_INLINE void row_vectors(int64_t n, const F& f) {
  int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) f(i, kLanes<T>);
  if (i < n) f(i, static_cast<int>(n - i));
}

/** Lanes [from, to) of what lies at p, zeros around them; memory outside of these lanes is never accessed. */
template <class T>
ATHANOR_ALWAYS_INLINE Vec<T> load_between(const T* p, int from, int to) {
#if defined(__AVX512F__)
  const unsigned mask = (1u << to) - (1u << from);  // 0 where to <= from: then both are 0 or both lanes
  if constexpr (sizeof(T) == 4)
    return reinterpret_cast<Vec<T>>(_mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), p));
  else
    return reinterpret_cast<Vec<T>>(_mm512_maskz_loadu_pd(static_cast<__mmask8>(mask), p));
#elif defined(__AVX2__)
  const __m256i mask = _mm256_andnot_si256(first_lanes(p, from), first_lanes(p, to));
  if constexpr (sizeof(T) == 4)
    return reinterpret_cast<Vec<T>>(_mm256_maskload_ps(p, mask));
  else
    return reinterpret_cast<Vec<T>>(_mm256_maskload_pd(p, mask));
#else
  if (from == 0) return to == kLanes<T> ? load(p) : load_n(p, to);
  Vec<T> v = {};
  for (int i = from; i < to; ++i) v[i] = p[i];
  return v;
#endif
}

/** Four numbers. */
template <class T>
struct Four {
  typedef T type __attribute__((vector_size(4 * sizeof(T))));
};

/** Lanes i, i + 4, i + 8, ... added up, for i < 4. */
template <class T>
ATHANOR_ALWAYS_INLINE void fold_to_four(const Vec<T>& v, typename Four<T>::type& sum) {
  if constexpr (kLanes<T> == 2) {
    sum = typename Four<T>::type{v[0], v[1], 0, 0};
  } else {
    typename Four<T>::type parts[kLanes<T> / 4 > 0 ? kLanes<T> / 4 : 1];
    __builtin_memcpy(parts, &v, sizeof v);
    sum = parts[0];
    for (int i = 1; i < kLanes<T> / 4; ++i) sum += parts[i];
  }
}

/** The sum of all lanes, always in the same order. */
template <class T>
ATHANOR_ALWAYS_INLINE T sum_lanes(Vec<T> v) {
  typename Four<T>::type x;
  fold_to_four<T>(v, x);
  return (x[0] + x[2]) + (x[1] + x[3]);
}

#if defined(__GNUC__) && !defined(__clang__)
/** Swaps the off-diagonal blocks of size `half` of the rows a and b = a + half: one stage of a square transpose. */
template <class T>
ATHANOR_ALWAYS_INLINE void exchange_blocks(Vec<T>& a, Vec<T>& b, int half) {
  constexpr int lanes = kLanes<T>;
  typedef decltype(a < b) Index;
  Index low, high;
  for (int i = 0; i < lanes; ++i) {
    low[i] = (i & half) ? lanes + i - half : i;
    high[i] = (i & half) ? lanes + i : i + half;
  }
  const Vec<T> first = __builtin_shuffle(a, b, low);
  b = __builtin_shuffle(a, b, high);
  a = first;
}

/** The sums of all lanes of four vectors. */
template <class T>
ATHANOR_ALWAYS_INLINE void sum_lanes_of_four(const Vec<T> (&v)[4], typename Four<T>::type& sums) {
  typedef typename Four<T>::type F;
  typedef decltype(F{} < F{}) Index;
  F a, b, c, d;
  fold_to_four<T>(v[0], a);
  fold_to_four<T>(v[1], b);
  fold_to_four<T>(v[2], c);
  fold_to_four<T>(v[3], d);
  const F ab = __builtin_shuffle(a, b, Index{0, 4, 2, 6}) + __builtin_shuffle(a, b, Index{1, 5, 3, 7});
  const F cd = __builtin_shuffle(c, d, Index{0, 4, 2, 6}) + __builtin_shuffle(c, d, Index{1, 5, 3, 7});
  sums = __builtin_shuffle(ab, cd, Index{0, 1, 4, 5}) + __builtin_shuffle(ab, cd, Index{2, 3, 6, 7});
}

/** Transposes a square of lanes x lanes elements held in registers. */
template <class T>
ATHANOR_ALWAYS_INLINE void transpose(Vec<T> (&rows)[kLanes<T>]) {
  constexpr int lanes = kLanes<T>;
#pragma GCC unroll 4
  for (int half = 1; half < lanes; half *= 2) {
#pragma GCC unroll 16
    for (int i = 0; i < lanes; ++i)
      if (!(i & half)) exchange_blocks<T>(rows[i], rows[i + half], half);
  }
}
#else
template <class T>
ATHANOR_ALWAYS_INLINE void sum_lanes_of_four(const Vec<T> (&v)[4], typename Four<T>::type& sums) {
  sums = typename Four<T>::type{sum_lanes<T>(v[0]), sum_lanes<T>(v[1]), sum_lanes<T>(v[2]), sum_lanes<T>(v[3])};
}

template <class T>
ATHANOR_ALWAYS_INLINE void transpose(Vec<T> (&rows)[kLanes<T>]) {
  constexpr int lanes = kLanes<T>;
  for (int i = 0; i < lanes; ++i)
    for (int j = i + 1; j < lanes; ++j) {
      const T swap = rows[i][j];
      rows[i][j] = rows[j][i];
      rows[j][i] = swap;
    }
}
#endif

}  // namespace ATHANOR_ISA
}  // namespace athanor
