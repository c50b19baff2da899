// The gradient of a convolution's weight, with output channels along the vectors: out[m, c, t] = sum over n, y, x of
// g[n, m, y, x] * image[n, c, at(y, x, t)]. A GEMM whose depth is the grid of all images: each step spreads numbers of
// the image over vectors of g at one grid point (conv_tile.h). Both are turned once, piece by piece: g to [point][m],
// the image to [pixel][c] with zeros left and right; a tap is then an offset, and rows outside of the image are left
// out.
//
// Items are stretches of the depth, whose partial sums are added in order, times parts of the output channels where
// there are many. Bound by the multiply-add units: 2 M C taps FLOPs a grid point.
#pragma once
#include "cpu/conv_finish.h"
#include "cpu/conv_tile.h"
#include "cpu/conv_turn.h"
#include "cpu/conv_weight_gradient.h"

namespace athanor {
namespace ATHANOR_ISA {

template <class T>
class WeightGradientByChannels {
  // Pieces in one sum: such sums are then added up. One sum over a million points would lose half of its digits.
  static constexpr int64_t chained = 16;
  static constexpr int64_t line = 64 / static_cast<int64_t>(sizeof(T));

 public:
  // Grid points of a piece: with 2 vectors of g and 14 channels a point, 32 and 14 KiB, or less where rows are long.
  static constexpr int64_t points = 1024 / static_cast<int64_t>(sizeof(T));

  WeightGradientByChannels(Context* ctx, const WeightGradient<T>& p)
      : ctx_(ctx),
        p_(p),
        vectors_(p.m <= kLanes<T> ? 1 : 2),
        panel_(vectors_ * kLanes<T>),
        panels_(ceil_div(p.m, panel_)),
        bands_(p.images, p.grid.rows, p.grid.columns, points, 2 * ctx->threads, Bands::max_images) {
    const Taps& taps = p.taps;
    for (int64_t t = 0; t < taps.count; ++t) {
      first_dy_ = t == 0 ? taps.dy[t] : min_of(first_dy_, taps.dy[t]);
      last_dy_ = t == 0 ? taps.dy[t] : max_of(last_dy_, taps.dy[t]);
      first_dx_ = t == 0 ? taps.dx[t] : min_of(first_dx_, taps.dx[t]);
      last_dx_ = t == 0 ? taps.dx[t] : max_of(last_dx_, taps.dx[t]);
    }
    // With few channels, those of neighbouring pixels are spread together: a row of taps is one tap of more channels.
    // Else the channels of a pixel take an odd number of cache lines, so that a few of each pixel fill all sets.
    while (joined_ < taps.count && taps.dy[joined_] == taps.dy[0] && taps.dx[joined_] == taps.dx[0] + joined_)
      ++joined_;
    if (p.channels > 16 || joined_ * (last_dy_ - first_dy_ + 1) < taps.count || taps.count % joined_ != 0) joined_ = 1;
    pixel_ = joined_ > 1 || p.channels <= line ? p.channels : (ceil_div(p.channels, line) | 1) * line;
    spread_ = p.channels * joined_;
    stacks_ = ceil_div(spread_, tallest_tile<T>(vectors_));
    pitch_ = ((p.grid.columns - 1) * p.grid.step_x + 1 + last_dx_ - first_dx_) * pixel_;
    rows_ = min_of(p.source.height, (bands_.band - 1) * p.grid.step_y + 1 + last_dy_ - first_dy_);
    point_count_ = bands_.images * bands_.band * p.grid.columns;
  }

  void run() {
    const int64_t size = spread_ * (p_.taps.count / joined_) * panel_;  // sums of one panel
    const int64_t wanted = ceil_div(2 * ctx_->threads, p_.groups);
    // Sums of their own for each item would take more memory than the image: then items share the output channels out.
    const bool heavy = panels_ * size > (int64_t{1} << 17);
    sets_ = heavy ? min_of<int64_t>(panels_, wanted > 2 && bands_.items >= 8 ? wanted / 2 : wanted) : 1;
    const int64_t splits = max_of<int64_t>(1, min_of(bands_.items, ceil_div(wanted, sets_)));
    const int64_t all = p_.groups * panels_ * size;
    const bool long_sums = ceil_div(bands_.items, splits) > chained;
    T* const sums = scratch_array<T>(ctx_, splits * all);
    T* const totals = long_sums ? scratch_array<T>(ctx_, splits * all) : nullptr;
    make_table();
    const int64_t own_panels = ceil_div(panels_, sets_);
    const int64_t image_room = ceil_div(bands_.images * rows_ * pitch_ + kLanes<T>, line) * line;
    const Slots<T> slots(ctx_, image_room + own_panels * point_count_ * panel_);
    parallel_each(ctx_, p_.groups * sets_ * splits, [&](int64_t i) {
      const int64_t split = i % splits, set = i / splits % sets_, group = i / splits / sets_;
      const auto slot = slots.take();
      const int64_t place = split * all + group * panels_ * size;
      run_item(group, Part(panels_, sets_, set), Part(bands_.items, splits, split), sums + place,
               long_sums ? totals + place : nullptr, slot.data, slot.data + image_room);
      slots.give_back(slot);
    });
    finish(long_sums ? totals : sums, splits, all, size);
  }

