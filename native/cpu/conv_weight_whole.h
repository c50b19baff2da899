// The gradient of a convolution's weight where the images have few pixels and the weight is large: out[m, c, t] = sum
// over n, y, x of g[n, m, y, x] * image[n, c, at(y, x, t)], with output channels along the vectors. All of g and of the
// image is turned once, for all threads: g to [panel][point][m], the image to [stack][pixel][c], where a stack is the
// channels that one tile (conv_tile.h) spreads. An item is a panel and a run of stacks over the whole depth: its sums
// stay in the first-level cache, are transposed there, and each result is written once, where it belongs.
//
// Bound by the multiply-add units, 2 M C taps FLOPs a grid point, and by writing M C taps results.
#pragma once
#include "cpu/conv_bands.h"
#include "cpu/conv_finish.h"
#include "cpu/conv_tile.h"
#include "cpu/conv_turn.h"
#include "cpu/conv_weight_gradient.h"

namespace athanor {
namespace ATHANOR_ISA {

template <class T>
class WeightGradientWhole {
  // Grid points of a piece: 32 KiB of g, which every tap and stack of the item reads.
  static constexpr int64_t points = 1024 / static_cast<int64_t>(sizeof(T));
  // Neighbours in the result that an item makes at least: they begin and end inside of cache lines.
  static constexpr int64_t run_length = 512 / static_cast<int64_t>(sizeof(T));
  static constexpr int64_t line = 64 / static_cast<int64_t>(sizeof(T));

 public:
  // One sum over more grid points than this would lose digits.
  static constexpr int64_t longest_sum = 4096;

  WeightGradientWhole(Context* ctx, const WeightGradient<T>& p)
      : ctx_(ctx),
        p_(p),
        vectors_(p.m <= kLanes<T> ? 1 : 2),
        panel_(vectors_ * kLanes<T>),
        panels_(ceil_div(p.m, panel_)),
        stacks_(ceil_div(p.channels, tallest_tile<T>(vectors_))),
        tall_(ceil_div(p.channels, stacks_)),
        pieces_(p.images, p.grid.rows, p.grid.columns, points, 1, Bands::max_images) {
    const Taps& taps = p.taps;
    int64_t last_dx = taps.dx[0];
    first_dx_ = taps.dx[0];
    for (int64_t t = 1; t < taps.count; ++t) {
      first_dx_ = min_of(first_dx_, taps.dx[t]);
      last_dx = max_of(last_dx, taps.dx[t]);
    }
    pitch_ = ((p.grid.columns - 1) * p.grid.step_x + 1 + last_dx - first_dx_) * tall_;
    image_ = p.source.height * pitch_ + kLanes<T>;  // whole vectors are written
    stack_room_ = ceil_div(p.images * image_, line) * line;
    all_points_ = p.images * p.grid.rows * p.grid.columns;
    const int64_t wanted = max_of<int64_t>(1, run_length / (tall_ * taps.count));
    const int64_t all = p.groups * panels_ * stacks_;
    runs_ = ceil_div(stacks_, max_of<int64_t>(1, min_of(wanted, all / (4 * ctx->threads))));
  }

  void run() {
    images_ = scratch_array<T>(ctx_, p_.groups * stacks_ * stack_room_);
    g_ = scratch_array<T>(ctx_, p_.groups * panels_ * all_points_ * panel_);
    make_table();
    turn_all();
    const int64_t tallest_run = ceil_div(stacks_, runs_) * tall_;
    const Slots<T> slots(ctx_, tallest_run * p_.taps.count * panel_);
    parallel_each(ctx_, p_.groups * panels_ * runs_, [&](int64_t i) {
      const auto slot = slots.take();
      run_item(i / runs_ / panels_, i / runs_ % panels_, Part(stacks_, runs_, i % runs_), slot.data);
      slots.give_back(slot);
    });
  }

 private:
  /** Where the pixels of all grid points lie in a stack. */
  void make_table() {
    int32_t* const table = scratch_array<int32_t>(ctx_, all_points_);
    int64_t k = 0;
    for (int64_t n = 0; n < p_.images; ++n)
      for (int64_t y = 0; y < p_.grid.rows; ++y)
        for (int64_t x = 0; x < p_.grid.columns; ++x)
          table[k++] = static_cast<int32_t>(n * image_ + y * p_.grid.step_y * pitch_ + x * p_.grid.step_x * tall_);
    table_ = table;
  }

  void turn_all() {
    const int64_t units = p_.groups * (stacks_ + panels_) * p_.images;
    const int64_t each = p_.source.height * p_.source.width * tall_;
    parallel_for(ctx_, units, ceil_div(kGrain, max_of<int64_t>(1, each)), [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) {
        const int64_t n = i % p_.images, part = i / p_.images % (stacks_ + panels_);
        const int64_t group = i / p_.images / (stacks_ + panels_);
        if (part < stacks_)
          turn_image(group, part, n);
        else
          turn_g(group, part - stacks_, n);
      }
    });
  }

