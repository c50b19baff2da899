// Convolutions whose every channel sees itself alone: forward, the gradient of the input and that of the weight, with
// pixels along the vectors. Split by planes (one image, one channel), or by channels for the weight. 3x3 kernels read
// the image itself (conv_depthwise_rows.h); for others a plane is copied once with zeros all around (conv_planes.h), so
// that each tap is an offset. 2 taps FLOPs an output against one read
// and one write of memory: bound by bandwidth.
#pragma once
#include "cpu/conv_channels.h"
#include "cpu/conv_depthwise_rows.h"
#include "cpu/conv_weight_gradient.h"
#include "cpu/interleave.h"

namespace athanor {
namespace ATHANOR_ISA {

/** A plane with zeros all around; tap t of the grid point at `place` lies at offsets()[t] from there. */
template <class T>
class PaddedPlane {
 public:
  PaddedPlane(Context* ctx, const Source<T>& source, const Grid& grid, const Taps& taps)
      : grid_(grid), planes_(ctx, source, grid, taps, grid.rows, true) {
    int64_t* const offsets = scratch_array<int64_t>(ctx, taps.count);
    for (int64_t t = 0; t < taps.count; ++t) offsets[t] = planes_.tap_offset(t);
    offsets_ = offsets;
  }
  /** Elements of a thread's copy: whole vectors are read, and two threads write to no cache line both. */
  int64_t size() const { return planes_.channel_size() + 64; }
  const int64_t* offsets() const { return offsets_; }
  void clear(T* plane) const {
    planes_.clear(plane, 1);
    for (int64_t i = planes_.channel_size(); i < size(); ++i) plane[i] = T(0);
  }
  void fill(T* plane, int64_t image, int64_t channel) const { planes_.fill(plane, image, channel, 1, 0, grid_.rows); }
  int64_t place(int64_t y) const { return planes_.place(0, y, 0); }

 private:
  Grid grid_;
  PaddedPlanes<T> planes_;
  const int64_t* offsets_;
};

/** bias + sum over taps of weight * plane[offset], for N vectors of neighbours. */
template <class T, int N>
ATHANOR_ALWAYS_INLINE void tap_sums(Vec<T> (&sums)[N], const T* at, const int64_t* offsets, const T* weights,
                                    int64_t taps, T bias) {
#pragma GCC unroll 4
  for (int v = 0; v < N; ++v) sums[v] = splat(bias);
  for (int64_t t = 0; t < taps; ++t) {
    const T* const row = at + offsets[t];
    const T weight = weights[t];
#pragma GCC unroll 4
    for (int v = 0; v < N; ++v) sums[v] += load(row + v * kLanes<T>) * weight;
  }
}

/** The images of a depthwise convolution or of its transpose; p has one channel and one output channel a group. */
template <class T>
class DepthwiseCorrelator {
 public:
  DepthwiseCorrelator(Context* ctx, const ChannelCorrelation<T>& p)
      : ctx_(ctx), p_(p), plane_(ctx, p.source, p.grid, p.taps.all()) {}

  void run() {
    const int64_t planes = p_.images * p_.groups, taps = p_.taps.count;
    const int64_t grain = ceil_div(kGrain, max_of<int64_t>(1, p_.target.rows * p_.target.columns));
    const int64_t chunks = chunk_count(ctx_, planes, grain);
    if (kStripsOfRows && p_.taps.phases_y * p_.taps.phases_x == 1 && p_.target.x == 1) {
      const NineTaps nine = NineTaps::of(p_.source, p_.grid, p_.taps.all());
      if (nine.fits)
        return parallel_each(ctx_, chunks, [&](int64_t chunk) { run_nine(nine, Part(planes, chunks, chunk)); });
    }
    T* const copies = scratch_array<T>(ctx_, chunks * plane_.size());
    T* const weights = scratch_array<T>(ctx_, p_.groups * taps);
    for (int64_t c = 0; c < p_.groups; ++c)
      for (int64_t t = 0; t < taps; ++t)
        weights[c * taps + t] = p_.weights.data[c * p_.weights.group + p_.taps.weight[t]];
    parallel_each(ctx_, chunks, [&](int64_t chunk) {
      const Part mine(planes, chunks, chunk);
      T* const copy = copies + chunk * plane_.size();
      plane_.clear(copy);
      for (int64_t i = mine.from; i < mine.to; ++i) {
        const int64_t n = i / p_.groups, c = i % p_.groups;
        plane_.fill(copy, n, c);
        const Source<T>& x = p_.source;
        if (i + 1 < mine.to && x.w == 1)
          prefetch_run(x.data + (i + 1) / p_.groups * x.n + (i + 1) % p_.groups * x.c, x.height * x.h);
        run_plane(copy, weights + c * taps, n, c);
      }
    });
  }

