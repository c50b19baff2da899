// An image's rows as the convolutions with channels in vectors read them: a copy with zeros left and right, columns
// sorted by their remainder in the horizontal stride, so that neighbours of the output read neighbours. Rows outside of
// the image are not there: who reads leaves the taps out that would meet them.
//
// Legend: c channel, y x grid, t tap; a band is a run of grid rows.
#pragma once
#include "cpu/conv_rows.h"
#include "cpu/interleave.h"

namespace athanor {
namespace ATHANOR_ISA {

template <class T>
class PaddedPlanes {
 public:
  /** `whole`: rows outside of the image are there as well, as zeros. */
  PaddedPlanes(Context* ctx, const Source<T>& source, const Grid& grid, const Taps& taps, int64_t band,
               bool whole = false)
      : source_(source), grid_(grid), taps_(taps), whole_(whole), runs_(scratch_array<Run>(ctx, taps.count)) {
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
    parts_ =
        source.w * grid.step_x == 2 &&
        (count_ == 1 || (count_ == 2 && (runs_[0].from - runs_[1].from == 1 || runs_[1].from - runs_[0].from == 1)));
    meets_ = scratch_array<bool>(ctx, grid.step_y);
    for (int64_t i = 0; i < grid.step_y; ++i) meets_[i] = false;
    for (int64_t t = 0; t < taps.count; ++t) meets_[remainder(taps.dy[t], grid.step_y)] = true;
    for (int64_t i = 0; i < grid.step_y; ++i) reads_all_ = reads_all_ && meets_[i];
    const int64_t reach = (band - 1) * grid.step_y + last_dy_ - first_dy_ + 1;
    const int64_t rows = whole ? reach : min_of(source.height, reach);
    // An odd number of cache lines: the channels of one pixel spread over all sets of the first-level cache.
    channel_ = ceil_div(max_of<int64_t>(rows, 1) * pitch_, line) | 1;
    channel_ *= line;
  }

