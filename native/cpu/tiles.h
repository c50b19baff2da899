// Copies whose two sides run along different dimensions: transposes, and permutations that move the innermost one.
// Element by element one side would touch a new cache line with each step. Here squares of a register's lanes are
// transposed in registers, a few of them side by side, so that every line is read and written whole.
// No FLOP, 2 * item size bytes per element: bound by bandwidth. Split over tiles.
#pragma once
#include "cpu/move.h"
#include "cpu/simd.h"
#include "cpu/streaming.h"

namespace athanor {
namespace ATHANOR_ISA {

/** The dimension of a walk over (out, in) along which `in` lies dense, where `out` does so along the innermost; else
 * -1. */
ATHANOR_ALWAYS_INLINE int crossing(const Walk<2>& w) {
  constexpr int64_t kLeast = 4;  // fewer neighbours make no line
  const int inner = w.ndim - 1;
  if (w.strides[0][inner] != 1 || w.strides[1][inner] == 1 || w.strides[1][inner] == 0) return -1;
  for (int d = inner - 1; d >= 0; --d)
    if (w.strides[1][d] == 1 && w.shape[d] >= kLeast && w.shape[inner] >= kLeast) return d;
  return -1;
}

// A tile's sides: this many elements of a row of `out`, and of a row of `in`. The rows of a matrix whose width is a
// power of two compete for the same few places of a cache: 64 of them are what a second-level cache of 16 ways holds,
// and half as many cost a tenth elsewhere.
constexpr int64_t kTile = 64;

/** The float that is as wide as W. */
template <class W>
struct FloatLike {
  using type = float;
};
template <>
struct FloatLike<uint64_t> {
  using type = double;
};

/** out[j * so + i] = in[i * si + j] for i < across, j < down. Meanwhile asks for the tile at `next`: the lines of a
 * tile follow no pattern that the processor would foresee. */
template <class W>
ATHANOR_ALWAYS_INLINE void copy_tile(int64_t across, int64_t down, W* out, int64_t so, const W* in, int64_t si,
                                     const W* next, bool streams) {
  int64_t j = 0;
  if constexpr (sizeof(W) == 4 || sizeof(W) == 8) {
    using T = typename FloatLike<W>::type;
    constexpr int64_t lanes = kLanes<T>;
    const int64_t whole = across / lanes * lanes;
    for (; j + lanes <= down; j += lanes) {
      for (int64_t i = 0; i < whole; i += lanes) {
        Vec<T> rows[lanes];
#pragma GCC unroll 16
        for (int64_t k = 0; k < lanes; ++k) __builtin_prefetch(next + (i + k) * si + j, 0, 2);
#pragma GCC unroll 16
        for (int64_t k = 0; k < lanes; ++k) rows[k] = load_lanes<T>(reinterpret_cast<const T*>(in + (i + k) * si + j));
        transpose<T>(rows);
        T* to = reinterpret_cast<T*>(out + j * so + i);
        if (streams) {
#pragma GCC unroll 16
          for (int64_t k = 0; k < lanes; ++k) stream_lanes(to + k * so, rows[k]);
        } else {
#pragma GCC unroll 16
          for (int64_t k = 0; k < lanes; ++k) store_lanes(to + k * so, rows[k]);
        }
      }
      for (int64_t k = j; k < j + lanes; ++k)
        for (int64_t i = whole; i < across; ++i) out[k * so + i] = in[i * si + k];
    }
  }
  for (; j < down; ++j)
    for (int64_t i = 0; i < across; ++i) out[j * so + i] = in[i * si + j];
}

/** Copies what a walk over (out, in) of elements as wide as W spans; `down` is crossing() of it. */
template <class W>
void copy_tiles(Context* ctx, const Walk<2>& w, int down, bool streams) {
  const int inner = w.ndim - 1;
  const int64_t across_tiles = ceil_div(w.shape[inner], kTile), down_tiles = ceil_div(w.shape[down], kTile);
  Walk<2> outer = w;
  outer.shape[inner] = outer.shape[down] = 1;
  const int64_t so = w.strides[0][down], si = w.strides[1][inner];
  // Streaming stores write whole aligned registers.
  bool aligned = reinterpret_cast<uintptr_t>(w.data[0]) % kVectorBytes == 0;
  for (int d = 0; d < inner; ++d)
    aligned = aligned && w.strides[0][d] * static_cast<int64_t>(sizeof(W)) % kVectorBytes == 0;
  streams = streams && aligned;
  const int64_t tiles = outer.elements() * down_tiles * across_tiles;
  const int64_t grain = ceil_div(kGrain, min_of(kTile, w.shape[inner]) * min_of(kTile, w.shape[down]));
  struct Tile {
    int64_t i, j;
    W* out;
    const W* in;
  };
  const auto place = [&](int64_t tile) {
    const int64_t i = tile % across_tiles * kTile, j = tile / across_tiles % down_tiles * kTile;
    int64_t rest = tile / across_tiles / down_tiles, out = i + j * so, in = i * si + j;
    for (int d = inner; d >= 0; --d) {
      out += rest % outer.shape[d] * w.strides[0][d];
      in += rest % outer.shape[d] * w.strides[1][d];
      rest /= outer.shape[d];
    }
    return Tile{i, j, static_cast<W*>(w.data[0]) + out, static_cast<const W*>(w.data[1]) + in};
  };
  parallel_for(ctx, tiles, grain, [&](int64_t begin, int64_t end) {
    Tile at = place(begin);
    for (int64_t tile = begin; tile < end; ++tile) {
      const Tile next = place(min_of(tile + 1, end - 1));
      copy_tile<W>(min_of(kTile, w.shape[inner] - at.i), min_of(kTile, w.shape[down] - at.j), at.out, so, at.in, si,
                   next.in, streams);
      at = next;
    }
    if (streams) store_fence();
  });
}

/** copy_tiles() for a dtype, where the sides cross; false where they do not. */
static inline bool copy_crossing(Context* ctx, const View& out, const View& in, bool streams) {
  const Walk<2> w = make_walk<2>({&out, &in});
  const int down = crossing(w);
  if (down < 0) return false;
  with_word(out.dtype, [&](auto tag) { copy_tiles<typename decltype(tag)::type>(ctx, w, down, streams); });
  return true;
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