 private:
  void run_plane(const T* copy, const T* weights, int64_t n, int64_t c) const {
    const PhasedTaps& taps = p_.taps;
    const T bias = p_.bias != nullptr ? p_.bias[c] : T(0);
    T* to = p_.target.data + n * p_.target.n + c * p_.target.m;
    const bool paired = taps.phases_x == 2 && p_.target.x == 1;
    for (int64_t row = 0; row < p_.target.rows; ++row, to += p_.target.y) {
      const T* const at = copy + plane_.place(row / taps.phases_y);
      const int64_t phase = row % taps.phases_y * taps.phases_x;
      if (paired) {
        run_pair(to, at, weights, phase, bias);
      } else {
        for (int64_t i = 0; i < taps.phases_x; ++i) run_row(to, at, weights, phase, i, bias);
      }
    }
  }

  /** Planes of a 3x3 kernel, straight from the image. */
  void run_nine(const NineTaps& nine, const Part& planes) const {
    const BandsOfRows<T> bands(p_.source, p_.grid, p_.target.y, p_.source.c, p_.target.m);
    for (int64_t i = planes.from; i < planes.to; ++i) {
      const int64_t n = i / p_.groups, c = i % p_.groups;
      T weights[9];
      for (int t = 0; t < 9; ++t) weights[t] = p_.weights.data[c * p_.weights.group + p_.taps.weight[nine.index[t]]];
      const auto run = p_.grid.step_x == 1 ? convolve_plane<T, 1> : convolve_plane<T, 2>;
      run(p_.target.data + n * p_.target.n + c * p_.target.m, p_.target.y,
          p_.source.data + n * p_.source.n + c * p_.source.c, p_.source, p_.grid, nine, weights,
          p_.bias != nullptr ? p_.bias[c] : T(0), bands);
    }
  }

  void run_row(T* to, const T* at, const T* weights, int64_t first_phase, int64_t phase, T bias) const {
    constexpr int lanes = kLanes<T>;
    const int64_t columns = p_.target.columns_of(phase, p_.taps.phases_x), step = p_.taps.phases_x * p_.target.x;
    const int64_t first = p_.taps.first[first_phase + phase], taps = p_.taps.first[first_phase + phase + 1] - first;
    const int64_t* const offsets = plane_.offsets() + first;
    weights += first;
    int64_t x = 0;
    if (step == 1)
      for (; x + 2 * lanes < columns; x += 4 * lanes) {
        Vec<T> sums[4];
        tap_sums<T, 4>(sums, at + x, offsets, weights, taps, bias);
#pragma GCC unroll 4
        for (int v = 0; v < 4; ++v) store_part(to + x + v * lanes, sums[v], columns - x - v * lanes);
      }
    for (; x < columns; x += lanes) {
      Vec<T> sums[1];
      tap_sums<T, 1>(sums, at + x, offsets, weights, taps, bias);
      if (step == 1)
        store_part(to + x, sums[0], columns - x);
      else
        for (int i = 0; i < lanes && x + i < columns; ++i) to[phase * p_.target.x + (x + i) * step] = sums[0][i];
    }
  }

  /** Two grids whose columns alternate. */
  void run_pair(T* to, const T* at, const T* weights, int64_t phase, T bias) const {
    constexpr int lanes = kLanes<T>;
    const int64_t first = p_.taps.first[phase], second = p_.taps.first[phase + 1], end = p_.taps.first[phase + 2];
    const int64_t* const offsets = plane_.offsets();
    for (int64_t x = 0; 2 * x < p_.target.columns; x += lanes) {
      Vec<T> even[1], odd[1];
      tap_sums<T, 1>(even, at + x, offsets + first, weights + first, second - first, bias);
      tap_sums<T, 1>(odd, at + x, offsets + second, weights + second, end - second, bias);
      interleave<T>(even[0], odd[0]);
      store_part(to + 2 * x, even[0], p_.target.columns - 2 * x);
      store_part(to + 2 * x + lanes, odd[0], p_.target.columns - 2 * x - lanes);
    }
  }

  Context* ctx_;
  const ChannelCorrelation<T>& p_;
  PaddedPlane<T> plane_;
};

/** The weight's gradient of a depthwise convolution. */
template <class T>
class DepthwiseWeightGradient {
  // Points in one sum, of which each lane takes its share: one sum over millions would lose half of its digits.
  static constexpr int64_t chained = 1024 * kLanes<T>;
  static constexpr int together = 9;  // taps whose sums are in registers: all of a 3 x 3 kernel