  void turn_image(int64_t group, int64_t stack, int64_t n) const {
    const Source<T>& x = p_.source;
    const Part channels(p_.channels, stacks_, stack);
    T* const to = images_ + (group * stacks_ + stack) * stack_room_ + n * image_;
    const int64_t first = max_of<int64_t>(0, first_dx_), left = min_of(pitch_, max_of<int64_t>(0, -first_dx_) * tall_);
    const int64_t inside = max_of<int64_t>(0, min_of(x.width - first, (pitch_ - left) / tall_));
    for (int64_t h = 0; h < x.height; ++h) {
      T* const row = to + h * pitch_;
      for (int64_t i = 0; i < left; ++i) row[i] = T(0);
      for (int64_t i = left + inside * tall_; i < pitch_; ++i) row[i] = T(0);
    }
    turn_planes(to + left, tall_, pitch_, x.data + n * x.n + (group * p_.channels + channels.from) * x.c + first * x.w,
                x.c, x.h, x.w, channels.size(), x.height, inside);
  }
  void turn_g(int64_t group, int64_t panel, int64_t n) const {
    const int64_t grid = p_.grid.rows * p_.grid.columns;
    turn_planes(g_ + ((group * panels_ + panel) * all_points_ + n * grid) * panel_, panel_, 0,
                p_.g + n * p_.g_n + (group * p_.m + panel * panel_) * p_.g_m, p_.g_m, 0, 1,
                min_of(panel_, p_.m - panel * panel_), 1, grid);
  }

  void run_item(int64_t group, int64_t panel, const Part& stacks, T* sums) const {
    alignas(64) static constexpr T zeros[2 * kLanes<T>] = {};
    Stretch stretches[Bands::max_images];
    SpreadCall<T> call;
    call.offsets = table_;
    call.stretches = stretches;
    call.b = g_ + (group * panels_ + panel) * all_points_ * panel_;
    const int64_t taps = p_.taps.count, first_channel = Part(p_.channels, stacks_, stacks.from).from;
    call.sums_step = taps * panel_;
    for (int64_t i = 0; i < pieces_.items; ++i) {
      const Bands::Item piece = pieces_.item(i, p_.images, p_.grid.rows);
      for (int64_t t = 0; t < taps; ++t) {
        call.count = find_stretches(stretches, piece, p_.taps.dy[t]);
        if (i > 0 && call.count == 0) continue;
        const int64_t at = p_.taps.dy[t] * pitch_ + (p_.taps.dx[t] - first_dx_) * tall_;
        for (int64_t s = stacks.from; s < stacks.to; ++s) {
          const Part channels(p_.channels, stacks_, s);
          call.a = images_ + (group * stacks_ + s) * stack_room_ + at;
          call.sums = sums + ((channels.from - first_channel) * taps + t) * panel_;
          call.begin = i == 0 ? zeros : call.sums;
          call.begin_step = i == 0 ? 0 : call.sums_step;
          spread_function<T>(static_cast<int>(channels.size()), vectors_)(call);
        }
      }
    }
    const int64_t depth = p_.channels * taps, m = panel * panel_;
    const int64_t places = (Part(p_.channels, stacks_, stacks.to - 1).to - first_channel) * taps;
    T* const out = p_.out + (group * p_.m + m) * depth + first_channel * taps;
    for (int64_t v = 0; v < panel_ && m + v < p_.m; v += kLanes<T>)
      finish_dense(out + v * depth, depth, sums + v, panel_, static_cast<int>(min_of<int64_t>(kLanes<T>, p_.m - m - v)),
                   places);
  }

  /** The grid points of a piece whose row a tap finds inside the image. */
  int find_stretches(Stretch* to, const Bands::Item& at, int64_t dy) const {
    const int64_t step = p_.grid.step_y, columns = p_.grid.columns;
    int64_t from = at.rows.from, end = at.rows.to;
    while (from < end && from * step + dy < 0) ++from;
    while (end > from && (end - 1) * step + dy >= p_.source.height) --end;
    int count = 0;
    for (int64_t n = at.images.from; n < at.images.to && from < end; ++n) {
      const int64_t first = n * p_.grid.rows;
      const Stretch stretch = {(first + from) * columns, (first + end) * columns, Stretch::nothing};
      if (count > 0 && to[count - 1].to == stretch.from)
        to[count - 1].to = stretch.to;
      else
        to[count++] = stretch;
    }
    return count;
  }

  Context* ctx_;
  const WeightGradient<T>& p_;
  int vectors_;             // of a panel
  int64_t panel_, panels_;  // output channels of a panel; panels of a group
  int64_t stacks_, tall_;   // stacks of a group; channels of the largest, and of every pixel in memory
  Bands pieces_;
  int64_t first_dx_, pitch_, image_, stack_room_;  // elements of a row, of an image, and of a stack of all images
  int64_t all_points_, runs_;
  const int32_t* table_ = nullptr;
  T *images_ = nullptr, *g_ = nullptr;
};

}  // namespace ATHANOR_ISA
}  // namespace athanor
