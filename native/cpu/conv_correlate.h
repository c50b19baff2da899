// The convolution that makes images: out[n, m, y, x] = bias[m] + sum over c, t of weight[m, c, t] * image[n, c, at(y,
// x, t)]. Forward convolution, and the gradient of a convolution's input, differ in the taps alone. A GEMM of M output
// channels, N grid points and K = C * taps, whose B is read from shifted rows (conv_rows.h) instead of packed panels.
//
// An item of work is a run of grid points: bands of a large image or several small images. Its rows for one block of
// channels fit the second-level cache, and each panel of weights passes over all of them. Bound by the multiply-add
// units: 2 M N K FLOPs, the copies cost 1 / M of that per horizontal shift.
#pragma once
#include "cpu/conv_bands.h"
#include "cpu/gemm.h"
#include "cpu/interleave.h"

namespace athanor {
namespace ATHANOR_ISA {

/** weight[group, m, c, t]: strides, and an offset for each tap. */
template <class T>
struct Weights {
  const T* data;
  int64_t group, m, c;
  const int64_t* tap;
  bool dense;  // channel and tap lie together: one run of numbers for each m
};

/** Where grid point (y, x) of output channel m goes. */
template <class T>
struct Target {
  T* data;
  int64_t n, m, y, x;  // strides
};

/**
 * Several grids that interleave in one image, made by one product: its row (a * x + b) * m + i is output channel i of
 * the points at rows a, a + y, ... and columns b, b + x, ... of an image of so many rows and columns.
 */
struct Interleaved {
  int64_t y = 1, x = 1, rows = 0, columns = 0;
  bool any() const { return y * x > 1; }
};

template <class T>
struct Correlation {
  int64_t images, groups, m, channels;  // m and channels are those of one group
  Source<T> source;
  Grid grid;
  Taps taps;
  Weights<T> weights;
  Target<T> target;
  const T* bias;  // one number an output channel, or null
  Interleaved phases;
};

/** One row of an image from the rows of `phases` grids, `step` apart. */
template <class T>
void interleave_row(T* to, int64_t along, const T* from, int64_t step, int64_t phases, int64_t columns) {
  constexpr int64_t lanes = kLanes<T>;
  int64_t x = 0;
  if (phases == 2 && along == 1) {
    for (; x + 2 * lanes <= columns; x += 2 * lanes) {
      Vec<T> even = load(from + x / 2), odd = load(from + step + x / 2);
      interleave<T>(even, odd);
      store(to + x, even);
      store(to + x + lanes, odd);
    }
  }
  for (int64_t b = 0; b < phases; ++b)
    for (int64_t j = ceil_div(x - b, phases); j * phases + b < columns; ++j)
      to[(j * phases + b) * along] = from[b * step + j];
}

/** A band of one image as the C of a product: grid points are columns. */
template <class T>
struct BandResult {
  T* data;
  int64_t row_stride;  // from output channel to output channel
  int64_t columns, y, x;
  T* at(int64_t j, int64_t* run) const {
    if (x == 1 && y == columns) {
      *run = INT64_MAX;
      return data + j;
    }
    *run = x == 1 ? columns - j % columns : 1;
    return data + j / columns * y + j % columns * x;
  }
};

/** Channels [from, to) that one pass sums over: about one cut of the GEMM core's depth. */
template <class T>
ATHANOR_ALWAYS_INLINE int64_t channel_blocks(int64_t channels, int64_t taps) {
  return max_of<int64_t>(1, min_of(channels, ceil_div(channels * taps, Blocking<T>::depth)));
}

/** Panels of one group's weights for channels [from, to), as the micro-kernel reads them. */
template <class T>
void pack_weights(T* to, const Correlation<T>& p, int64_t group, int64_t first_row, int height, const Part& channels) {
  const T* from = p.weights.data + group * p.weights.group + first_row * p.weights.m + channels.from * p.weights.c;
  const int64_t taps = p.taps.count;
  if (p.weights.dense)
    return pack_strided(to, height, height, from + p.weights.tap[0], p.weights.m, 1, channels.size() * taps);
  for (int64_t c = 0; c < channels.size(); ++c)
    for (int64_t t = 0; t < taps; ++t)
      for (int h = 0; h < height; ++h) *to++ = from[h * p.weights.m + c * p.weights.c + p.weights.tap[t]];
}

template <class T>
class Correlator {
 public:
  Correlator(Context* ctx, const Correlation<T>& p)
      : ctx_(ctx),
        p_(p),
        panels_(p.m),
        blocks_(channel_blocks<T>(p.channels, p.taps.count)),
        block_(ceil_div(p.channels, blocks_)),
        bands_(bands()),
        rows_(ctx, p.source, p.grid, p.taps, bands_.band),
        table_(rows_.table(ctx, block_, p.taps.count)) {}

  void run() {
    const int64_t depth = p_.channels * p_.taps.count, pieces = p_.groups * blocks_ * panels_.count;
    packed_ = scratch_array<T>(ctx_, p_.groups * p_.m * depth);
    parallel_for(ctx_, pieces, ceil_div(kGrain, max_of<int64_t>(1, Tile<T>::rows * depth / blocks_)),
                 [&](int64_t from, int64_t to) {
                   for (int64_t i = from; i < to; ++i) {
                     const int64_t panel = i % panels_.count, block = i / panels_.count % blocks_;
                     const int64_t group = i / panels_.count / blocks_;
                     pack_weights(panel_at(group, block, panel), p_, group, panels_.start(panel), panels_.height(panel),
                                  Part(p_.channels, blocks_, block));
                   }
                 });
    unit_ = block_ * rows_.channel_size();
    constexpr int64_t line = 64 / static_cast<int64_t>(sizeof(T));
    // 4: the widest tile reads whole vectors.
    const int64_t room = ceil_div(bands_.images * unit_ + 4 * kLanes<T>, line) * line;
    const int64_t sums = p_.phases.any() ? bands_.images * p_.m * bands_.band * p_.grid.columns : 0;
    const Slots<T> slots(ctx_, room + sums);
    parallel_each(ctx_, p_.groups * bands_.items, [&](int64_t i) {
      const auto slot = slots.take();
      run_item(i / bands_.items, i % bands_.items, slot.data, slot.data + room);
      slots.give_back(slot);
    });
  }

