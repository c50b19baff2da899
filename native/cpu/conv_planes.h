// An image's rows as the convolutions with channels in vectors read them: a copy with zeros left and right, columns
// sorted by their remainder in the horizontal stride, so that neighbours of the output read neighbours. Rows outside of
// the image are not there: who reads leaves the taps out that would meet them.
//
// Legend: c channel, y x grid, t tap; a band is a run of grid rows.
#pragma once
#include "cpu/conv_rows.h"

namespace athanor {
namespace ATHANOR_ISA {

template <class T>
class PaddedPlanes {
 public:
  PaddedPlanes(Context* ctx, const Source<T>& source, const Grid& grid, const Taps& taps, int64_t band)
      : source_(source), grid_(grid), taps_(taps), runs_(scratch_array<Run>(ctx, taps.count)) {
    for (int64_t t = 0; t < taps.count; ++t) {
      first_dy_ = t == 0 ? taps.dy[t] : min_of(first_dy_, taps.dy[t]);
      last_dy_ = t == 0 ? taps.dy[t] : max_of(last_dy_, taps.dy[t]);
      const int64_t shift = floor_div(taps.dx[t], grid.step_x);
      Run& run = runs_[find(taps.dx[t])];
      if (&run == runs_ + count_) {
        ++count_;
        run = {remainder(taps.dx[t], grid.step_x), shift, shift, 0, 0, 0, 0};
      }
      run.first = min_of(run.first, shift);
      run.last = max_of(run.last, shift);
    }
    for (int64_t i = 0; i < count_; ++i) lay_out(runs_[i]);
    const int64_t rows = min_of(source.height, (band - 1) * grid.step_y + last_dy_ - first_dy_ + 1);
    // An odd number of cache lines: the channels of one pixel spread over all sets of the first-level cache.
    channel_ = ceil_div(max_of<int64_t>(rows, 1) * pitch_, line) | 1;
    channel_ *= line;
  }

  /** Elements of one channel. */
  int64_t channel_size() const { return channel_; }
  /** Elements of a grid row's worth of image rows, about. */
  static int64_t row_size(const Source<T>& source, const Grid& grid) {
    return min_of(grid.step_y, source.height) * (source.width + 2);
  }
  /** Where tap t of a channel lies, from the place of a grid point. */
  int64_t tap_offset(int64_t t) const {
    const Run& run = runs_[find(taps_.dx[t])];
    return taps_.dy[t] * pitch_ + run.offset + floor_div(taps_.dx[t], grid_.step_x) - run.first;
  }
  /** The place of grid point (y, x) in a channel that was filled for the band that begins at y0. */
  int64_t place(int64_t y0, int64_t y, int64_t x) const { return (y * grid_.step_y - first_row(y0)) * pitch_ + x; }

  /** Zeros left and right of the image: fill leaves them alone. */
  void clear(T* to, int64_t channels) const {
    const int64_t rows = channel_ / max_of<int64_t>(pitch_, 1);
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t h = 0; h < rows; ++h) {
        T* const row = to + c * channel_ + h * pitch_;
        for (int64_t i = 0; i < count_; ++i) {
          const Run& run = runs_[i];
          const int64_t end = i + 1 < count_ ? runs_[i + 1].offset : pitch_;
          for (int64_t j = run.offset; j < run.to; ++j) row[j] = T(0);
          for (int64_t j = run.to + run.count; j < end; ++j) row[j] = T(0);
        }
      }
    }
  }

  /** Copies channels of an image for the band of `rows` grid rows at y0. */
  void fill(T* to, int64_t image, int64_t first_channel, int64_t channels, int64_t y0, int64_t rows) const {
    const int64_t begin = first_row(y0);
    const int64_t end = min_of(source_.height, (y0 + rows - 1) * grid_.step_y + last_dy_ + 1);
    for (int64_t c = 0; c < channels; ++c) {
      const T* plane = source_.data + image * source_.n + (first_channel + c) * source_.c;
      if (source_.w == 1 && c + 1 < channels)  // the next channel comes from afar while this one is copied
        for (int64_t i = begin * source_.h; i < end * source_.h; i += line) __builtin_prefetch(plane + source_.c + i);
      for (int64_t h = begin; h < end; ++h) {
        if (grid_.step_y > 1 && !is_read(h)) continue;
        for (int64_t i = 0; i < count_; ++i)
          copy_run(to + c * channel_ + (h - begin) * pitch_, plane + h * source_.h, runs_[i]);
      }
    }
  }

 private:
  static constexpr int64_t line = 64 / static_cast<int64_t>(sizeof(T));

  /** Columns of one remainder in the stride; `first` and `last` shift of the taps that read them. */
  struct Run {
    int64_t phase, first, last, offset;
    int64_t to, from, count;  // the columns inside the image: where in the copy, where in the row, how many
  };

  static int64_t remainder(int64_t a, int64_t b) { return a - floor_div(a, b) * b; }
  int64_t find(int64_t dx) const {
    int64_t i = 0;
    while (i < count_ && runs_[i].phase != remainder(dx, grid_.step_x)) ++i;
    return i;
  }
  int64_t first_row(int64_t y0) const { return max_of<int64_t>(0, y0 * grid_.step_y + first_dy_); }
  bool is_read(int64_t h) const {
    for (int64_t t = 0; t < taps_.count; ++t)
      if (remainder(h - taps_.dy[t], grid_.step_y) == 0) return true;
    return false;
  }

  void lay_out(Run& run) {
    const int64_t step = grid_.step_x, first = run.phase + run.first * step;
    const int64_t count = grid_.columns + run.last - run.first;
    const int64_t begin = min_of(count, max_of<int64_t>(0, -floor_div(first, step)));
    const int64_t end = max_of(begin, min_of(count, floor_div(source_.width - 1 - first, step) + 1));
    run.offset = pitch_;
    run.to = pitch_ + begin;
    run.from = (first + begin * step) * source_.w;
    run.count = end - begin;
    pitch_ += count;
  }
  void copy_run(T* to, const T* from, const Run& run) const {
    const int64_t along = source_.w * grid_.step_x, n = run.count;
    to += run.to;
    from += run.from;
    if (along == 1)
      copy_neighbours(to, from, n);
    else if (along == 2)
      copy_every_second(to, from, n);
    else
      for (int64_t j = 0; j < n; ++j) to[j] = from[j * along];
  }
  static void copy_neighbours(T* to, const T* from, int64_t n) {
    constexpr int lanes = kLanes<T>;
    int64_t j = 0;
    for (; j + lanes <= n; j += lanes) store(to + j, load(from + j));
    if (j < n) store_n(to + j, load_n(from + j, static_cast<int>(n - j)), static_cast<int>(n - j));
  }
  static void copy_every_second(T* to, const T* from, int64_t n) {
#pragma omp simd
    for (int64_t j = 0; j < n; ++j) to[j] = from[2 * j];
  }

  Source<T> source_;
  Grid grid_;
  Taps taps_;
  Run* runs_;
  int64_t count_ = 0, pitch_ = 0, channel_ = 0;
  int64_t first_dy_ = 0, last_dy_ = 0;
};

}  // namespace ATHANOR_ISA
}  // namespace athanor
