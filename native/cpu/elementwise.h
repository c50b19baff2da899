// The loops behind the elementwise lines of ops.def, for any layout. An op contributes one tight loop over dense memory
// for each dtype, which the compiler turns into vector code; walking, broadcasting and strides are written once, for
// all. Split into flat pieces. Bound by memory bandwidth: (inputs + 1) * item size bytes an element, against 1 FLOP for
// arithmetic and 15 to 50 for exp, tanh or gelu.
#pragma once
#include "cpu/dtypes.h"
#include "cpu/streaming.h"

namespace athanor {
namespace ATHANOR_ISA {

/** out[i] = f(in[0][i], in[1][i], ...) for i < n, all dense; an input may be the memory of `out`, but not overlap it.
 *  With `streams` it is not, and out is written past the caches. */
using Loop = void (*)(int64_t n, const double* attrs, void* out, const void* const* in, bool streams);

// Strided and repeated operands pass through buffers of this many elements, which stay in the L1 cache: that costs
// little beside the loop, and leaves one loop to compile for an op instead of one for each combination of layouts.
constexpr int64_t kBlock = 512;

// What an element lies in memory as: of C++'s own bool the compiler makes no vectors.
template <class T>
struct Stored {
  using type = T;
};
template <>
struct Stored<bool> {
  using type = uint8_t;
};
template <class T>
using InMemory = typename Stored<T>::type;

template <class T>
ATHANOR_ALWAYS_INLINE void gather(int64_t n, T* to, const T* from, int64_t step) {
  for (int64_t i = 0; i < n; ++i) to[i] = from[i * step];
}
template <class T>
ATHANOR_ALWAYS_INLINE void scatter(int64_t n, T* to, int64_t step, const T* from) {
  for (int64_t i = 0; i < n; ++i) to[i * step] = from[i];
}

template <class T>
ATHANOR_ALWAYS_INLINE void repeat(int64_t n, T* to, const T* from) {
  const T x = *from;  // apart from gather(): of a step that is not known the compiler makes a loop of single elements
  for (int64_t i = 0; i < n; ++i) to[i] = x;
}

/** n elements between a strided row and a dense block; only their size matters. */
static inline void gather_items(size_t size, int64_t n, void* to, const char* from, int64_t step) {
  if (size == 4) return gather(n, static_cast<uint32_t*>(to), reinterpret_cast<const uint32_t*>(from), step);
  if (size == 8) return gather(n, static_cast<uint64_t*>(to), reinterpret_cast<const uint64_t*>(from), step);
  if (size == 2) return gather(n, static_cast<uint16_t*>(to), reinterpret_cast<const uint16_t*>(from), step);
  gather(n, static_cast<uint8_t*>(to), reinterpret_cast<const uint8_t*>(from), step);
}
static inline void repeat_item(size_t size, int64_t n, void* to, const char* from) {
  if (size == 4) return repeat(n, static_cast<uint32_t*>(to), reinterpret_cast<const uint32_t*>(from));
  if (size == 8) return repeat(n, static_cast<uint64_t*>(to), reinterpret_cast<const uint64_t*>(from));
  if (size == 2) return repeat(n, static_cast<uint16_t*>(to), reinterpret_cast<const uint16_t*>(from));
  repeat(n, static_cast<uint8_t*>(to), reinterpret_cast<const uint8_t*>(from));
}
static inline void scatter_items(size_t size, int64_t n, char* to, int64_t step, const void* from) {
  if (size == 4) return scatter(n, reinterpret_cast<uint32_t*>(to), step, static_cast<const uint32_t*>(from));
  if (size == 8) return scatter(n, reinterpret_cast<uint64_t*>(to), step, static_cast<const uint64_t*>(from));
  if (size == 2) return scatter(n, reinterpret_cast<uint16_t*>(to), step, static_cast<const uint16_t*>(from));
  scatter(n, reinterpret_cast<uint8_t*>(to), step, static_cast<const uint8_t*>(from));
}

/** A row of N inputs and an output of which some are strided or repeated, in blocks. */
template <int N>
static void run_row(int64_t n, const int64_t* steps, const size_t* sizes, char* const* first, const double* attrs,
                    bool streams, Loop loop) {
  alignas(64) char buffers[N + 1][kBlock * 8];
  const void* in[N];
  for (int k = 1; k <= N; ++k)
    if (steps[k] == 0) repeat_item(sizes[k], min_of(n, kBlock), buffers[k], first[k]);
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t count = min_of(n - begin, kBlock);
    for (int k = 1; k <= N; ++k) {
      const char* at = first[k] + begin * steps[k] * static_cast<int64_t>(sizes[k]);
      in[k - 1] = steps[k] == 1 ? at : buffers[k];
      if (steps[k] != 1 && steps[k] != 0) gather_items(sizes[k], count, buffers[k], at, steps[k]);
    }
    char* out = first[0] + begin * steps[0] * static_cast<int64_t>(sizes[0]);
    loop(count, attrs, steps[0] == 1 ? out : buffers[0], in, streams && steps[0] == 1);
    if (steps[0] != 1) scatter_items(sizes[0], count, out, steps[0], buffers[0]);
  }
}

/** An operand whose lines run across those of `out` is replaced by a copy in out's order, if it is large: gathering its
 *  elements one by one would cost several times as much. In copy.cc. */
void lay_along(Context* ctx, const View& out, View* operand);

/** Runs `loop` over the output and the first N inputs of a call, broadcasting. Rows along which input k alone repeats
 * go to repeating[k], which reads one element of it, where there is such a loop. */
template <int N>
static void run_elementwise(const Call& c, Loop loop, const Loop* repeating = nullptr) {
  View in_order[N];
  const View* views[N + 1];
  size_t sizes[N + 1];
  views[0] = &c.out[0];
  for (int k = 1; k <= N; ++k) {
    in_order[k - 1] = c.in[k - 1];
    lay_along(c.ctx, c.out[0], &in_order[k - 1]);
    views[k] = &in_order[k - 1];
  }
  for (int k = 0; k <= N; ++k) sizes[k] = item_size(views[k]->dtype);
  const Walk<N + 1> w = make_walk<N + 1>(views);
  int64_t steps[N + 1];
  int others = 0, other = 0;  // operands that are not dense along the rows
  for (int k = 0; k <= N; ++k) {
    steps[k] = w.strides[k][w.ndim - 1];
    if (steps[k] != 1) ++others, other = k;
  }
  Loop whole = others == 0 ? loop : nullptr;  // takes a row as it is
  if (repeating != nullptr && others == 1 && other > 0 && steps[other] == 0) whole = repeating[other - 1];
  const bool streams = streams_to(c.out[0], c.in, N);
  for_streamed_rows(c.ctx, w, kGrain, streams, [&](int64_t n, const int64_t* at) {
    char* first[N + 1];
    for (int k = 0; k <= N; ++k) first[k] = static_cast<char*>(w.data[k]) + at[k] * static_cast<int64_t>(sizes[k]);
    if (whole == nullptr) return run_row<N>(n, steps, sizes, first, c.attrs, streams, loop);
    const void* in[N];
    for (int k = 0; k < N; ++k) in[k] = first[k + 1];
    whole(n, c.attrs, first[0], in, streams);
  });
}

/** out = F(x), element type T in, R out. */
template <class F, class T, class R>
ATHANOR_ALWAYS_INLINE void run_unary(const Call& c) {
  run_elementwise<1>(c, [](int64_t n, const double*, void* to, const void* const* in, bool streams) {
    const T* x = static_cast<const T*>(in[0]);
    write_elements(
        n, static_cast<R*>(to), streams,
        [&](int64_t i) __attribute__((always_inline)) { return static_cast<R>(F::template apply<T>(x[i])); }, x);
  });
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