 private:
  Bands bands() const {
    const int64_t row = (block_ * count_shifts(p_.taps) + (p_.phases.any() ? p_.m : 0)) * p_.grid.columns;
    return Bands(p_.images, p_.grid.rows, row, Blocking<T>::local / 2, ceil_div(4 * ctx_->threads, p_.groups),
                 p_.images);
  }

  T* panel_at(int64_t group, int64_t block, int64_t panel) const {
    const Part c(p_.channels, blocks_, block);
    const int64_t taps = p_.taps.count;
    return packed_ + group * p_.m * p_.channels * taps + c.from * taps * p_.m + panels_.start(panel) * c.size() * taps;
  }

  void run_item(int64_t group, int64_t item, T* rows, T* sums) const {
    const Bands::Item at = bands_.item(item, p_.images, p_.grid.rows);
    const int64_t points = at.rows.size() * p_.grid.columns;
    for (int64_t block = 0; block < blocks_; ++block) {
      const Part c(p_.channels, blocks_, block);
      for (int64_t n = 0; n < at.images.size(); ++n)
        rows_.fill(rows + n * unit_, at.images.from + n, group * p_.channels + c.from, c.size(), at.rows.from,
                   at.rows.size());
      for (int64_t panel = 0; panel < panels_.count; ++panel)
        for (int64_t n = 0; n < at.images.size(); ++n) {
          const Target<T>& to = p_.target;
          const BandResult<T> apart = {sums + (n * p_.m + panels_.start(panel)) * points, points, p_.grid.columns,
                                       p_.grid.columns, 1};
          const BandResult<T> direct = {to.data + (at.images.from + n) * to.n +
                                            (group * p_.m + panels_.start(panel)) * to.m + at.rows.from * to.y,
                                        to.m, p_.grid.columns, to.y, to.x};
          run_panel(group, block, panel, at.rows, rows + n * unit_, p_.phases.any() ? apart : direct);
        }
    }
    if (!p_.phases.any()) return;
    for (int64_t n = 0; n < at.images.size(); ++n)
      interleave_band(group, at.images.from + n, at.rows, sums + n * p_.m * points);
  }

  /** The sums of all phases of a band, [phase][output channel][point], to where they belong. */
  void interleave_band(int64_t group, int64_t n, const Part& band, const T* sums) const {
    const Interleaved& phases = p_.phases;
    const Target<T>& to = p_.target;
    const int64_t m = p_.m / (phases.y * phases.x), points = band.size() * p_.grid.columns;
    for (int64_t i = 0; i < m; ++i)
      for (int64_t y = band.from; y < band.to; ++y)
        for (int64_t a = 0; a < phases.y && y * phases.y + a < phases.rows; ++a)
          interleave_row(to.data + n * to.n + (group * m + i) * to.m + (y * phases.y + a) * to.y, to.x,
                         sums + (a * phases.x * m + i) * points + (y - band.from) * p_.grid.columns, m * points,
                         phases.x, phases.columns);
  }

  void run_panel(int64_t group, int64_t block, int64_t panel, const Part& band, const T* rows,
                 const BandResult<T>& result) const {
    const int64_t row = group * p_.m + panels_.start(panel);
    const int height = panels_.height(panel);
    TileCall<T, TableRows> call;
    call.depth = Part(p_.channels, blocks_, block).size() * p_.taps.count;
    call.a = panel_at(group, block, panel);
    call.rows.offsets = table_;
    call.start = block > 0 ? Start::accumulate : p_.bias != nullptr ? Start::row_bias : Start::zero;
    call.bias = p_.bias == nullptr ? nullptr : p_.bias + row;
    const int64_t points = band.size() * p_.grid.columns;
    for (int64_t j = 0; j < points; j += call.columns) {
      const int64_t left = points - j;
      int64_t run;
      call.b = rows + j;
      call.c = result.at(j, &run);
      call.c_stride = result.row_stride;
      if (height == 1 && min_of(run, left) >= 4 * kLanes<T>) {  // one row leaves registers for more columns
        call.columns = 4 * kLanes<T>;
        tile<T, TableRows, 1, 4>(call);
      } else {
        call.columns = static_cast<int>(min_of<int64_t>(Tile<T>::width, left));
        run_tile(call, height, 0, j, result);
      }
    }
  }

  Context* ctx_;
  const Correlation<T>& p_;
  RowPanels<T> panels_;
  int64_t blocks_, block_;  // of channels: how many, and the largest one's size
  Bands bands_;
  ShiftedRows<T> rows_;
  const int64_t* table_;
  T* packed_ = nullptr;
  int64_t unit_ = 0;  // elements of one image's rows
};

template <class T>
void correlate(Context* ctx, const Correlation<T>& p) {
  if (p.images == 0 || p.groups == 0 || p.m == 0 || p.grid.rows <= 0 || p.grid.columns <= 0) return;
  Correlator<T>(ctx, p).run();
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