 private:
  /** Where the pixels of grid points lie, from the piece's first. */
  void make_table() {
    int32_t* const table = scratch_array<int32_t>(ctx_, point_count_);
    int64_t k = 0;
    for (int64_t n = 0; n < bands_.images; ++n)
      for (int64_t y = 0; y < bands_.band; ++y)
        for (int64_t x = 0; x < p_.grid.columns; ++x)
          table[k++] = static_cast<int32_t>((n * rows_ + y * p_.grid.step_y) * pitch_ + x * p_.grid.step_x * pixel_);
    table_ = table;
  }

  void run_item(int64_t group, const Part& panels, const Part& items, T* sums, T* totals, T* image, T* g) const {
    const int64_t size = spread_ * (p_.taps.count / joined_) * panel_;
    clear_borders(image);
    alignas(64) T zeros[2 * kLanes<T>] = {};
    Stretch stretches[Bands::max_images];
    SpreadCall<T> call;
    call.offsets = table_;
    call.stretches = stretches;
    const int64_t taps = p_.taps.count / joined_;
    call.sums_step = joined_ > 1 ? panel_ : taps * panel_;
    for (int64_t item = items.from; item < items.to; ++item) {
      const Bands::Item at = bands_.item(item, p_.images, p_.grid.rows);
      const bool first = (item - items.from) % chained == 0;
      const int64_t first_row = max_of<int64_t>(0, at.rows.from * p_.grid.step_y + first_dy_);
      for (int64_t n = 0; n < at.images.size(); ++n) {
        pack_image(image + n * rows_ * pitch_, group, at.images.from + n, at.rows, first_row);
        pack_g(g + n * bands_.band * p_.grid.columns * panel_, group, panels, at.images.from + n, at.rows);
      }
      for (int64_t panel = panels.from; panel < panels.to; ++panel) {
        call.b = g + (panel - panels.from) * point_count_ * panel_;
        for (int64_t s = 0; s < stacks_; ++s) {
          const Part stack(spread_, stacks_, s);
          const auto function = spread_function<T>(static_cast<int>(stack.size()), vectors_);
          for (int64_t t = 0; t < p_.taps.count; t += joined_) {
            const int64_t row = at.rows.from * p_.grid.step_y + p_.taps.dy[t] - first_row;
            call.a = image + row * pitch_ + (p_.taps.dx[t] - first_dx_) * pixel_ + stack.from;
            call.count = find_stretches(stretches, at, p_.taps.dy[t]);
            const int64_t place = joined_ > 1 ? t / joined_ * spread_ + stack.from : stack.from * taps + t;
            call.sums = sums + panel * size + place * panel_;
            call.begin = first ? zeros : call.sums;
            call.begin_step = first ? 0 : call.sums_step;
            function(call);
          }
        }
      }
      if (totals == nullptr || ((item - items.from + 1) % chained != 0 && item + 1 < items.to)) continue;
      const bool adds = item - items.from >= chained;
      for (int64_t i = panels.from * size; i < panels.to * size; ++i) totals[i] = adds ? totals[i] + sums[i] : sums[i];
    }
  }

  /** The grid points of a piece whose row a tap finds inside the image. */
  int find_stretches(Stretch* to, const Bands::Item& at, int64_t dy) const {
    int64_t from = at.rows.from, end = at.rows.to;
    while (from < end && from * p_.grid.step_y + dy < 0) ++from;
    while (end > from && (end - 1) * p_.grid.step_y + dy >= p_.source.height) --end;
    int count = 0;
    for (int64_t n = 0; n < at.images.size() && from < end; ++n) {
      const int64_t first = (n * bands_.band - at.rows.from) * p_.grid.columns;
      const Stretch stretch = {first + from * p_.grid.columns, first + end * p_.grid.columns, Stretch::nothing};
      if (count > 0 && to[count - 1].to == stretch.from)
        to[count - 1].to = stretch.to;
      else
        to[count++] = stretch;
    }
    return count;
  }