 public:
  DepthwiseWeightGradient(Context* ctx, const WeightGradient<T>& p)
      : ctx_(ctx), p_(p), plane_(ctx, p.source, p.grid, p.taps), nine_(NineTaps::of(p.source, p.grid, p.taps)) {}

  void run() {
    constexpr int lanes = kLanes<T>;
    const int64_t taps = p_.taps.count;
    const BandsOfRows<T> bands(p_.source, p_.grid, p_.grid.columns, p_.source.n, p_.g_n);
    const int64_t grain = ceil_div(kGrain, max_of<int64_t>(1, p_.images * p_.grid.rows * p_.grid.columns));
    const int64_t chunks = chunk_count(ctx_, p_.groups, grain),
                  room = plane_.size() + ceil_div(2 * taps, 4) * 4 * lanes;
    T* const copies = scratch_array<T>(ctx_, chunks * room);
    parallel_each(ctx_, chunks, [&](int64_t chunk) {
      const Part mine(p_.groups, chunks, chunk);
      T* const copy = copies + chunk * room;
      T *const sums = copy + plane_.size(), *const totals = sums + taps * lanes;
      plane_.clear(copy);
      for (int64_t c = mine.from; c < mine.to; ++c) {
        int64_t points = 0;
        for (int64_t i = 0; i < 2 * taps * lanes; ++i) sums[i] = T(0);
        for (int64_t n = 0; n < p_.images; ++n) {
          const T* const g = p_.g + n * p_.g_n + c * p_.g_m;
          if (nine_.fits) {
            const auto run = p_.grid.step_x == 1 ? add_products<T, 1> : add_products<T, 2>;
            run(sums, g, p_.source.data + n * p_.source.n + c * p_.source.c, p_.source, p_.grid, nine_, bands);
          } else {
            add_copied(sums, copy, g, n, c);
          }
          points += p_.grid.rows * p_.grid.columns;
          if (points < chained && n + 1 < p_.images) continue;
          points = 0;
          for (int64_t i = 0; i < taps * lanes; ++i) {
            totals[i] += sums[i];
            sums[i] = T(0);
          }
        }
        for (int64_t t = 0; t < taps; ++t)
          p_.out[c * taps + (nine_.fits ? nine_.index[t] : t)] = sum_lanes<T>(load(totals + t * lanes));
      }
    });
  }

 private:
  void add_copied(T* sums, T* copy, const T* g, int64_t n, int64_t c) const {
    plane_.fill(copy, n, c);
    if (n + 1 < p_.images) {
      const Source<T>& x = p_.source;
      if (x.w == 1) prefetch_run(x.data + (n + 1) * x.n + c * x.c, x.height * x.h);
      prefetch_run(g + p_.g_n, p_.grid.rows * p_.grid.columns);
    }
    for (int64_t t = 0; t < p_.taps.count; t += together)
      run_taps(sums + t * kLanes<T>, copy, g, t, min_of(p_.taps.count, t + together));
  }

  void run_taps(T* sums, const T* copy, const T* g, int64_t first, int64_t end) const {
    if (end - first == together)
      add_plane<together>(sums, copy, g, first);
    else
      for (int64_t t = first; t < end; ++t) add_plane<1>(sums + (t - first) * kLanes<T>, copy, g, t);
  }

  template <int N>
  void add_plane(T* sums, const T* copy, const T* g, int64_t first) const {
    constexpr int lanes = kLanes<T>;
    Vec<T> acc[N];
#pragma GCC unroll 9
    for (int t = 0; t < N; ++t) acc[t] = load(sums + t * lanes);
    const int64_t columns = p_.grid.columns;
    const T* rows[N];
#pragma GCC unroll 9
    for (int t = 0; t < N; ++t) rows[t] = copy + plane_.offsets()[first + t];
    for (int64_t y = 0; y < p_.grid.rows; ++y, g += columns) {
      const int64_t place = plane_.place(y);
      int64_t x = 0;
      for (; x + lanes <= columns; x += lanes) {
        const Vec<T> v = load(g + x);
#pragma GCC unroll 9
        for (int t = 0; t < N; ++t) acc[t] += v * load(rows[t] + place + x);
      }
      if (x < columns) {  // what lies behind a row may be no number: it must not meet even a zero
        const int left = static_cast<int>(columns - x);
        const Vec<T> v = load_n(g + x, left);
#pragma GCC unroll 9
        for (int t = 0; t < N; ++t) acc[t] += v * load_n(rows[t] + place + x, left);
      }
    }
#pragma GCC unroll 9
    for (int t = 0; t < N; ++t) store(sums + t * lanes, acc[t]);
  }

  Context* ctx_;
  const WeightGradient<T>& p_;
  PaddedPlane<T> plane_;
  NineTaps nine_;
};

}  // namespace ATHANOR_ISA
}  // namespace athanor
