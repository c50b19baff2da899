// Slices of a factor in shared memory, for products on tensor cores: how they lie there, who copies what, and how a
// warp's fragments are read. A slice has 64 bytes of the depth (16 numbers of tf32, 32 of bf16) of each of a tile's
// lines, rows of A or columns of B, in chunks of 16 bytes. It lies as the factor does in global memory, so that
// neighbours are copied by neighbouring threads, 16 bytes at a time: `along` the depth or `across` it. Where the chunks
// of a row go is permuted, without padding, so that neither the copies nor the reads of a fragment meet in a bank.
//
// What a multiprocessor delivers is 128 bytes a clock. For the 64 x 64 part of a tile that a warp computes it reads 4
// KiB for 32 products of 2,048 (bf16) or 1,024 (tf32) multiply-adds: 128 bytes each, one clock, where the tensor cores
// of sm_80 take two. A part of 64 x 32 takes 192 bytes a product, of 32 x 32 256, of 32 x 16 384.
#pragma once
#include "cuda/ptx.h"
#include "math/bfloat16.h"

namespace athanor {
namespace cuda {

constexpr int kChunkBytes = 16;
constexpr int kSliceChunks = 4;  // along the depth
constexpr int kMmaThreads = 256;

template <class T>
struct SliceOf {
  static constexpr int wide = kChunkBytes / static_cast<int>(sizeof(T));  // numbers of a chunk
  static constexpr int depth = kSliceChunks * wide;
};

/** Where chunk `chunk` of a line's depth is, in chunks: two lines are 128 bytes, which is every bank once. */
ATHANOR_ALWAYS_INLINE constexpr int place_along(int line, int chunk) {
  return line * kSliceChunks + (chunk ^ (line >> 1 & 3));
}

/**
 * Where chunk `chunk` of a tile's lines is, at place d of the depth. A warp reads eight places of the depth at a time
 * of bf16, a chunk each; of tf32 four, two neighbouring chunks each.
 */
template <class T, int Tile>
ATHANOR_ALWAYS_INLINE constexpr int place_across(int d, int chunk) {
  return d * (Tile / SliceOf<T>::wide) + (chunk ^ (d * (sizeof(T) == 4 ? 2 : 1) & 7));
}

/** A slice's memory. */
template <class T, int Tile>
struct alignas(128) Slice {
  static constexpr int bytes = Tile * kSliceChunks * kChunkBytes;
  char at[bytes];
  __device__ __forceinline__ char* chunk(int place) { return at + place * kChunkBytes; }
};

/** What of a chunk a factor has: the first `count` numbers lie at `from`; the rest is 0. */
template <class T>
struct Chunk {
  const T* from;  // a multiple of 16 bytes, even where the count is 0
  int count;
};

/**
 * A factor with a unit step, along the depth or across it, whose lines (or depths) begin at multiples of 16 bytes. A
 * factor F of tensor cores has
 *   of_product(origin): itself, for a product of the batch;
 *   Line line(i): what is worth remembering of line i (across: of the chunk of lines that begins there);
 *   chunk(line, i, d, end): the chunk that begins at line i and place d of the depth, which ends at `end`.
 */
template <class T, bool Across>
struct LinedFactor {
  using Number = T;
  static constexpr bool across = Across;
  const T* data;
  int64_t lines;
  int64_t step;  // from line to line, or across: from place to place of the depth
  int operand;   // whose offset in the batch is its own

