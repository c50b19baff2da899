// The loops of batch normalisation: over planes of channels, [N, C, plane], and over rows of channels, [N, C], whose
// columns are taken a few vectors at a time.
#pragma once
#include "cpu/norm.h"

namespace athanor {
namespace ATHANOR_ISA {

/** [N, C, ...] as [items, channels, plane]. */
struct Planes {
  int64_t items, channels, plane = 1;

  explicit Planes(const View& v) : items(v.shape[0]), channels(v.shape[1]) {
    for (int d = 2; d < v.ndim; ++d) plane *= v.shape[d];
  }
};

/** Channels [first, last), items [item, item_end) and places [from, to) of their planes. */
struct PlanePart {
  int64_t first, last, item, item_end, from, to;

  /** row(channel, place in memory, elements) for each row of neighbours, in the order of memory. */
  template <class F>
  __attribute__((always_inline)) void rows(const Planes& s, const F& row) const {
    for (int64_t n = item; n < item_end; ++n)
      for (int64_t k = first; k < last; ++k) row(k, (n * s.channels + k) * s.plane + from, to - from);
  }
  /** The same from the last item to the first: what a pass over them left in the caches comes first. */
  template <class F>
  __attribute__((always_inline)) void rows_back(const Planes& s, const F& row) const {
    for (int64_t n = item_end - 1; n >= item; --n)
      for (int64_t k = first; k < last; ++k) row(k, (n * s.channels + k) * s.plane + from, to - from);
  }
};

/** The totals of a channel's shares, `step` apart, in their order. */
template <class T>
ATHANOR_ALWAYS_INLINE Sums total_of(const LaneSums<T>* sums, int64_t step, int64_t shares) {
  Sums total = {0, 0};
  for (int64_t i = 0; i < shares; ++i) total = total + sums[i * step].total();
  return total;
}

constexpr int64_t kColumnVectors = 4;  // vectors of columns in registers at a time
constexpr int64_t kHeldRows = 64;      // rows that lanes add up before they are emptied into float64

/** block(first, columns) for blocks of columns, on several threads. */
template <class T, class F>
ATHANOR_ALWAYS_INLINE void column_blocks(Context* ctx, const Planes& s, const F& block) {
  constexpr int64_t kWidth = kColumnVectors * kLanes<T>;
  const int64_t grain = ceil_div(kGrain, max_of<int64_t>(1, s.items * kWidth));
  parallel_for(ctx, ceil_div(s.channels, kWidth), grain, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) block(b * kWidth, min_of(kWidth, s.channels - b * kWidth));
  });
}

/** f(vector number, lanes in use) for the vectors of a block of columns. */
template <class T, class F>
ATHANOR_ALWAYS_INLINE void column_vectors(int64_t columns, const F& f) {
  for (int v = 0; v < kColumnVectors; ++v) {
    const int64_t n = columns - v * kLanes<T>;
    if (n > 0) f(v, static_cast<int>(min_of<int64_t>(n, kLanes<T>)));
  }
}

/** Both sums of each of at most four vectors of columns: term(row, vector, lanes, u, v) gives what is added. */
template <class T, class F>
ATHANOR_ALWAYS_INLINE void sum_columns(int64_t rows, int64_t columns, Sums* totals, const F& term) {
  for (int64_t i = 0; i < columns; ++i) totals[i] = {0, 0};
  column_vectors<T>(columns, [&](int v, int lanes) {
    for (int64_t begin = 0; begin < rows; begin += kHeldRows) {
      Vec<T> a{}, b{}, p, q;
      for (int64_t r = begin; r < min_of(rows, begin + kHeldRows); ++r) term(r, v, lanes, p, q), a += p, b += q;
      for (int i = 0; i < lanes; ++i) totals[v * kLanes<T> + i].first += a[i], totals[v * kLanes<T> + i].second += b[i];
    }
  });
}