  /** Elements of one channel. Behind the last there must be room for a vector. */
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
    if (whole_) {
      for (int64_t i = 0; i < channels * channel_; ++i) to[i] = T(0);
      return;
    }
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
    const int64_t top = first_row(y0), begin = max_of<int64_t>(0, top);
    const int64_t end = min_of(source_.height, (y0 + rows - 1) * grid_.step_y + last_dy_ + 1);
    for (int64_t c = 0; c < channels; ++c) {
      const T* plane = source_.data + image * source_.n + (first_channel + c) * source_.c;
      if (source_.w <= 2)  // the next plane comes from afar while this one is copied
        prefetch(c + 1 < channels ? plane + source_.c : plane + source_.n - (channels - 1) * source_.c, begin, end);
      T* row = to + c * channel_ + (begin - top) * pitch_;
      const T* from = plane + begin * source_.h;
      if (count_ == 1 && source_.w == 1 && grid_.step_x == 1 && runs_[0].count == pitch_ && source_.h == pitch_) {
        copy_neighbours(row, from, (end - begin) * pitch_);  // rows without borders are one row
        continue;
      }
      if (count_ == 1 && source_.w == 1 && grid_.step_x == 1 && grid_.step_y == 1 && runs_[0].count <= kLanes<T>) {
        const int n = static_cast<int>(runs_[0].count);
        row += runs_[0].to;
        from += runs_[0].from;
        for (int64_t h = begin; h < end; ++h, row += pitch_, from += source_.h) store(row, load_n(from, n));
        continue;
      }
      if (parts_) {
        part_rows(row, from, begin, end);
        continue;
      }
      for (int64_t h = begin; h < end; ++h, row += pitch_, from += source_.h)
        if (reads_all_ || is_read(h))
          for (int64_t i = 0; i < count_; ++i) copy_run(row, from, runs_[i]);
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
  int64_t first_row(int64_t y0) const {
    const int64_t row = y0 * grid_.step_y + first_dy_;
    return whole_ ? row : max_of<int64_t>(0, row);
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
  // Inlined by order: GCC takes a function that only prefetches for one without effect, and leaves its calls out.
  __attribute__((always_inline)) inline void prefetch(const T* plane, int64_t begin, int64_t end) const {
    if (source_.h == source_.width * source_.w) {  // rows without gaps between them
      for (int64_t i = begin * source_.h; i < end * source_.h; i += line) __builtin_prefetch(plane + i);
      return;
    }
    for (int64_t h = begin; h < end; ++h)
      for (int64_t i = 0; i < source_.width * source_.w; i += line) __builtin_prefetch(plane + h * source_.h + i);
  }
  bool is_read(int64_t h) const { return meets_[h % grid_.step_y]; }
  void copy_run(T* to, const T* from, const Run& run) const {
    const int64_t along = source_.w * grid_.step_x;
    to += run.to;
    from += run.from;
    if (along == 1)
      copy_neighbours(to, from, run.count);
    else
      for (int64_t j = 0; j < run.count; ++j) to[j] = from[j * along];
  }
  // Whole vectors are written, zeros behind the row: what they cover is a border, or is written next.
  static void copy_neighbours(T* to, const T* from, int64_t n) {
    constexpr int lanes = kLanes<T>;
    int64_t j = 0;
    for (; j + lanes <= n; j += lanes) store(to + j, load(from + j));
    if (j < n) store(to + j, load_n(from + j, static_cast<int>(n - j)));
  }

  /** Rows whose every second element is wanted, or all of them in two runs: neighbours are read together and parted. */
  void part_rows(T* to, const T* from, int64_t begin, int64_t end) const {
    constexpr int64_t lanes = kLanes<T>;
    const bool both = count_ == 2, swapped = both && runs_[1].from < runs_[0].from;
    const Run &first = runs_[swapped ? 1 : 0], &second = runs_[swapped ? 0 : 1];
    const int64_t firsts = first.count, seconds = both ? second.count : 0;
    const int64_t count = max_of(2 * firsts - 1, 2 * seconds), from_step = source_.h, to_step = pitch_;
    const bool all = reads_all_;  // as locals: what is stored might be these members, for all the compiler knows
    T* const to_second = both ? to + second.to : to;
    to += first.to;
    from += first.from;
    for (int64_t j = 0; 2 * j < count; j += lanes) {
      const int low = part(count - 2 * j), high = part(count - 2 * j - lanes);
      const int even = part(firsts - j), odd = part(seconds - j);
      const T* at = from + 2 * j;
      int64_t place = j;
      if (high == lanes && even == lanes && (odd == lanes || !both)) {
        for (int64_t h = begin; h < end; ++h, at += from_step, place += to_step) {
          if (!all && !is_read(h)) continue;
          const Vec<T> a = load(at), b = load(at + lanes);
          store(to + place, even_lanes<T>(a, b));
          if (both) store(to_second + place, odd_lanes<T>(a, b));
        }
      } else {
        for (int64_t h = begin; h < end; ++h, at += from_step, place += to_step) {
          if (!all && !is_read(h)) continue;
          const Vec<T> a = load_n(at, low), b = high > 0 ? load_n(at + lanes, high) : Vec<T>{};
          store_n(to + place, even_lanes<T>(a, b), even);
          if (both) store_n(to_second + place, odd_lanes<T>(a, b), odd);
        }
      }
    }
  }
  /** How many of a vector's lanes are among the next `left`. */
  static int part(int64_t left) { return static_cast<int>(max_of<int64_t>(0, min_of<int64_t>(kLanes<T>, left))); }

  Source<T> source_;
  Grid grid_;
  Taps taps_;
  bool whole_;
  Run* runs_;
  bool parts_;  // see part_rows
  bool reads_all_ = true;
  bool* meets_;  // rows by their remainder in the vertical stride: whether any tap reads them
  int64_t count_ = 0, pitch_ = 0, channel_ = 0;
  int64_t first_dy_ = 0, last_dy_ = 0;
};

}  // namespace ATHANOR_ISA
}  // namespace athanor