  struct Line {};
  __device__ __forceinline__ LinedFactor of_product(const Origin& o) const {
    LinedFactor moved = *this;
    moved.data += o.at[operand];
    return moved;
  }
  __device__ __forceinline__ Line line(int64_t) const { return {}; }
  __device__ __forceinline__ Chunk<T> chunk(const Line&, int64_t i, int64_t d, int64_t end) const {
    const int64_t left = Across ? lines - i : end - d;
    const bool inside = Across ? d < end && left > 0 : i < lines && left > 0;
    if (!inside) return {data, 0};
    return {Across ? data + d * step + i : data + i * step + d,
            static_cast<int>(min_of<int64_t>(left, SliceOf<T>::wide))};
  }
};

/** A thread's share of the copies of a factor's slices. */
template <class F, int Tile>
struct SliceCopies {
  using T = typename F::Number;
  static constexpr int wide = SliceOf<T>::wide;
  static constexpr int chunks = F::across ? Tile / wide : kSliceChunks;  // of a row of shared memory
  static constexpr int each = Tile * kSliceChunks / kMmaThreads;
  static constexpr int step = kMmaThreads / chunks;  // rows between two copies of a thread
  static_assert(kMmaThreads % chunks == 0 && each * kMmaThreads == Tile * kSliceChunks, "copies are shared out evenly");
  int64_t first;
  typename F::Line lines[F::across ? 1 : each];

  static __device__ __forceinline__ int row(int j) { return static_cast<int>(threadIdx.x) / chunks + j * step; }
  static __device__ __forceinline__ int chunk() { return static_cast<int>(threadIdx.x) % chunks; }

  __device__ __forceinline__ void begin(const F& factor, int64_t tile) {
    first = tile;
    if constexpr (F::across) {
      lines[0] = factor.line(first + chunk() * wide);
    } else {
#pragma unroll
      for (int j = 0; j < each; ++j) lines[j] = factor.line(first + row(j));
    }
  }
  /** Starts the copies of the slice that begins at d0 of a depth that ends at `end`. */
  __device__ __forceinline__ void start(const F& factor, Slice<T, Tile>& to, int64_t d0, int64_t end) const {
#pragma unroll
    for (int j = 0; j < each; ++j) {
      const int r = row(j), c = chunk();
      const Chunk<T> from = F::across ? factor.chunk(lines[0], first + c * wide, d0 + r, end)
                                      : factor.chunk(lines[F::across ? 0 : j], first + r, d0 + c * wide, end);
      copy_async<kChunkBytes>(to.chunk(F::across ? place_across<T, Tile>(r, c) : place_along(r, c)), from.from,
                              from.count * static_cast<int>(sizeof(T)));
    }
  }
};

/** A fragment's register as tensor cores take it: bf16 as it is, float32 rounded to tf32. */
template <class T>
__device__ __forceinline__ uint32_t rounded(uint32_t bits) {
  if constexpr (sizeof(T) == 4)
    return to_tf32(m::from_bits<float>(bits));
  else
    return bits;
}

/**
 * The four registers of 16 lines x 32 bytes of the depth, the step'th of a slice, that begin at `line`: of A one
 * fragment; of B two, of eight lines each, one after the other. Four 8 x 8 matrices of two bytes, or 8 x 4 numbers of
 * tf32: of A the second is eight lines on, the third a chunk; of B the second is a chunk on, the third eight lines.
 */
template <class T, int Tile, bool Across, bool OfA>
__device__ __forceinline__ void read_fragments(uint32_t (&to)[4], Slice<T, Tile>& slice, int line, int step) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp, matrix = lane / 8, within = lane % 8;
  const int eight = (OfA ? matrix & 1 : matrix >> 1) * 8, half = OfA ? matrix >> 1 : matrix & 1;
  if constexpr (!Across) {
    load_matrices<false>(to, slice.chunk(place_along(line + eight + within, step * 2 + half)));
  } else if constexpr (sizeof(T) == 2) {
    const int d = step * 16 + half * 8 + within;
    load_matrices<true>(to, slice.chunk(place_across<T, Tile>(d, (line + eight) / 8)));
  } else {  // there is no transposed load of four bytes
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      const Element e = OfA ? tf32_a_element(lane, r) : tf32_b_element(lane, r & 1);
      const int l = line + (OfA ? e.row : e.column + r / 2 * 8), d = step * 8 + (OfA ? e.column : e.row);
      to[r] = reinterpret_cast<const uint32_t*>(slice.chunk(place_across<T, Tile>(d, l / 4)))[l % 4];
    }
  }
#pragma unroll
  for (int r = 0; r < 4; ++r) to[r] = rounded<T>(to[r]);
}

}  // namespace cuda
}  // namespace athanor
