// How a convolution reads its image. For every tap of the kernel the values that it meets along the output grid, in the
// grid's order, are one contiguous run of memory: then the micro-kernels of the GEMM core read them as rows of a matrix
// that is never built. To that end each row of the image is copied once for every horizontal shift of the taps (3 for a
// 3 x 3 kernel, where a full patch matrix would hold 9 copies), zeros where the shift leaves the image, rows sorted by
// their remainder in the vertical stride. A tap is then an offset: its shift's plane, its row in it.
//
// Legend: N images, C channels, H W image, y x output grid, t tap; a band is a run of grid rows.
#pragma once
#include "cpu/parallel.h"
#include "cpu/part.h"
#include "cpu/simd.h"
#include "cpu/slots.h"

namespace athanor {
namespace ATHANOR_ISA {

/** The image that is read: x of a forward convolution, the output's gradient of a backward one. */
template <class T>
struct Source {
  const T* data;
  int64_t n, c, h, w;  // strides
  int64_t height, width;
};

/** Grid point (y, x) and tap t meet at image row y * step_y + dy[t], column x * step_x + dx[t]. */
struct Grid {
  int64_t rows, columns;
  int64_t step_y, step_x;
};
struct Taps {
  int64_t count;
  const int64_t *dy, *dx;
};

ATHANOR_ALWAYS_INLINE int64_t floor_div(int64_t a, int64_t b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

/** The copies of an image's rows that the taps read, for bands of up to `band` grid rows. */
template <class T>
class ShiftedRows {
 public:
  ShiftedRows(Context* ctx, const Source<T>& source, const Grid& grid, const Taps& taps, int64_t band)
      : source_(source), grid_(grid), planes_(scratch_array<Plane>(ctx, taps.count)) {
    tap_offsets_ = scratch_array<int64_t>(ctx, taps.count);
    for (int64_t t = 0; t < taps.count; ++t) widen(taps, t);
    for (int64_t i = 0; i < count_; ++i) {
      planes_[i].offset = channel_size_;
      channel_size_ += (band + planes_[i].last - planes_[i].first) * grid.columns;
    }
    for (int64_t t = 0; t < taps.count; ++t) {
      const Plane& p = planes_[find(taps, t)];
      tap_offsets_[t] = p.offset + (floor_div(taps.dy[t], grid.step_y) - p.first) * grid.columns;
    }
  }

  /** Elements that the rows of one channel take. Beyond the last channel's there must be room for a vector. */
  int64_t channel_size() const { return channel_size_; }

  /** Where channel c, tap t begins, for all of `channels` and the taps: the table for the micro-kernels. */
  const int64_t* table(Context* ctx, int64_t channels, int64_t taps) const {
    int64_t* offsets = scratch_array<int64_t>(ctx, channels * taps);
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t t = 0; t < taps; ++t) offsets[c * taps + t] = c * channel_size_ + tap_offsets_[t];
    return offsets;
  }

  /**
   * Writes the rows of `channels` channels of an image for the band of `rows` grid rows at y0, and up to a vector
   * beyond them: images that lie one after another are filled in that order.
   */
  void fill(T* to, int64_t image, int64_t first_channel, int64_t channels, int64_t y0, int64_t rows) const {
    for (int64_t c = 0; c < channels; ++c) {
      const T* plane = source_.data + image * source_.n + (first_channel + c) * source_.c;
      if (source_.w == 1)  // the next plane comes from afar while this one is copied
        prefetch_rows(c + 1 < channels ? plane + source_.c : plane + source_.n - (channels - 1) * source_.c, y0, rows);
      for (int64_t i = 0; i < count_; ++i)
        fill_plane(to + c * channel_size_ + planes_[i].offset, plane, planes_[i], y0, rows);
    }
  }

 private:
  struct Plane {
    int64_t dx, phase;    // phase: dy modulo the vertical step
    int64_t first, last;  // of dy divided by the vertical step, over the taps that read this plane
    int64_t offset;
  };

  // Inlined by order: GCC takes a function that only prefetches for one without effect, and leaves its calls out.
  __attribute__((always_inline)) inline void prefetch_rows(const T* plane, int64_t y0, int64_t rows) const {
    constexpr int64_t line = 64 / static_cast<int64_t>(sizeof(T));
    const int64_t begin = max_of<int64_t>(0, y0 * grid_.step_y);
    const int64_t end = min_of(source_.height, (y0 + rows) * grid_.step_y);
    for (int64_t i = begin * source_.h; i < end * source_.h; i += line) __builtin_prefetch(plane + i);
  }
  int64_t phase_of(int64_t dy) const { return dy - floor_div(dy, grid_.step_y) * grid_.step_y; }

  int64_t find(const Taps& taps, int64_t t) const {
    int64_t i = 0;
    while (i < count_ && (planes_[i].dx != taps.dx[t] || planes_[i].phase != phase_of(taps.dy[t]))) ++i;
    return i;
  }
  void widen(const Taps& taps, int64_t t) {
    const int64_t row = floor_div(taps.dy[t], grid_.step_y), i = find(taps, t);
    if (i == count_) planes_[count_++] = {taps.dx[t], phase_of(taps.dy[t]), row, row, 0};
    planes_[i].first = min_of(planes_[i].first, row);
    planes_[i].last = max_of(planes_[i].last, row);
  }

  /** Grid indices from 0 to `count` whose image index first + i * step lies in [0, size). */
  static Part inside(int64_t count, int64_t first, int64_t step, int64_t size) {
    const int64_t low = min_of(count, max_of<int64_t>(0, -floor_div(first, step)));
    return Part(low, max_of(low, min_of(count, floor_div(size - 1 - first, step) + 1)));
  }

  void fill_plane(T* to, const T* plane, const Plane& p, int64_t y0, int64_t rows) const {
    const int64_t first = p.phase + grid_.step_y * (y0 + p.first), count = rows + p.last - p.first;
    const Part y = inside(count, first, grid_.step_y, source_.height);
    const Part x = inside(grid_.columns, p.dx, grid_.step_x, source_.width);
    const T* from = plane + (first + y.from * grid_.step_y) * source_.h + p.dx * source_.w;
    zero(to, y.from * grid_.columns);
    to += y.from * grid_.columns;
    if (source_.w * grid_.step_x != 1)
      copy_stepped(to, from, y.size(), x);
    else if (grid_.columns <= kLanes<T>)
      copy_narrow(to, from, y.size(), x);
    else
      copy_wide(to, from, y.size(), x);
    zero(to + y.size() * grid_.columns, (count - y.to) * grid_.columns);
  }

  static void zero(T* to, int64_t count) {
    for (int64_t i = 0; i < count; ++i) to[i] = T(0);
  }
  void copy_stepped(T* to, const T* from, int64_t rows, const Part& x) const {
    const int64_t step = source_.w * grid_.step_x;
    for (int64_t i = 0; i < rows; ++i, to += grid_.columns, from += grid_.step_y * source_.h) {
      for (int64_t j = 0; j < x.from; ++j) to[j] = T(0);
      for (int64_t j = x.from; j < x.to; ++j) to[j] = from[j * step];
      for (int64_t j = x.to; j < grid_.columns; ++j) to[j] = T(0);
    }
  }
  // Whole vectors are written: what follows a row is written next.
  void copy_narrow(T* to, const T* from, int64_t rows, const Part& x) const {
    const int64_t columns = grid_.columns, step = grid_.step_y * source_.h;
    const int first = static_cast<int>(x.from), end = static_cast<int>(x.to);
    for (int64_t i = 0; i < rows; ++i, to += columns, from += step) store(to, load_between(from, first, end));
  }
  void copy_wide(T* to, const T* from, int64_t rows, const Part& x) const {
    constexpr int64_t lanes = kLanes<T>;
    int64_t columns = grid_.columns, end = x.to;
    const int64_t step = grid_.step_y * source_.h;
    if (x.size() == columns && step == columns) {  // rows without gaps and borders are one row
      columns = end = columns * rows;
      rows = rows > 0 ? 1 : 0;
    }
    for (int64_t i = 0; i < rows; ++i, to += columns, from += step) {
      int64_t j = 0;
      for (; j < x.from; j += lanes)
        store(to + j, load_between(from + j, static_cast<int>(min_of(lanes, x.from - j)), part(end - j)));
      for (; j + lanes <= end; j += lanes) store(to + j, load(from + j));
      for (; j < columns; j += lanes) store(to + j, load_between(from + j, 0, part(end - j)));
    }
  }
  /** How many of a vector's lanes lie before the end of a row, `left` elements on. */
  static int part(int64_t left) { return static_cast<int>(max_of<int64_t>(0, min_of<int64_t>(kLanes<T>, left))); }

  Source<T> source_;
  Grid grid_;
  Plane* planes_;
  int64_t* tap_offsets_;
  int64_t count_ = 0;
  int64_t channel_size_ = 0;
};

}  // namespace ATHANOR_ISA
}  // namespace athanor
