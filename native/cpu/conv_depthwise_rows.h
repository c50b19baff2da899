// Depthwise convolutions with three rows of three taps, the rows neighbours, straight from the image. A strip of as
// many grid columns as a vector has lanes goes down the rows: each row of the image is read once for the three rows of
// the grid that meet it, shifted three ways, and stays in registers until the last of them is made. What lies outside
// of the image is left out by masks, so nothing is copied. With stride 2 two vectors are parted into columns of even
// and odd number.
//
// 3 loads (stride 2: 8 loads and 6 permutations) and 9 multiply-adds a vector of the grid: bound by bandwidth. A plane
// is done in bands of rows that a near cache holds, and each row asks for the one of the next band below it.
#pragma once
#include "cpu/conv_rows.h"
#include "cpu/interleave.h"

namespace athanor {
namespace ATHANOR_ISA {

/** Whether loads can be masked, for the edges, at no cost. */
#if defined(__AVX512F__) || defined(__AVX2__)
constexpr bool kStripsOfRows = true;
#else
constexpr bool kStripsOfRows = false;
#endif

/** Which taps of a 3x3 kernel are where: those of a row from left to right, rows from the first on. */
struct NineTaps {
  bool fits = false;
  int64_t dy = 0, dx[3] = {};  // row of the first taps; columns
  int64_t index[9] = {};       // number of the tap in row i / 3 and column i % 3 in the caller's list

  template <class T>
  static NineTaps of(const Source<T>& source, const Grid& grid, const Taps& taps) {
    NineTaps nine;
    if (!kStripsOfRows || taps.count != 9 || source.w != 1 || grid.step_x != grid.step_y || grid.step_x > 2)
      return nine;
    nine.dy = taps.dy[0];
    nine.dx[0] = nine.dx[2] = taps.dx[0];
    for (int64_t t = 1; t < 9; ++t) {
      nine.dy = min_of(nine.dy, taps.dy[t]);
      nine.dx[0] = min_of(nine.dx[0], taps.dx[t]);
      nine.dx[2] = max_of(nine.dx[2], taps.dx[t]);
    }
    if ((nine.dx[2] - nine.dx[0]) % 2 != 0) return nine;
    nine.dx[1] = (nine.dx[0] + nine.dx[2]) / 2;
    const int64_t apart = nine.dx[1] - nine.dx[0];
    if (apart == 0 || (grid.step_x == 2 && apart != 1)) return nine;
    bool met[9] = {};
    for (int64_t t = 0; t < 9; ++t) {
      const int64_t row = taps.dy[t] - nine.dy, column = taps.dx[t] - nine.dx[0];
      if (row > 2 || column % apart != 0) return nine;
      nine.index[row * 3 + column / apart] = t;
      met[row * 3 + column / apart] = true;
    }
    nine.fits = true;
    for (bool there : met) nine.fits = nine.fits && there;
    return nine;
  }
};

/** Rows [from, to) of the grid in one plane, and how far the rows lie that are wanted next. */
struct Band {
  int64_t from, to;
  int64_t ahead, ahead_of_grid;  // elements: in the image, in what lies along the grid
};

/** How the rows of a plane are cut into bands. */
template <class T>
struct BandsOfRows {
  static constexpr int64_t near = 16384 / static_cast<int64_t>(sizeof(T));  // a third of a first-level cache
  static constexpr int64_t soon = 8192 / static_cast<int64_t>(sizeof(T));   // asked for so long before its use
  int64_t rows, count, image_row, grid_row, image_plane, grid_plane;

  /** `image_plane`, `grid_plane`: from a plane to the one that is done after it. */
  BandsOfRows(const Source<T>& source, const Grid& grid, int64_t grid_row, int64_t image_plane, int64_t grid_plane)
      : rows(grid.rows),
        count(max_of<int64_t>(1, min_of(grid.rows, grid.rows * grid.step_y * source.h / near))),
        image_row(grid.step_y * source.h),
        grid_row(grid_row),
        image_plane(image_plane),
        grid_plane(grid_plane) {}

