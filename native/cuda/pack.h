// Copies of factors that tensor cores can read 16 bytes at a time: numbers that belong together lie one after another,
// in lines that begin at multiples of 16 bytes and end in zeros.
#pragma once
#include "cuda/dense.h"
#include "cuda/mma_slice.h"

namespace athanor {
namespace cuda {

/**
 * Line l of the copy is `count` numbers, `step` apart in memory from where the locator puts l. A thread makes one
 * chunk; those of a warp follow each other on a line where its numbers lie together, else they are of 32 neighbouring
 * lines.
 */
template <class T>
struct PackLines {
  const T* from;
  Locator lines;
  int64_t step;
  int count;
  uint32_t line_count;
  FastDivide chunks;  // of a line
  T* to;

  __device__ void operator()(uint32_t i) const {
    constexpr int wide = SliceOf<T>::wide;
    const uint32_t rest = step == 1 ? i : i / kWarp, tile = chunks.quotient(rest);
    const uint32_t chunk = rest - tile * chunks.divisor, line = step == 1 ? tile : tile * kWarp + i % kWarp;
    if (line >= line_count) return;
    const T* const first = from + lines.at(line);
    alignas(16) T packed[wide];
#pragma unroll
    for (int v = 0; v < wide; ++v) {
      const int at = static_cast<int>(chunk) * wide + v;
      packed[v] = at < count ? first[at * step] : T{};
    }
    *reinterpret_cast<uint4*>(to + (static_cast<int64_t>(line) * chunks.divisor + chunk) * wide) =
        *reinterpret_cast<const uint4*>(packed);
  }
};

/** Numbers of a packed line of `count`. */
template <class T>
int64_t packed_length(int64_t count) {
  return ceil_div(count, SliceOf<T>::wide) * SliceOf<T>::wide;
}

/** The last dimension of `v` in packed lines, the others one after another; in scratch memory. */
template <class T>
T* packed_lines(const Call& c, const View& v) {
  View lines = v;
  lines.ndim = v.ndim - 1;
  const int64_t count = v.shape[lines.ndim], line_count = numel(lines), length = packed_length<T>(count);
  T* const to = scratch_array<T>(c, line_count * length);
  if (line_count * length >= int64_t{1} << 31) {
    c.ctx->fail(c.ctx, "2^31 elements or more in one factor");
    return to;
  }
  const int64_t chunks = length / SliceOf<T>::wide;
  for_each_number(c, ceil_div(line_count, kWarp) * kWarp * chunks,
                  PackLines<T>{v.as<const T>(), Locator(lines), v.strides[lines.ndim], static_cast<int>(count),
                               static_cast<uint32_t>(line_count),
                               FastDivide(static_cast<uint32_t>(max_of<int64_t>(1, chunks))), to});
  return to;
}

}  // namespace cuda
}  // namespace athanor
