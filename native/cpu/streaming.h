// Writing results past the caches. A plain store first reads the line that it is about to overwrite, so a copy moves
// three bytes for every two it is asked for; a streaming store writes whole lines straight to memory. That pays where
// the result is too large to be found in the last-level cache by whoever reads it next, and only there.
//
// Measured with both threads of a two-core Zen 5 (32 MiB of last-level cache): copy 45 -> 60 GB/s, triad 45 -> 60.
#pragma once
#include "cpu/iterate.h"
#include "cpu/vectors.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace athanor {
namespace ATHANOR_ISA {

/**
 * Results of at least so many bytes are streamed. A chain of two ops and a sum, with 32 MiB of last-level cache: at 16
 * MiB streaming costs a tenth, at 24 MiB it makes no difference, at 64 MiB it saves a fifth; an op alone gains from 20
 * MiB on. What the system says of its caches is no help: on a rented machine it counts what is shared with others.
 */
constexpr int64_t kStreamFrom = int64_t{24} << 20;

/** Stores a register at a multiple of its size, past the caches. store_fence() must follow before another thread looks.
 */
template <class T>
ATHANOR_ALWAYS_INLINE void stream_lanes(T* to, typename Lanes<T>::type v) {
#if defined(__AVX512F__)
  _mm512_stream_si512(reinterpret_cast<__m512i*>(to), reinterpret_cast<__m512i>(v));
#elif defined(__AVX2__)
  _mm256_stream_si256(reinterpret_cast<__m256i*>(to), reinterpret_cast<__m256i>(v));
#elif defined(__x86_64__)
  _mm_stream_si128(reinterpret_cast<__m128i*>(to), reinterpret_cast<__m128i>(v));
#else
  store_lanes(to, v);
#endif
}

/** Streaming stores are ordered with nothing, not even with the release of a lock: call this at the end of a piece. */
ATHANOR_ALWAYS_INLINE void store_fence() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

/** Whether a result at `to` should be streamed. Not where it takes the place of an input: those lines are read anyway.
 */
ATHANOR_ALWAYS_INLINE bool streams_to(const View& out, const View* in, int n_in) {
  if (numel(out) * static_cast<int64_t>(item_size(out.dtype)) < kStreamFrom) return false;
  for (int k = 0; k < n_in; ++k)
    if (in[k].data == out.data) return false;
  return true;
}

/** As for_rows(), for rows that are written with streaming stores if `streams`. */
template <int N, class F>
ATHANOR_ALWAYS_INLINE void for_streamed_rows(Context* ctx, const Walk<N>& w, int64_t grain, bool streams,
                                             const F& row) {
  parallel_for(ctx, w.elements(), grain, [&](int64_t begin, int64_t end) {
    rows_between(w, begin, end, row);
    if (streams) store_fence();
  });
}

/**
 * Stores vector_at(i), elements i and following, until `to` has n; n is at least a register's worth, and `to` must not
 * overlap what is read. The first and the last register overlap their neighbours, so that every element is computed by
 * the same instructions wherever a piece begins.
 */
template <class R, class F>
ATHANOR_ALWAYS_INLINE void stream_vectors(int64_t n, R* to, const F& vector_at) {
  constexpr int64_t lanes = Lanes<R>::count;
  const uintptr_t past = reinterpret_cast<uintptr_t>(to) % kVectorBytes;
  int64_t next = lanes - static_cast<int64_t>(past / sizeof(R));
  for (int64_t i = 0;; next += lanes) {
    const typename Lanes<R>::type v = vector_at(i);
    if (reinterpret_cast<uintptr_t>(to + i) % kVectorBytes == 0) {
      stream_lanes(to + i, v);
    } else {
      store_lanes(to + i, v);
    }
    if (i == n - lanes) return;
    i = min_of(next, n - lanes);
  }
}

/** memcpy() past the caches. */
ATHANOR_ALWAYS_INLINE void stream_bytes(void* to, const void* from, int64_t n) {
  using Byte = unsigned char;
  if (n < kVectorBytes) {
    __builtin_memcpy(to, from, static_cast<size_t>(n));
    return;
  }
  const Byte* x = static_cast<const Byte*>(from);
  stream_vectors(n, static_cast<Byte*>(to), [&](int64_t i) { return load_lanes<Byte>(x + i); });
}

/** to[i] = f(i) for i < n, past the caches if `streams`. */
template <class R, class F>
ATHANOR_ALWAYS_INLINE void write_elements(int64_t n, R* to, bool streams, const F& f) {
  if constexpr (sizeof(R) >= 4) {
    constexpr int64_t lanes = Lanes<R>::count;
    if (streams && n >= lanes) {
      stream_vectors(n, to, [&](int64_t i) __attribute__((always_inline)) {
        R block[lanes];  // a register, once compiled
#pragma omp simd
        for (int64_t j = 0; j < lanes; ++j) block[j] = f(i + j);
        return load_lanes<R>(block);
      });
      return;
    }
  }
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) to[i] = f(i);
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