  Band band(int64_t i) const {
    const int64_t from = rows * i / count, to = rows * (i + 1) / count;
    if (i + 1 < count) return {from, to, (to - from) * image_row, (to - from) * grid_row};
    const int64_t planes = max_of<int64_t>(1, soon / max_of<int64_t>(1, (to - from) * image_row));
    return {from, to, planes * image_plane - from * image_row, planes * grid_plane - from * grid_row};
  }
};

/** One strip of columns: the vectors of the image that meet it. */
template <class T, int Step>
class Strip {
 public:
  Strip(const Source<T>& source, const NineTaps& nine, int64_t first, int64_t columns)
      : h_(source.h), height_(source.height), ahead_(0) {
    constexpr int lanes = kLanes<T>;
    const int64_t used = Step * min_of<int64_t>(lanes, columns - first);
    for (int i = 0; i < loads; ++i) {
      // Stride 2: the two vectors that begin with the first tap, and the two that begin with the third.
      const int64_t skipped = Step == 1 ? 0 : i % 2 * lanes;
      const int64_t at = first * Step + nine.dx[Step == 1 ? i : i / 2 * 2] + skipped;
      at_[i] = at;
      const int64_t from = min_of<int64_t>(lanes, max_of<int64_t>(0, -at));
      const int64_t to = min_of(min_of<int64_t>(lanes, used - skipped), source.width - at);
      from_[i] = to > from ? static_cast<int>(from) : 0;
      to_[i] = to > from ? static_cast<int>(to) : 0;
    }
  }
  void ask_for(int64_t ahead) { ahead_ = ahead; }

  /** Row `row` of a plane as the three columns of taps meet it. */
  __attribute__((always_inline)) void read(Vec<T> (&v)[3], const T* plane, int64_t row) const {
    const T* const from = plane + row * h_;
    if (row < 0 || row >= height_) {
      v[0] = v[1] = v[2] = Vec<T>{};
      return;
    }
    __builtin_prefetch(from + at_[0] + ahead_);
    if constexpr (Step == 1) {
#pragma GCC unroll 3
      for (int i = 0; i < 3; ++i) v[i] = load_between(from + at_[i], from_[i], to_[i]);
    } else {
      __builtin_prefetch(from + at_[1] + ahead_);
      Vec<T> x[loads];
#pragma GCC unroll 4
      for (int i = 0; i < loads; ++i) x[i] = load_between(from + at_[i], from_[i], to_[i]);
      v[0] = even_lanes<T>(x[0], x[1]);
      v[1] = odd_lanes<T>(x[0], x[1]);
      v[2] = even_lanes<T>(x[2], x[3]);
    }
  }

 private:
  static constexpr int loads = Step == 1 ? 3 : 4;

