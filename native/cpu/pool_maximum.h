// The largest value of each window of the last two axes of [N, C, H, W], with its place in the plane or without. The
// first of equal values wins; the first NaN wins over all. Split by rows of outputs. A window's maximum is that of its
// columns' maxima: each column's first, a row of x at a time, into a near buffer; then those of a window's columns are
// compared. Rows whose windows lie beside each other (a stride no less than the window) end to end in that buffer, so
// that short rows fill whole vectors. Kernel height + width comparisons an output; bound by one read of x and one write
// of the results, or, with places, which double what is moved and compared, by the comparisons.
#pragma once
#include "cpu/dense.h"
#include "cpu/interleave.h"
#include "cpu/pool_windows.h"
#include "cpu/streaming.h"

namespace athanor {
namespace ATHANOR_ISA {

/** Maxima and where they are: numbers of the places in the plane, integers as wide as T. */
template <class T, bool Placed>
struct Maxima {
  typedef decltype(Vec<T>{} < Vec<T>{}) Places;
  typedef decltype(Places{}[0] + 0) Place;
  Vec<T> value;
  Places place;  // where Placed

  /** Takes what exceeds, or is the first NaN; of equals the one with the lower place where they are `Ordered`ly met. */
  template <bool Ordered>
  ATHANOR_INLINE_MEMBER void meet(const Maxima& other) {
    Places wins = ~(other.value <= value) & (value == value);
    if constexpr (Placed && !Ordered) {
      const Places alike = (other.value == value) | ((other.value != other.value) & (value != value));
      wins |= alike & (other.place < place);
    }
    value = wins ? other.value : value;
    if constexpr (Placed) place = wins ? other.place : place;
  }
};

/** Vectors of places travel as bits of T. */
template <class T, class Places>
ATHANOR_ALWAYS_INLINE Vec<T> as_bits(const Places& places) {
  Vec<T> bits;
  __builtin_memcpy(&bits, &places, sizeof bits);
  return bits;
}

/** Whole numbers 0, 1, 2, ... */
template <class Places>
ATHANOR_ALWAYS_INLINE Places counted_lanes() {
  Places lanes;
#pragma GCC unroll 16
  for (size_t lane = 0; lane < sizeof(Places) / sizeof(Places{}[0]); ++lane)
    lanes[lane] = static_cast<decltype(Places{}[0] + 0)>(lane);
  return lanes;
}

/** How many bytes ahead rows are asked for: a fifth of the time where planes lie in memory, whose rows are too short
 * for the processor to look beyond them. */
constexpr int64_t kRowsAhead = 4096;

/**
 * The largest of each of `count` columns over `met` rows that lie `pitch` apart; the first place is number `first` of
 * the plane. Met: how many they are where that is known to the compiler, else 0.
 */
template <class T, bool Placed, int Met>
__attribute__((noinline)) void max_of_columns(const T* from, int64_t first, int64_t met, int64_t pitch, int64_t count,
                                              T* values, T* places) {
  using Found = Maxima<T, Placed>;
  using Place = typename Found::Place;
  const typename Found::Places lanes = counted_lanes<typename Found::Places>();
  const Place apart = static_cast<Place>(pitch);
  for (int64_t at = 0; at < count; at += kLanes<T>) {
    const int n = static_cast<int>(min_of<int64_t>(kLanes<T>, count - at));
    const auto run = [&](const auto& load_row, const auto& store_row) __attribute__((always_inline)) {
      Found best, next;
      best.value = load_row(from + at);
      best.place = next.place = lanes + static_cast<Place>(first + at);
#pragma GCC unroll 4
      for (int64_t r = 1; r < (Met ? Met : met); ++r) {
        __builtin_prefetch(reinterpret_cast<const char*>(from + at + r * pitch) + kRowsAhead);
        next.value = load_row(from + at + r * pitch);
        next.place += apart;
        best.template meet<true>(next);
      }
      store_row(values + at, best.value);
      if constexpr (Placed) store_row(places + at, as_bits<T>(best.place));
    };
    if (n == kLanes<T>)
      run([](const T* p) { return load(p); }, [](T* p, const Vec<T>& v) { store(p, v); });
    else
      run([n](const T* p) { return load_n(p, n); }, [n](T* p, const Vec<T>& v) { store_n(p, v, n); });
  }
}

/** The first n of the elements that lie `step` apart; two vectors may be read from `from` on, whatever n. */
template <class T>
ATHANOR_ALWAYS_INLINE Vec<T> load_apart(const T* from, int64_t step, int n) {
  if (step == 1) return load(from);
  if (step == 2) return even_lanes<T>(load(from), load(from + kLanes<T>));
  return load_stepped(from, step, n);
}

/**
 * n outputs from the maxima of their columns, the first of which lie at `values` and `places`. Met and Step: the
 * columns of a window and what lies between windows, where these are known to the compiler, else 0.
 */
template <class T, bool Placed, int Met, int Step>
__attribute__((noinline)) void max_of_windows(const Regular columns, const T* values, const T* places, int64_t n,
                                              T* out, int32_t* indices) {
  using Found = Maxima<T, Placed>;
  const int64_t step = Step ? Step : columns.stride, met = Met ? Met : columns.kernel, apart = columns.dilation;
  for (int64_t j = 0; j < n; j += kLanes<T>) {
    const int some = static_cast<int>(min_of<int64_t>(kLanes<T>, n - j));
    const auto column = [&](int64_t k) __attribute__((always_inline)) {
      const int64_t at = j * step + k * apart;
      Found found;
      found.value = load_apart(values + at, step, some);
      if constexpr (Placed) {
        const Vec<T> bits = load_apart(places + at, step, some);
        __builtin_memcpy(&found.place, &bits, sizeof bits);
      }
      return found;
    };
    Found best = column(0);
#pragma GCC unroll 4
    for (int64_t k = 1; k < met; ++k) best.template meet<false>(column(k));
    store_n(out + j, best.value, some);
    if constexpr (Placed) {
      if constexpr (sizeof(T) == sizeof(int32_t))
        store_n(reinterpret_cast<T*>(indices + j), as_bits<T>(best.place), some);
      else
        for (int lane = 0; lane < some; ++lane) indices[j + lane] = static_cast<int32_t>(best.place[lane]);
    }
  }
}

/** The code for the common windows, 2 x 2 and 3 x 3 at every second place, and for all others. */
template <class T, bool Placed>
ATHANOR_ALWAYS_INLINE void any_columns(const T* from, int64_t first, int64_t met, int64_t pitch, int64_t count,
                                       T* values, T* places) {
  (met == 2   ? max_of_columns<T, Placed, 2>
   : met == 3 ? max_of_columns<T, Placed, 3>
              : max_of_columns<T, Placed, 0>)(from, first, met, pitch, count, values, places);
}
template <class T, bool Placed>
ATHANOR_ALWAYS_INLINE void any_windows(const Regular& columns, const T* values, const T* places, int64_t n, T* out,
                                       int32_t* indices) {
  (columns.stride != 2   ? max_of_windows<T, Placed, 0, 0>
   : columns.kernel == 2 ? max_of_windows<T, Placed, 2, 2>
   : columns.kernel == 3 ? max_of_windows<T, Placed, 3, 2>
                         : max_of_windows<T, Placed, 0, 2>)(columns, values, places, n, out, indices);
}

/** Columns that are gathered before their windows are compared: with places 8 KiB of float32, a sixth of a near cache.
 */
constexpr int64_t kColumnsAtOnce = 1024;

// out from x; where Placed, also indices: int32, places in the plane.
template <class T, bool Placed>
void max_windows(const Call& c) {
  const View x = dense_planes<T>(c.ctx, c.in[0]), &out = c.out[0];
  const Regular rows(c.attrs, 0), columns(c.attrs, 1);
  const int64_t height = x.shape[2], width = x.shape[3], out_height = out.shape[2], out_width = out.shape[3];
  const int64_t total = plane_count(out) * out_height;
  if (total * out_width == 0) return;
  const int64_t reach = columns.dilation * (columns.kernel - 1) + 1;
  const int64_t span = (out_width - 1) * columns.stride + reach;  // what a row's windows meet, padding included
  const int64_t below = (rows.kernel - 1) * rows.dilation;        // from a window's first row to its last
  const bool joined = reach <= columns.stride;
  const int64_t pitch = joined ? out_width * columns.stride : span;
  const int64_t inside = min_of(width, span - columns.padding), together = max_of<int64_t>(1, kColumnsAtOnce / pitch);
  const int64_t room = together * pitch + 2 * kLanes<T>;  // load_apart() reads beyond what it is asked for
  const bool streams = streams_to(out, c.in, 1);
  const int64_t staged = streams ? together * out_width : 0;
  const Slots<T> slots(c.ctx, (room + staged) * (Placed ? 2 : 1));
  const int64_t grain = ceil_div(kGrain, max_of<int64_t>(1, pitch * rows.stride));
  parallel_for(c.ctx, total, grain, [&](int64_t begin, int64_t end) {
    const auto slot = slots.take();
    T* const values = slot.data;
    T* const places = Placed ? values + room : values;  // never touched without
    T* const near_out = values + room * (Placed ? 2 : 1);
    int32_t* const near_indices = reinterpret_cast<int32_t*>(near_out + staged);
    // Padding never wins: nothing is below it, and its place is behind all others.
    for (int64_t r = 0; r < together * pitch; ++r) {
      const int64_t column = r % pitch - columns.padding;
      if (column >= 0 && column < inside) continue;
      values[r] = m::Limits<T>::low;
      if constexpr (Placed) {
        const typename Maxima<T, Placed>::Place last = INT32_MAX;
        __builtin_memcpy(places + r, &last, sizeof last);
      }
    }
    int64_t plane = begin / out_height, i = begin % out_height;
    const T* from = plane_of<const T>(x, plane);
    for (int64_t row = begin; row < end; row += together) {
      const int64_t n = min_of(together, end - row);
      for (int64_t r = 0, at = columns.padding; r < n; ++r, at += pitch) {
        const int64_t first = first_inside(rows, i), last = min_of(i * rows.stride - rows.padding + below, height - 1);
        const int64_t met = (rows.dilation == 1 ? last - first : (last - first) / rows.dilation) + 1;
        any_columns<T, Placed>(from + first * width, first * width, met, rows.dilation * width, inside, values + at,
                               places + at);
        if (++i < out_height) continue;
        i = 0;
        from = plane_of<const T>(x, ++plane);
      }
      T* const to = out.as<T>() + row * out_width;
      int32_t* const where = c.out[Placed].as<int32_t>() + row * out_width;  // the values, never touched, without
      T* const best = streams ? near_out : to;
      int32_t* const found = streams ? near_indices : where;
      if (joined)
        any_windows<T, Placed>(columns, values, places, n * out_width, best, found);
      else
        for (int64_t r = 0; r < n; ++r)
          any_windows<T, Placed>(columns, values + r * pitch, places + r * pitch, out_width, best + r * out_width,
                                 found + r * out_width);
      if (!streams) continue;
      stream_bytes(to, best, n * out_width * static_cast<int64_t>(sizeof(T)));
      if constexpr (Placed) stream_bytes(where, found, n * out_width * static_cast<int64_t>(sizeof(int32_t)));
    }
    if (streams) store_fence();
    slots.give_back(slot);
  });
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