  int64_t left_border() const { return min_of(pitch_, max_of<int64_t>(0, -first_dx_) * pixel_); }
  /** Columns of the image that any tap may meet. */
  int64_t inside_columns() const {
    return max_of<int64_t>(0,
                           min_of(p_.source.width - max_of<int64_t>(0, first_dx_), (pitch_ - left_border()) / pixel_));
  }
  void clear_borders(T* image) const {
    const int64_t left = left_border(), right = left + inside_columns() * pixel_;
    for (int64_t h = 0; h < bands_.images * rows_; ++h) {
      T* const row = image + h * pitch_;
      for (int64_t i = 0; i < left; ++i) row[i] = T(0);
      for (int64_t i = right; i < pitch_; ++i) row[i] = T(0);
    }
  }

  void pack_image(T* to, int64_t group, int64_t n, const Part& rows, int64_t first_row) const {
    const Source<T>& x = p_.source;
    const int64_t end = min_of(x.height, (rows.to - 1) * p_.grid.step_y + last_dy_ + 1);
    const T* const from =
        x.data + n * x.n + group * p_.channels * x.c + first_row * x.h + max_of<int64_t>(0, first_dx_) * x.w;
    turn_planes(to + left_border(), pixel_, pitch_, from, x.c, x.h, x.w, p_.channels, end - first_row,
                inside_columns());
  }
  void pack_g(T* to, int64_t group, const Part& panels, int64_t n, const Part& rows) const {
    for (int64_t panel = panels.from; panel < panels.to; ++panel)
      turn_planes(to + (panel - panels.from) * point_count_ * panel_, panel_, 0,
                  p_.g + n * p_.g_n + (group * p_.m + panel * panel_) * p_.g_m + rows.from * p_.grid.columns, p_.g_m, 0,
                  1, min_of(panel_, p_.m - panel * panel_), 1, rows.size() * p_.grid.columns);
  }

  /** Adds the items' sums up and turns them into place. */
  void finish(T* sums, int64_t splits, int64_t all, int64_t size) const {
    const int64_t places = spread_ * (p_.taps.count / joined_);
    constexpr int64_t step = 256;
    const int64_t cuts = ceil_div(places, step);
    parallel_for(ctx_, p_.groups * panels_ * cuts, ceil_div(kGrain, step * panel_), [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) {
        T* const mine = sums + i / cuts * size + i % cuts * step * panel_;
        const int64_t count = min_of(step, places - i % cuts * step) * panel_;
        for (int64_t split = 1; split < splits; ++split)
          for (int64_t j = 0; j < count; ++j) mine[j] += mine[split * all + j];
      }
    });
    const int64_t depth = p_.channels * p_.taps.count;
    parallel_for(
        ctx_, p_.groups * panels_ * vectors_, ceil_div(kGrain, depth * kLanes<T>), [&](int64_t from, int64_t to) {
          for (int64_t i = from; i < to; ++i) {
            const int64_t panel = i / vectors_, first = panel % panels_ * panel_ + i % vectors_ * kLanes<T>;
            if (first >= p_.m) continue;
            const int count = static_cast<int>(min_of<int64_t>(kLanes<T>, p_.m - first));
            const T* const mine = sums + panel * size + i % vectors_ * kLanes<T>;
            T* const out = p_.out + (panel / panels_ * p_.m + first) * depth;
            if (joined_ == 1) {
              finish_dense(out, depth, mine, panel_, count, depth);
            } else {
              for (int64_t k = 0; k < places; ++k)  // [row of taps][column][channel]
                for (int o = 0; o < count; ++o)
                  out[o * depth + k % p_.channels * p_.taps.count + k / spread_ * joined_ + k % spread_ / p_.channels] =
                      mine[k * panel_ + o];
            }
          }
        });
  }

  Context* ctx_;
  const WeightGradient<T>& p_;
  int vectors_;             // of a panel
  int64_t panel_, panels_;  // output channels of a panel; panels of a group
  Bands bands_;
  int64_t first_dy_ = 0, last_dy_ = 0, first_dx_ = 0, last_dx_ = 0;
  int64_t joined_ = 0;            // taps side by side that are spread together
  int64_t spread_, stacks_;       // numbers of the image that meet one grid point under a tap; tiles that it takes
  int64_t pixel_, pitch_, rows_;  // elements of a pixel and of a row; rows of an image
  int64_t point_count_, sets_ = 1;
  const int32_t* table_ = nullptr;
};

}  // namespace ATHANOR_ISA
}  // namespace athanor
