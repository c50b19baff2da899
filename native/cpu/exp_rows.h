// exp over rows of neighbours in memory, with their maxima and sums: what softmax, its logarithm and the cross entropy
// are made of. A row is read for its maximum and again, from the first cache, for exp and its sum. Rows too short to
// fill a few vectors are laid end to end first, so that exp is computed in whole vectors across their borders.
#pragma once
#include "cpu/fold.h"
#include "cpu/simd.h"

namespace athanor {
namespace ATHANOR_ISA {

/** Elements of a row that are taken at a time; shorter rows are laid end to end. */
template <class T>
constexpr int64_t kExpBlock = 4 * kLanes<T>;

/** Room for rows laid end to end: they stay in the first cache. */
template <class T>
constexpr int64_t kExpTile = 32 * kLanes<T>;

/** Vector v in its first n lanes, `other` in the rest. */
template <class T>
ATHANOR_ALWAYS_INLINE Vec<T> first_lanes_or(const Vec<T>& v, int n, T other) {
  decltype(v < v) lane;
  for (int i = 0; i < kLanes<T>; ++i) lane[i] = i;
  const decltype(v < v) count = decltype(v < v){} + n;
  return lane < count ? v : splat<T>(other);
}

template <class T>
ATHANOR_ALWAYS_INLINE Vec<T> load_lanes_of(const T* p, int lanes) {
  return lanes == kLanes<T> ? load(p) : load_n(p, lanes);
}
template <class T>
ATHANOR_ALWAYS_INLINE void store_lanes_of(T* p, const Vec<T>& v, int lanes) {
  lanes == kLanes<T> ? store(p, v) : store_n(p, v, lanes);
}

/** The largest of n numbers; any of them, or any number, where one is nan. */
template <class T>
static inline T row_maximum(int64_t n, const T* x) {
  constexpr int64_t L = kLanes<T>;
  const auto larger = [](const Vec<T>& a, const Vec<T>& b) { return a > b ? a : b; };
  Vec<T> a = splat<T>(m::Limits<T>::low), b = a, c = a, d = a;
  int64_t i = 0;
  for (; i + 4 * L <= n; i += 4 * L) {
    a = larger(load(x + i), a), b = larger(load(x + i + L), b);
    c = larger(load(x + i + 2 * L), c), d = larger(load(x + i + 3 * L), d);
  }
  for (; i + L <= n; i += L) a = larger(load(x + i), a);
  if (i < n) {
    const int rest = static_cast<int>(n - i);
    b = larger(first_lanes_or<T>(load_n(x + i, rest), rest, m::Limits<T>::low), b);
  }
  a = larger(larger(a, b), larger(c, d));
  T max = a[0];
  for (int l = 1; l < kLanes<T>; ++l) max = a[l] > max ? a[l] : max;
  return max;
}

/** Adds the lanes of a vector to lanes of float64. */
template <class T>
ATHANOR_ALWAYS_INLINE void add_wide(Vec<double>& sum, const Vec<T>& v) {
  typename LanesFor<T, double>::type parts[kLanes<T> / kLanes<double>];
  __builtin_memcpy(parts, &v, sizeof v);
  for (const auto& part : parts) sum += convert_lanes<double, T>(part);
}

/** The sum of n elements. */
template <class T>
static inline double row_sum(int64_t n, const T* x) {
  constexpr int64_t L = kLanes<T>;
  Vec<double> sum{};
  int64_t i = 0;
  for (; i + 4 * L <= n; i += 4 * L)
    add_wide<T>(sum, (load(x + i) + load(x + i + L)) + (load(x + i + 2 * L) + load(x + i + 3 * L)));
  row_vectors<T>(n - i, [&](int64_t j, int lanes) { add_wide<T>(sum, load_lanes_of(x + i + j, lanes)); });
  return sum_lanes<double>(sum);
}

/** out[i] = exp(x[i] - shift), and their sum; out may be null. For rows of at least a block. */
template <class T>
ATHANOR_ALWAYS_INLINE double exp_row(int64_t n, T* out, const T* x, T shift) {
  constexpr int64_t L = kLanes<T>, kBlock = kExpBlock<T>;
  Vec<double> sum{};
  T block[kBlock];
  const auto add = [&](const T* e) { add_wide<T>(sum, (load(e) + load(e + L)) + (load(e + 2 * L) + load(e + 3 * L))); };
  int64_t i = 0;
  for (; i + kBlock <= n; i += kBlock) {
    T* e = out == nullptr ? block : out + i;
#pragma omp simd
    for (int64_t j = 0; j < kBlock; ++j) e[j] = m::exp(x[i + j] - shift);
    add(e);
  }
  if (i == n) return sum_lanes<double>(sum);
  // What is left fills a block behind elements that were taken already, and that count nothing here.
  const int64_t from = n - kBlock;
#pragma omp simd
  for (int64_t j = 0; j < kBlock; ++j) block[j] = m::exp(x[from + j] - shift);
  if (out != nullptr)
    for (int64_t j = i - from; j < kBlock; ++j) out[from + j] = block[j];
  for (int64_t j = 0; j < i - from; ++j) block[j] = 0;
  add(block);
  return sum_lanes<double>(sum);
}

/**
 * exp of rows shorter than a block: fill(row, to) writes what exp is taken of, use(row, exps) gets the results, in
 * turns over as many rows as fit a tile.
 */
template <class T, class Fill, class Use>
ATHANOR_ALWAYS_INLINE void exp_short_rows(int64_t rows, int64_t n, const Fill& fill, const Use& use) {
  T tile[kExpTile<T> + kLanes<T>];
  const int64_t together = kExpTile<T> / n;
  for (int64_t first = 0; first < rows; first += together) {
    const int64_t k = min_of(together, rows - first), whole = ceil_div(k * n, int64_t{kLanes<T>}) * kLanes<T>;
    for (int64_t i = k * n; i < whole; ++i) tile[i] = 0;
    for (int64_t r = 0; r < k; ++r) fill(first + r, tile + r * n);
#pragma omp simd
    for (int64_t i = 0; i < whole; ++i) tile[i] = m::exp(tile[i]);
    for (int64_t r = 0; r < k; ++r) use(first + r, static_cast<const T*>(tile + r * n));
  }
}

/** The maximum of each row and the sum of exp(x - maximum); the exps go to out, unless that is null. */
template <class T>
static __attribute__((noinline)) void exp_rows(int64_t rows, int64_t n, T* out, int64_t out_apart, const T* x,
                                               int64_t apart, T* max, double* sum) {
  for (int64_t r = 0; r < rows; ++r) max[r] = row_maximum(n, x + r * apart);
  if (n >= kExpBlock<T>) {
    for (int64_t r = 0; r < rows; ++r)
      sum[r] = exp_row(n, out == nullptr ? nullptr : out + r * out_apart, x + r * apart, max[r]);
    return;
  }
  exp_short_rows<T>(
      rows, n,
      [&](int64_t r, T* to) {
        const Vec<T> shift = splat<T>(max[r]);
        row_vectors<T>(n, [&](int64_t i, int lanes) {
          store_lanes_of(to + i, load_lanes_of(x + r * apart + i, lanes) - shift, lanes);
        });
      },
      [&](int64_t r, const T* exps) {
        sum[r] = row_sum(n, exps);
        if (out == nullptr) return;
        row_vectors<T>(n, [&](int64_t i, int lanes) {
          store_lanes_of(out + r * out_apart + i, load_lanes_of(exps + i, lanes), lanes);
        });
      });
}

/** How many rows of n elements are taken together, so that they are in the first cache from one loop to the next. */
template <class T>
ATHANOR_ALWAYS_INLINE int64_t rows_together(int64_t n) {
  return max_of<int64_t>(1, kExpTile<T> / max_of<int64_t>(1, n));
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
