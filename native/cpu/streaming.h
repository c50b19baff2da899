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

/** How many bytes ahead of their use inputs are asked for. */
constexpr int64_t kAhead = 2048;

/** Asks for the lines of `Bytes` bytes, kAhead from here. What lies beyond an array is asked for in vain. */
template <int64_t Bytes, class T>
ATHANOR_ALWAYS_INLINE void prefetch_bytes(const T* from) {
  for (int64_t b = 0; b < Bytes; b += 64) __builtin_prefetch(reinterpret_cast<const char*>(from) + kAhead + b);
}

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
 * n elements for `to`, made by vectors_at(i, block) `Together` registers at a time; n is at least that, and `to` must
 * not overlap what is read. The first and the last block overlap their neighbours, so that every element is computed by
 * the same instructions wherever a piece begins.
 */
template <int Together, class R, class F>
ATHANOR_ALWAYS_INLINE void stream_blocks(int64_t n, R* to, const F& vectors_at) {
  constexpr int64_t lanes = Lanes<R>::count, size = Together * lanes;
  const uintptr_t past = reinterpret_cast<uintptr_t>(to) % kVectorBytes;
  int64_t next = size - static_cast<int64_t>(past / sizeof(R));
  for (int64_t i = 0;; next += size) {
    R block[size];  // registers, once compiled
    vectors_at(i, block);
    if (reinterpret_cast<uintptr_t>(to + i) % kVectorBytes == 0) {
      for (int64_t k = 0; k < size; k += lanes) stream_lanes(to + i + k, load_lanes<R>(block + k));
    } else {
      for (int64_t k = 0; k < size; k += lanes) store_lanes(to + i + k, load_lanes<R>(block + k));
    }
    if (i == n - size) return;
    i = min_of(next, n - size);
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
  stream_blocks<1>(n, static_cast<Byte*>(to), [&](int64_t i, Byte* block) __attribute__((always_inline)) {
    store_lanes(block, load_lanes<Byte>(x + i));
  });
}

template <class... In>
constexpr int64_t kNarrowest = 0;
template <class First>
constexpr int64_t kNarrowest<First> = sizeof(First);
template <class First, class Second, class... In>
constexpr int64_t kNarrowest<First, Second, In...> = min_of<int64_t>(sizeof(First), kNarrowest<Second, In...>);

/**
 * to[i] = f(i) for i < n, past the caches if `streams`; f reads element i of each of `in`. Streamed loops ask for what
 * they read ahead of time: while a long expression is computed the processor does not look far enough ahead by itself.
 */
template <class R, class F, class... In>
ATHANOR_ALWAYS_INLINE void write_elements(int64_t n, R* to, bool streams, const F& f,
                                          [[maybe_unused]] const In*... in) {
  if constexpr (sizeof(R) >= 4) {
    // As many as fill a register of the narrowest operand: with fewer, all are taken through halves of registers.
    constexpr int together =
        sizeof...(In) == 0 ? 1
                           : static_cast<int>(max_of<int64_t>(1, sizeof(R) / max_of<int64_t>(1, kNarrowest<In...>)));
    constexpr int64_t size = together * Lanes<R>::count;
    if (streams && n >= size) {
      stream_blocks<together>(n, to, [&](int64_t i, R* block) __attribute__((always_inline)) {
        (prefetch_bytes<size* static_cast<int64_t>(sizeof(In))>(in + i), ...);
#pragma omp simd
        for (int64_t j = 0; j < size; ++j) block[j] = f(i + j);
      });
      return;
    }
  }
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) to[i] = f(i);
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
