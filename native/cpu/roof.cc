// Loops that do nothing but reach a roof of the machine, at this instruction set.
//   compute   x <- x * a + b in more independent chains than the units have stages: bound by the multiply-add units
//   stream    read, write, copy and triad (a = b + s c) over arrays: bound by the memory that they lie in. The
//   streaming
//             forms write past the caches, which saves reading what is overwritten.
// They are no ops: core/roofs.cc runs them on as many threads as it is asked for.
#include "cpu/roof.h"

#include "cpu/vectors.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace athanor {
namespace ATHANOR_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int kChains = 24;  // of 32 registers; two units of four stages need 8, and loads none
#else
constexpr int kChains = 12;  // of 16 registers, two of which hold the factors
#endif
constexpr int kUnroll = 4;  // chain steps a round, so that the loop's own instructions do not count

/** Tells the compiler that a value is used and may have changed. */
template <class V>
ATHANOR_ALWAYS_INLINE void opaque(V& v) {
#if defined(__x86_64__)
#if defined(__AVX512F__)
  asm volatile("" : "+v"(v));
#else
  asm volatile("" : "+x"(v));
#endif
#else
  asm volatile("" : "+w"(v));
#endif
}

template <class T>
double multiply_add(int64_t rounds) {
  using V = typename Lanes<T>::type;
  V a = splat(T(0.9990234375)), b = splat(T(0.0009765625));  // the chains stay near 1: no denormals, no infinities
  opaque(a);
  opaque(b);
  V x[kChains];
  for (int i = 0; i < kChains; ++i) x[i] = splat(T(1) + T(i) / T(64));
  for (int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 4
    for (int u = 0; u < kUnroll; ++u) {
#pragma GCC unroll 24
      for (int i = 0; i < kChains; ++i) x[i] = x[i] * a + b;
    }
  }
  for (int i = 0; i < kChains; ++i) opaque(x[i]);
  return static_cast<double>(rounds) * kUnroll * kChains * Lanes<T>::count * 2;
}

#if defined(__AVX512F__)
/** Pairs of bfloat16 multiplied, their products added to float32. */
__attribute__((target("avx512bf16"))) double dot_bf16(int64_t rounds) {
  __m512 x[kChains];
  for (int i = 0; i < kChains; ++i) x[i] = _mm512_set1_ps(1.0f + static_cast<float>(i));
  __m512 bits = _mm512_setzero_ps();
  asm volatile("" : "+v"(bits));
  const __m512bh zero = (__m512bh)bits;
  for (int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 4
    for (int u = 0; u < kUnroll; ++u) {
#pragma GCC unroll 24
      for (int i = 0; i < kChains; ++i) x[i] = _mm512_dpbf16_ps(x[i], zero, zero);
    }
  }
  for (int i = 0; i < kChains; ++i) asm volatile("" : "+v"(x[i]));
  return static_cast<double>(rounds) * kUnroll * kChains * 32 * 2;
}
#endif

using Floats = Lanes<float>::type;
constexpr int kStep = Lanes<float>::count;

ATHANOR_ALWAYS_INLINE Floats get(const float* p) { return *reinterpret_cast<const Floats*>(p); }
ATHANOR_ALWAYS_INLINE void put(float* p, Floats v) { *reinterpret_cast<Floats*>(p) = v; }

ATHANOR_ALWAYS_INLINE void put_streaming(float* p, Floats v) {
#if defined(__AVX512F__)
  _mm512_stream_ps(p, reinterpret_cast<__m512>(v));
#elif defined(__AVX2__)
  _mm256_stream_ps(p, reinterpret_cast<__m256>(v));
#elif defined(__x86_64__)
  _mm_stream_ps(p, reinterpret_cast<__m128>(v));
#else
  put(p, v);
#endif
}

/** Streaming stores become visible in order only after this. */
ATHANOR_ALWAYS_INLINE void fence() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

#define ATHANOR_STREAM(name, body, end)                     \
  void name(float* a, float* b, float* c, int64_t n) {      \
    (void)a, (void)b, (void)c;                              \
    Floats s = splat(1.5f);                                 \
    opaque(s);                                              \
    for (int64_t i = 0; i < n; i += 8 * kStep) {            \
      _Pragma("GCC unroll 8") for (int k = 0; k < 8; ++k) { \
        const int64_t j = i + k * kStep;                    \
        body;                                               \
      }                                                     \
    }                                                       \
    end;                                                    \
  }

ATHANOR_STREAM(
    read, {
      Floats v = get(a + j);
      opaque(v);
    }, )
ATHANOR_STREAM(write, put(a + j, s), )
ATHANOR_STREAM(copy, put(a + j, get(b + j)), )
ATHANOR_STREAM(triad, put(a + j, get(b + j) + s * get(c + j)), )
ATHANOR_STREAM(write_streaming, put_streaming(a + j, s), fence())
ATHANOR_STREAM(copy_streaming, put_streaming(a + j, get(b + j)), fence())
ATHANOR_STREAM(triad_streaming, put_streaming(a + j, get(b + j) + s * get(c + j)), fence())

const NamedCompute compute[] = {
    {"f32", multiply_add<float>, nullptr},
    {"f64", multiply_add<double>, nullptr},
#if defined(__AVX512F__)
    {"bf16", dot_bf16, "avx512bf16"},
#endif
    {nullptr, nullptr, nullptr},
};

const NamedStream stream[] = {
    {"read", read, 1, 0},
    {"write", write, 0, 1},
    {"copy", copy, 1, 1},
    {"triad", triad, 2, 1},
    {"writeStreaming", write_streaming, 0, 1},
    {"copyStreaming", copy_streaming, 1, 1},
    {"triadStreaming", triad_streaming, 2, 1},
    {nullptr, nullptr, 0, 0},
};

}  // namespace

const RoofLoops roof_loops = {compute, stream};

}  // namespace ATHANOR_ISA
}  // namespace athanor
