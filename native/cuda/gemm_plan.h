// Which kernel takes a product, with what tile, and in how many parts of its depth: a pure function of the problem and
// the chip. It estimates the time of each way it knows and takes the shortest. The constants are estimates from
// published rates; only the order that they lead to matters, and that is what the tests check.
#pragma once
#include "cpu/parallel.h"
#include "cuda/runtime.h"

namespace athanor {
namespace cuda {

/** The arithmetic of a product. */
enum class Arithmetic {
  exact,    // multiply-adds of the ordinary units in float32
  wide,     // the same in other types, which have tiles of one size: float64, integers, widened bfloat16
  tf32,     // tensor cores, factors rounded from float32
  bfloat16  // tensor cores
};

enum class GemmFamily {
  skinny,  // a matrix times a few vectors, any type
  simt,    // multiply-adds of the ordinary units, any type
  sm80,    // tensor cores by mma.sync, sums in float32
  // The place of sm90 (TMA, wgmma) is before sm80, for what it can describe.
};

/** What the choice depends on. */
struct GemmShape {
  int64_t m, n, k, count;
  Arithmetic arithmetic;
  int multiprocessors;
  int widest = 256;  // columns of the widest tile that the caller has
};

/** A block's tile of the result, and the parts that the depth is cut into. */
struct GemmPlan {
  GemmFamily family;
  int tile_m, tile_n;
  int parts;
  int64_t part_depth;  // a multiple of every kernel's slices
};

/** A tile that a kernel exists for. */
struct TileChoice {
  int m, n;
  double rate;  // multiply-adds of a multiprocessor in a clock, when the tile is full and the depth long
};

/**
 * The tiles for an arithmetic, largest first; `count` of them. An sm_80 multiprocessor makes 512 multiply-adds of tf32
 * a clock, 1,024 of bf16, 128 of float32; mma.sync reaches about the double on Hopper. What shared memory must deliver
 * for a product of 2,048 multiply-adds grows as tiles shrink (mma_slice.h counts), which is what the rates go by.
 */
ATHANOR_HOST_INLINE const TileChoice* tiles_of(Arithmetic arithmetic, int* count) {
  static constexpr TileChoice exact[] = {{128, 128, 96}, {64, 64, 64}};
  static constexpr TileChoice wide[] = {{64, 64, 32}};
  static constexpr TileChoice tf32[] = {{128, 256, 480}, {128, 128, 420}, {128, 64, 340}, {64, 64, 240}};
  static constexpr TileChoice bfloat16[] = {{128, 256, 960}, {128, 128, 800}, {128, 64, 600}, {64, 64, 400}};
  switch (arithmetic) {
    case Arithmetic::exact: *count = 2; return exact;
    case Arithmetic::wide: *count = 1; return wide;
    case Arithmetic::tf32: *count = 4; return tf32;
    default: *count = 4; return bfloat16;
  }
}

/** A tensor core's product is 16 x 8: less than a tile of it wastes most of them. */
ATHANOR_HOST_INLINE bool fills_tensor_cores(int64_t m, int64_t n) { return m >= 16 && n >= 16; }

constexpr int64_t kMostFew = 16;      // lines of the short side: more fill a tile to a quarter
constexpr int64_t kSkinnyBlock = 32;  // lines of the long side that a block has

/** A product that is bound by reading one of its factors, because the other has so few lines. */
ATHANOR_HOST_INLINE bool is_skinny(int64_t m, int64_t n) { return min_of(m, n) <= kMostFew; }

/** The parts of a skinny product's depth: as many as make four blocks a multiprocessor, which are all of its warps. */
ATHANOR_HOST_INLINE GemmPlan choose_skinny(const GemmShape& s) {
  constexpr int64_t shortest_part = 512, unit = 64, most_sums = 1 << 26;
  const int64_t blocks = max_of<int64_t>(1, ceil_div(max_of(s.m, s.n), kSkinnyBlock) * s.count);
  const int64_t numbers = max_of<int64_t>(1, s.m * s.n * s.count);
  int64_t parts = min_of(4 * static_cast<int64_t>(s.multiprocessors) / blocks, s.k / shortest_part);
  parts = max_of<int64_t>(1, min_of(parts, most_sums / numbers));
  const int64_t depth = max_of<int64_t>(unit, ceil_div(ceil_div(s.k, parts), unit) * unit);
  const bool by_rows = s.m > s.n;
  return {GemmFamily::skinny, by_rows ? static_cast<int>(kSkinnyBlock) : static_cast<int>(kMostFew),
          by_rows ? static_cast<int>(kMostFew) : static_cast<int>(kSkinnyBlock),
          static_cast<int>(max_of<int64_t>(1, ceil_div(s.k, depth))), depth};
}

ATHANOR_HOST_INLINE GemmPlan choose_gemm(const GemmShape& s) {
  constexpr double block_clocks = 1500;   // until the first slices have arrived, and to write a tile
  constexpr double launch_clocks = 3000;  // of the kernel that adds up parts
  constexpr double bytes_a_clock = 10;    // that memory delivers to each multiprocessor
  constexpr int64_t shortest_part = 256;  // a shorter one is mostly its beginning and end
  constexpr int64_t unit = 64;            // all slices divide it
  constexpr int64_t most_sums = 1 << 26;  // 256 MiB
  static constexpr int part_counts[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128};
  const bool tensor_cores = s.arithmetic == Arithmetic::tf32 || s.arithmetic == Arithmetic::bfloat16;
  const int64_t numbers = s.m * s.n * s.count;
  int tiles = 0;
  const TileChoice* const choices = tiles_of(s.arithmetic, &tiles);
  GemmPlan best{};
  double best_clocks = 0;
  for (int t = 0; t < tiles; ++t) {
    const TileChoice& tile = choices[t];
    if (tile.n > s.widest) continue;
    const double blocks = static_cast<double>(ceil_div(s.m, tile.m)) * static_cast<double>(ceil_div(s.n, tile.n)) *
                          static_cast<double>(s.count);
    for (const int wanted : part_counts) {
      if (wanted > 1 && (s.k < wanted * shortest_part || numbers > most_sums / wanted)) break;
      const int64_t depth = max_of<int64_t>(unit, ceil_div(ceil_div(s.k, wanted), unit) * unit);
      const int parts = static_cast<int>(max_of<int64_t>(1, ceil_div(s.k, depth)));
      const double all = blocks * parts / s.multiprocessors;
      const double rounds = all > static_cast<double>(static_cast<int64_t>(all)) ? static_cast<int64_t>(all) + 1 : all;
      const double each = static_cast<double>(min_of(depth, max_of<int64_t>(s.k, 1))) * tile.m * tile.n / tile.rate;
      double clocks = rounds * (each + block_clocks);
      if (parts > 1)  // sums are written, read and added
        clocks +=
            launch_clocks + static_cast<double>(numbers) * (2 * parts + 1) * 4 / (bytes_a_clock * s.multiprocessors);
      if (best.tile_m != 0 && clocks >= best_clocks) continue;
      best = {tensor_cores ? GemmFamily::sm80 : GemmFamily::simt, tile.m, tile.n, parts, depth};
      best_clocks = clocks;
    }
  }
  return best;
}

}  // namespace cuda
}  // namespace athanor
