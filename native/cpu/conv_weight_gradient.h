// The gradient of a convolution's weight: out[m, c, t] = sum over n, y, x of g[n, m, y, x] * image[n, c, at(y, x, t)].
// A GEMM whose depth is the grid of all images. g's planes and the shifted rows of the image (conv_rows.h) both lie
// along that depth, so the tiles are dot products (gemm_dot.h) and nothing is transposed. Split over blocks of channels
// first, which share nothing; where there are too few, over images, whose partial gradients are added in order. Bound
// by the multiply-add units: 2 M C taps FLOPs a grid point.
#pragma once
#include "cpu/blocking.h"
#include "cpu/conv_bands.h"
#include "cpu/conv_rows.h"
#include "cpu/gemm_dot.h"
#include "cpu/part.h"

namespace athanor {
namespace ATHANOR_ISA {

template <class T>
struct WeightGradient {
  int64_t images, groups, m, channels;  // m and channels are those of one group
  Source<T> source;
  Grid grid;
  Taps taps;
  const T* g;  // planes of grid points without gaps
  int64_t g_n, g_m;
  T* out;  // [group, m, channels, taps], contiguous
};

template <class T>
class WeightGradientRun {
  // Grid points that a tile sums up before its lanes are: 6 rows of g and 4 of the image are 40 KiB, and the 16
  // additions of the lanes are a tenth of the work.
  static constexpr int64_t points = 1024;

 public:
  WeightGradientRun(Context* ctx, const WeightGradient<T>& p)
      : ctx_(ctx),
        p_(p),
        blocks_(count_blocks()),
        block_(ceil_div(p.channels, blocks_)),
        bands_(p.images, p.grid.rows, p.grid.columns, points, 2 * ctx->threads, Bands::max_images),
        rows_(ctx, p.source, p.grid, p.taps, bands_.band),
        table_(rows_.table(ctx, block_, p.taps.count)) {}

  void run() {
    const int64_t size = p_.groups * p_.m * depth(p_.channels);
    const int64_t wanted = ceil_div(2 * ctx_->threads, p_.groups * blocks_);
    const int64_t splits = max_of<int64_t>(1, min_of(bands_.items, wanted));
    T* const partial = splits == 1 ? p_.out : scratch_array<T>(ctx_, splits * size);
    unit_ = block_ * rows_.channel_size();
    const Slots<T> slots(ctx_, bands_.images * unit_ + kLanes<T>);
    parallel_each(ctx_, p_.groups * blocks_ * splits, [&](int64_t i) {
      const int64_t split = i % splits, block = i / splits % blocks_, group = i / splits / blocks_;
      const auto slot = slots.take();
      run_item(group, Part(p_.channels, blocks_, block), Part(bands_.items, splits, split), partial + split * size,
               slot.data);
      slots.give_back(slot);
    });
    if (splits == 1) return;
    parallel_for(ctx_, size, kGrain, [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) p_.out[i] = partial[i];
      for (int64_t s = 1; s < splits; ++s)
        for (int64_t i = from; i < to; ++i) p_.out[i] += partial[s * size + i];
    });
  }

 private:
  int64_t depth(int64_t channels) const { return channels * p_.taps.count; }

  /** Blocks of channels: their rows for `points` grid points take about half of the cache that an item may fill. */
  int64_t count_blocks() const {
    const int64_t channel = points * 2 * count_shifts(p_.taps);
    return max_of<int64_t>(1, min_of(p_.channels, ceil_div(2 * p_.channels * channel, Blocking<T>::local)));
  }

  void run_item(int64_t group, const Part& channels, const Part& items, T* out, T* rows) const {
    const int64_t columns = depth(channels.size()), stride = depth(p_.channels);
    T* const c = out + group * p_.m * stride + depth(channels.from);
    for (int64_t i = 0; i < p_.m; ++i)
      for (int64_t j = 0; j < columns; ++j) c[i * stride + j] = T(0);
    const int64_t heights = ceil_div(p_.m, DotTile::rows), widths = ceil_div(columns, DotTile::columns);
    DotPiece<T> pieces[Bands::max_images];
    DotCall<T> call;
    call.pieces = pieces;
    call.a_stride = p_.g_m;
    call.c_stride = stride;
    for (int64_t item = items.from; item < items.to; ++item) {
      const Bands::Item at = bands_.item(item, p_.images, p_.grid.rows);
      for (int64_t n = at.images.from; n < at.images.to; ++n)
        rows_.fill(rows + (n - at.images.from) * unit_, n, group * p_.channels + channels.from, channels.size(),
                   at.rows.from, at.rows.size());
      for (int64_t i = 0; i < heights; ++i) {
        const Part row(p_.m, heights, i);
        for (int64_t n = 0; n < at.images.size(); ++n)
          pieces[n] = {p_.g + (at.images.from + n) * p_.g_n + (group * p_.m + row.from) * p_.g_m +
                           at.rows.from * p_.grid.columns,
                       rows + n * unit_, at.rows.size() * p_.grid.columns};
        call.n_pieces = at.images.size();
        for (int64_t j = 0; j < widths; ++j) {
          const Part column(columns, widths, j);
          call.offsets = table_ + column.from;
          call.c = c + row.from * stride + column.from;
          dot_function<T>(static_cast<int>(row.size()), static_cast<int>(column.size()))(call);
        }
      }
    }
  }

  Context* ctx_;
  const WeightGradient<T>& p_;
  int64_t blocks_, block_;  // of channels: how many, and the largest one's size
  Bands bands_;
  ShiftedRows<T> rows_;
  const int64_t* table_;
  int64_t unit_ = 0;  // elements of one image's rows
};

}  // namespace ATHANOR_ISA
}  // namespace athanor
