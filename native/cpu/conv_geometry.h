// What the attributes of conv2d and its gradients say: where each tap of a kernel meets the image, in which of the
// interleaved grids of a transpose, and whether the kernels with channels along the vectors can hold the offsets.
#pragma once
#include "cpu/conv_panels.h"

namespace athanor {
namespace ATHANOR_ISA {

/** What conv2d and its gradients are told of themselves. Index 0 is along rows (vertical), 1 along columns. */
struct Geometry {
  int64_t stride[2], padding[2], dilation[2], groups;
  explicit Geometry(const Call& c)
      : stride{attr(c, 0), attr(c, 1)},
        padding{attr(c, 2), attr(c, 3)},
        dilation{attr(c, 4), attr(c, 5)},
        groups(attr(c, 6)) {}
  static int64_t attr(const Call& c, int i) { return static_cast<int64_t>(c.attrs[i]); }
};

/** Taps under construction: where in the image each lies, and where its weight does. */
struct TapList {
  int64_t count = 0;
  int64_t *dy, *dx, *weight;
  TapList(Context* ctx, int64_t room)
      : dy(scratch_array<int64_t>(ctx, room)),
        dx(scratch_array<int64_t>(ctx, room)),
        weight(scratch_array<int64_t>(ctx, room)) {}
  void add(int64_t y, int64_t x, int64_t w) {
    dy[count] = y;
    dx[count] = x;
    weight[count++] = w;
  }
  Taps taps() const { return {count, dy, dx}; }
};

/** each(y, x, row, column) for the taps of a kernel: the place in the image that the first grid point meets. */
template <class F>
ATHANOR_ALWAYS_INLINE void each_tap(const Geometry& geometry, int64_t kh, int64_t kw, const F& each) {
  for (int64_t r = 0; r < kh; ++r)
    for (int64_t s = 0; s < kw; ++s)
      each(r * geometry.dilation[0] - geometry.padding[0], s * geometry.dilation[1] - geometry.padding[1], r, s);
}

/** All taps of a convolution, in the order of the weight's last two dimensions. */
static inline TapList forward_taps(Context* ctx, const Geometry& geometry, int64_t kh, int64_t kw, int64_t w_row,
                                   int64_t w_column) {
  TapList list(ctx, kh * kw);
  each_tap(geometry, kh, kw,
           [&](int64_t y, int64_t x, int64_t r, int64_t s) { list.add(y, x, r * w_row + s * w_column); });
  return list;
}

/** Where all taps meet the same remainder in a stride, the rows or columns between are never read: what is left is an
 *  image of its own, with a stride of one. So 1 x 1 kernels copy a quarter. */
template <class T>
void skip_unread(Source<T>& source, Grid& grid, int64_t taps, int64_t* dy, int64_t* dx) {
  const auto skip = [&](int64_t& step, int64_t& size, int64_t& stride, int64_t* at) {
    const int64_t first = at[0] - floor_div(at[0], step) * step;
    bool same = step > 1 && first < size;
    for (int64_t t = 0; t < taps; ++t) same = same && (at[t] - first) % step == 0;
    if (!same) return;
    for (int64_t t = 0; t < taps; ++t) at[t] = (at[t] - first) / step;
    source.data += first * stride;
    size = ceil_div(size - first, step);
    stride *= step;
    step = 1;
  };
  skip(grid.step_y, source.height, source.h, dy);
  skip(grid.step_x, source.width, source.w, dx);
}

/** Taps with the grid of outputs, of phases_y * phases_x interleaved ones, that each belongs to. */
struct PhaseList {
  int64_t phases_y, phases_x, count = 0;
  int64_t *phase, *dy, *dx, *weight;
  bool empty() const { return count == 0; }
  PhaseList(Context* ctx, int64_t y, int64_t x, int64_t room)
      : phases_y(y),
        phases_x(x),
        phase(scratch_array<int64_t>(ctx, room)),
        dy(scratch_array<int64_t>(ctx, room)),
        dx(scratch_array<int64_t>(ctx, room)),
        weight(scratch_array<int64_t>(ctx, room)) {}
  /** Keeps the order: phase, then dx, then dy. */
  void add(int64_t p, int64_t y, int64_t x, int64_t w) {
    int64_t i = count++;
    for (; i > 0 && comes_before(p, y, x, i - 1); --i) {
      phase[i] = phase[i - 1];
      dy[i] = dy[i - 1];
      dx[i] = dx[i - 1];
      weight[i] = weight[i - 1];
    }
    phase[i] = p;
    dy[i] = y;
    dx[i] = x;
    weight[i] = w;
  }
  PhasedTaps taps(Context* ctx) const {
    const int64_t phases = phases_y * phases_x;
    int64_t* const first = scratch_array<int64_t>(ctx, phases + 1);
    for (int64_t p = 0, t = 0; p <= phases; ++p) {
      while (t < count && phase[t] < p) ++t;
      first[p] = t;
    }
    return {phases_y, phases_x, count, first, dy, dx, weight};
  }

