// The register tiles (conv_tile.h) of an output row: which pixels each makes, and which of its steps meet the image.
// Rows of which no tap meets padding above or below have the same tiles, so these are planned once.
#pragma once
#include "cpu/conv_finish.h"
#include "cpu/conv_panels.h"
#include "cpu/conv_tile.h"

namespace athanor {
namespace ATHANOR_ISA {

template <class T>
struct RowTile {
  Part x;  // pixels
  SpreadFunction<T> function;
  const Stretch* stretches[2];  // where all taps' rows are there: for blocks of the larger and the smaller size
  int count;
};

template <class T>
class RowTiles {
 public:
  // A tile has one for each of a kernel's columns: other kernels take wider ones. The list lies on the stack, 768
  // bytes.
  static constexpr int max_stretches = 32;

  /** `block`: channels of the larger blocks; others have one less. */
  RowTiles(Context* ctx, const Source<T>& source, const Grid& grid, const PhasedTaps& taps,
           const FinishedRows<T>& target, int vectors, int64_t block)
      : taps_(taps), step_y_(grid.step_y), step_x_(grid.step_x), height_(source.height), width_(source.width) {
    const int64_t phases = taps.phases_y * taps.phases_x, tallest = tallest_tile<T>(vectors);
    const int64_t most = ceil_div(target.columns_of(0, taps.phases_x), tallest);
    RowTile<T>* tile = scratch_array<RowTile<T>>(ctx, phases * most);
    phases_ = scratch_array<Phase>(ctx, phases + 1);
    for (int64_t phase = 0; phase < phases; ++phase) {
      const int64_t columns = target.columns_of(phase % taps.phases_x, taps.phases_x);
      const int64_t first = taps.first[phase], end = taps.first[phase + 1], tiles = ceil_div(columns, tallest);
      Phase& p = phases_[phase] = {tile, 0, 0};
      for (int64_t t = first; t < end; ++t) {
        p.first_dy = t == first ? taps.dy[t] : min_of(p.first_dy, taps.dy[t]);
        p.last_dy = t == first ? taps.dy[t] : max_of(p.last_dy, taps.dy[t]);
      }
      for (int64_t i = 0; i < tiles; ++i, ++tile) {
        tile->x = Part(columns, tiles, i);
        tile->function = spread_function<T>(static_cast<int>(tile->x.size()), vectors);
        for (int s = 1; s >= 0; --s) {  // a block of one channel has no smaller one: its count comes last
          Stretch* const stretches = scratch_array<Stretch>(ctx, min_of<int64_t>(max_stretches, end - first));
          tile->count = find<true>(stretches, phase, 0, tile->x, block - s);
          tile->stretches[s] = stretches;
        }
      }
    }
    phases_[phases].tiles = tile;
  }

  /** The first tile of a phase; they end where the next phase's begin. */
  const RowTile<T>* begin(int64_t phase) const { return phases_[phase].tiles; }

  /** Whether no tap of a phase meets padding above or below at grid row y. */
  bool meets_all_taps(int64_t phase, int64_t y) const {
    const Phase& p = phases_[phase];
    return y * step_y_ + p.first_dy >= 0 && y * step_y_ + p.last_dy < height_;
  }

  /** The steps of a tile: of each phase's taps, which are sorted by column and then by row, those inside the image. */
  int find_stretches(Stretch* to, int64_t phase, int64_t y, const Part& x, int64_t channels) const {
    return find<false>(to, phase, y * step_y_, x, channels);
  }

 private:
  struct Phase {
    const RowTile<T>* tiles;
    int64_t first_dy, last_dy;
  };

  template <bool whole>
  int find(Stretch* to, int64_t phase, int64_t row, const Part& x, int64_t channels) const {
    const int64_t first = taps_.first[phase], end = taps_.first[phase + 1];
    int count = 0;
    for (int64_t t = first; t < end;) {
      const int64_t dx = taps_.dx[t];
      int64_t last = t;
      while (last < end && taps_.dx[last] == dx) ++last;
      const int64_t next = last;
      while (!whole && t < last && row + taps_.dy[t] < 0) ++t;
      while (!whole && last > t && row + taps_.dy[last - 1] >= height_) --last;
      const bool no_first = x.from * step_x_ + dx < 0;
      const bool no_last = (x.to - 1) * step_x_ + dx >= width_;
      const auto without = no_first == no_last ? Stretch::nothing : no_first ? Stretch::first : Stretch::last;
      const Stretch stretch = {(t - first) * channels, (last - first) * channels, without};
      if (stretch.from < stretch.to) {
        if (count > 0 && to[count - 1].to == stretch.from && to[count - 1].without == without)
          to[count - 1].to = stretch.to;
        else
          to[count++] = stretch;
      }
      t = next;
    }
    return count;
  }

  PhasedTaps taps_;
  int64_t step_y_, step_x_, height_, width_;
  Phase* phases_;
};

}  // namespace ATHANOR_ISA
}  // namespace athanor