  int64_t h_, height_, ahead_;
  int64_t at_[loads];
  int from_[loads], to_[loads];
};

/**
 * Calls body(row of the grid, three rows of three vectors of the image) for a band. Rows stay in registers until the
 * last row of the grid that meets them: which of the three arrays is the first goes round.
 */
template <class T, int Step, class Body>
ATHANOR_ALWAYS_INLINE void go_down(const Strip<T, Step>& strip, const T* plane, int64_t dy, const Band& band,
                                   const Body& body) {
  Vec<T> a[3], b[3], c[3];
  int64_t row = band.from * Step + dy;
  strip.read(a, plane, row);
  if constexpr (Step == 1) {
    strip.read(b, plane, row + 1);
    for (int64_t y = band.from; y < band.to; row += 3) {
      strip.read(c, plane, row + 2);
      body(y, a, b, c);
      if (++y == band.to) break;
      strip.read(a, plane, row + 3);
      body(y, b, c, a);
      if (++y == band.to) break;
      strip.read(b, plane, row + 4);
      body(y, c, a, b);
      ++y;
    }
  } else {
    for (int64_t y = band.from; y < band.to; row += 4) {
      strip.read(b, plane, row + 1);
      strip.read(c, plane, row + 2);
      body(y, a, b, c);
      if (++y == band.to) break;
      strip.read(b, plane, row + 3);
      strip.read(a, plane, row + 4);
      body(y, c, b, a);
      ++y;
    }
  }
}

/** Where a vector of the grid is, and how far what lies along the grid is asked for ahead. */
struct StripRow {
  int64_t y, x;
  int columns;  // a vector's, or what is left of the row
  int64_t ahead;
};

/** Calls body(StripRow, three rows of three vectors of the image) for all of a plane. */
template <int Step, class T, class Body>
ATHANOR_ALWAYS_INLINE void each_row(const T* plane, const Source<T>& source, const Grid& grid, const NineTaps& nine,
                                    const BandsOfRows<T>& bands, const Body& body) {
  for (int64_t i = 0; i < bands.count; ++i) {
    const Band band = bands.band(i);
    for (int64_t x = 0; x < grid.columns; x += kLanes<T>) {
      Strip<T, Step> strip(source, nine, x, grid.columns);
      strip.ask_for(band.ahead);
      const int left = static_cast<int>(min_of<int64_t>(kLanes<T>, grid.columns - x));
      go_down(strip, plane, nine.dy, band,
              [&](int64_t y, const Vec<T>(&a)[3], const Vec<T>(&b)[3], const Vec<T>(&c)[3])
                  __attribute__((always_inline)) { body(StripRow{y, x, left, band.ahead_of_grid}, a, b, c); });
    }
  }
}

/** A plane of a depthwise convolution; `weights` are in the order of NineTaps. Rows of the result are `to_row` apart.
 */
template <class T, int Step>
__attribute__((noinline)) void convolve_plane(T* to, int64_t to_row, const T* plane, const Source<T>& source,
                                              const Grid& grid, const NineTaps& nine, const T* weights, T bias,
                                              const BandsOfRows<T>& bands) {
  Vec<T> w[9];
#pragma GCC unroll 9
  for (int t = 0; t < 9; ++t) w[t] = splat(weights[t]);
  each_row<Step>(plane, source, grid, nine, bands,
                 [&](const StripRow& at, const Vec<T>(&a)[3], const Vec<T>(&b)[3], const Vec<T>(&c)[3])
                     __attribute__((always_inline)) {
                       Vec<T> p = splat(bias) + a[0] * w[0], q = b[0] * w[3], r = c[0] * w[6];
                       p += a[1] * w[1];
                       q += b[1] * w[4];
                       r += c[1] * w[7];
                       p += a[2] * w[2];
                       q += b[2] * w[5];
                       r += c[2] * w[8];
                       T* const row = to + at.y * to_row + at.x;
                       __builtin_prefetch(row + at.ahead, 1);
                       if (at.columns == kLanes<T>)
                         store(row, p + (q + r));
                       else
                         store_n(row, p + (q + r), at.columns);
                     });
}

/** Adds the products of a plane of g and of the image to nine vectors of sums, in the order of NineTaps. */
template <class T, int Step>
__attribute__((noinline)) void add_products(T* sums, const T* g, const T* plane, const Source<T>& source,
                                            const Grid& grid, const NineTaps& nine, const BandsOfRows<T>& bands) {
  Vec<T> sum[9];
#pragma GCC unroll 9
  for (int t = 0; t < 9; ++t) sum[t] = load(sums + t * kLanes<T>);
  each_row<Step>(plane, source, grid, nine, bands,
                 [&](const StripRow& at, const Vec<T>(&a)[3], const Vec<T>(&b)[3], const Vec<T>(&c)[3])
                     __attribute__((always_inline)) {
                       const T* const row = g + at.y * grid.columns + at.x;
                       __builtin_prefetch(row + at.ahead);
                       const Vec<T> v = load_n(row, at.columns);
#pragma GCC unroll 3
                       for (int t = 0; t < 3; ++t) {
                         sum[t] += v * a[t];
                         sum[t + 3] += v * b[t];
                         sum[t + 6] += v * c[t];
                       }
                     });
#pragma GCC unroll 9
  for (int t = 0; t < 9; ++t) store(sums + t * kLanes<T>, sum[t]);
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