 private:
  bool comes_before(int64_t p, int64_t y, int64_t x, int64_t i) const {
    if (p != phase[i]) return p < phase[i];
    return x != dx[i] ? x < dx[i] : y < dy[i];
  }
};

/** The same taps in the order of phases, of which there is one. */
static inline PhaseList forward_phases(Context* ctx, const Geometry& geometry, const View& w) {
  PhaseList list(ctx, 1, 1, w.shape[2] * w.shape[3]);
  each_tap(geometry, w.shape[2], w.shape[3],
           [&](int64_t y, int64_t x, int64_t r, int64_t s) { list.add(0, y, x, r * w.strides[2] + s * w.strides[3]); });
  return list;
}

/**
 * The transpose scatters: x[y] * weight[r] goes to row y * stride + r * dilation - padding. Seen from an output row,
 * the taps that hit it are those with the right remainder in the stride, so the output falls into stride * stride
 * grids (phases), each of which is an ordinary convolution of x with its own taps and step 1.
 */
static inline PhaseList transposed_phases(Context* ctx, const Geometry& geometry, const View& w, const View& out) {
  const int64_t phases_y = min_of(geometry.stride[0], out.shape[2]);
  const int64_t phases_x = min_of(geometry.stride[1], out.shape[3]);
  PhaseList list(ctx, phases_y, phases_x, w.shape[2] * w.shape[3]);
  each_tap(geometry, w.shape[2], w.shape[3], [&](int64_t row, int64_t column, int64_t r, int64_t s) {
    // Output row a + y * stride meets this tap where a is its remainder, at row y + dy of x.
    const int64_t dy = -floor_div(row, geometry.stride[0]), dx = -floor_div(column, geometry.stride[1]);
    const int64_t a = row + dy * geometry.stride[0], b = column + dx * geometry.stride[1];
    if (a < phases_y && b < phases_x) list.add(a * phases_x + b, dy, dx, r * w.strides[2] + s * w.strides[3]);
  });
  return list;
}

/** Along one axis: how long the image is and how many grid points read it, `step` apart, each so far. */
struct Extent {
  int64_t image, grid, step, reach;

  /** Of x under a convolution, whose grid is y. */
  static Extent forward(const Geometry& geometry, int axis, const View& x, const View& w, const View& y) {
    return {x.shape[axis + 2], y.shape[axis + 2], geometry.stride[axis],
            geometry.dilation[axis] * (w.shape[axis + 2] - 1) + 1};
  }
  /** Of x under a transpose, which makes y: each phase is a convolution of step 1. */
  static Extent transposed(const Geometry& geometry, int axis, const View& x, const View& w, const View& y) {
    const int64_t stride = geometry.stride[axis], reach = geometry.dilation[axis] * (w.shape[axis + 2] - 1);
    return {x.shape[axis + 2], ceil_div(y.shape[axis + 2], stride), 1, ceil_div(reach, stride) + 2};
  }
  /** Numbers between the first and the last that any point meets; as double, which no attribute exceeds. */
  double padded() const { return static_cast<double>(grid) * static_cast<double>(step) + static_cast<double>(reach); }
};

using ExtentOf = Extent (*)(const Geometry&, int axis, const View& x, const View& w, const View& y);

/**
 * Whether offsets have 32 bits in the tables of kernels that copy images with their padding left and right: from number
 * to number of one copy, of so many images and channels, and from row to row of all that the grid reaches. What is
 * added to the sizes covers their rounding, of channels to an odd number of cache lines and of planes to the same.
 * Short of padding beyond all measure, it is single images of 8 GiB that do not fit.
 */
static inline bool offsets_fit(int64_t images, int64_t channels, const Extent& rows, const Extent& columns) {
  const double height = max_of(rows.padded(), static_cast<double>(rows.image)) + 1;
  const double width = max_of(columns.padded(), static_cast<double>(columns.image)) + 32;
  return static_cast<double>(images) * static_cast<double>(channels + 32) * height * width <= INT32_MAX;
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