/** Rows [begin, end) and columns [first, first + columns) normalised. */
template <class T>
ATHANOR_ALWAYS_INLINE void affine_columns(const Planes& s, int64_t begin, int64_t end, int64_t first, int64_t columns,
                                          T* out, const T* x, const Affine<T>* affine) {
  for (int64_t at = first; at < first + columns; at += kLanes<T>) {
    const int lanes = static_cast<int>(min_of<int64_t>(first + columns - at, kLanes<T>));
    Vec<T> mean{}, scale{}, shift{}, floor{};
    for (int i = 0; i < lanes; ++i) {
      const Affine<T>& a = affine[at + i];
      mean[i] = a.mean, scale[i] = a.scale, shift[i] = a.shift, floor[i] = a.floor;
    }
    for (int64_t r = begin; r < end; ++r) {
      const int64_t place = r * s.channels + at;
      const Vec<T> y = (load_n(x + place, lanes) - mean) * scale + shift;
      store_n(out + place, y < floor ? floor : y, lanes);
    }
  }
}

template <class T, class Find, class Know>
ATHANOR_ALWAYS_INLINE void forward_columns(Context* ctx, const Planes& s, T* out, const T* x, const T* origin,
                                           const Find& find_origin, const Know& know, const Affine<T>* affine) {
  column_blocks<T>(ctx, s, [&](int64_t first, int64_t columns) {
    Sums totals[kColumnVectors * kLanes<T>];
    for (int64_t k = first; k < first + columns; ++k) find_origin(k);
    sum_columns<T>(s.items, columns, totals, [&](int64_t r, int v, int lanes, Vec<T>& p, Vec<T>& q) {
      const int64_t at = first + v * kLanes<T>;
      p = load_n(x + r * s.channels + at, lanes) - load_n(origin + at, lanes);
      q = p * p;
    });
    for (int64_t i = 0; i < columns; ++i) know(first + i, totals[i]);
    affine_columns<T>(s, 0, s.items, first, columns, out, x, affine);
  });
}

template <class T, class Know>
ATHANOR_ALWAYS_INLINE void backward_columns(Context* ctx, const Planes& s, T* gx, const T* g, const T* x,
                                            const Know& know, const Affine<T>* affine, const BackAffine<T>* back) {
  column_blocks<T>(ctx, s, [&](int64_t first, int64_t columns) {
    constexpr int64_t kWidth = kColumnVectors * kLanes<T>;
    Sums totals[kWidth];
    T mean[kWidth] = {}, scale[kWidth] = {}, shift[kWidth] = {}, floor[kWidth] = {};
    for (int64_t i = 0; i < columns; ++i) {
      const Affine<T>& a = affine[first + i];
      mean[i] = a.mean, scale[i] = a.scale, shift[i] = a.shift, floor[i] = a.floor;
    }
    const auto upstream = [&](int64_t r, int v, int lanes, Vec<T>& up, Vec<T>& centred) {
      const int64_t at = r * s.channels + first + v * kLanes<T>, c = v * kLanes<T>;
      centred = load_n(x + at, lanes) - load(mean + c);
      up = load_n(g + at, lanes);
      up = centred * load(scale + c) + load(shift + c) <= load(floor + c) ? Vec<T>{} : up;
    };
    sum_columns<T>(s.items, columns, totals, [&](int64_t r, int v, int lanes, Vec<T>& p, Vec<T>& q) {
      upstream(r, v, lanes, p, q);
      q *= p;
    });
    for (int64_t i = 0; i < columns; ++i) know(first + i, totals[i]);
    column_vectors<T>(columns, [&](int v, int lanes) {
      Vec<T> k{}, slope{}, level{}, up, centred;
      for (int i = 0; i < lanes; ++i) {
        const BackAffine<T>& b = back[first + v * kLanes<T> + i];
        k[i] = b.scale, slope[i] = b.slope, level[i] = b.level;
      }
      for (int64_t r = 0; r < s.items; ++r) {
        upstream(r, v, lanes, up, centred);
        store_n(gx + r * s.channels + first + v * kLanes<T>, up * k - (centred * slope + level), lanes);
      }
    });
  });
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
