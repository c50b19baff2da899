// Where the windows of a pooling lie, what they meet along a row of outputs, and vectors of that.
#pragma once
#include "cpu/part.h"
#include "cpu/simd.h"
#include "cpu/slots.h"

namespace athanor {
namespace ATHANOR_ISA {

/** Where the window of output i begins and ends along one axis, and how many places it counts in a mean. */
struct Span {
  int64_t begin, end, counted;
};

/** attrs from `at`: kernel, stride, padding, dilation, whether padding counts; each pair as rows, columns. */
struct Regular {
  int64_t kernel, stride, padding, dilation;
  bool counts_padding;
  Regular(const double* attrs, int axis)
      : kernel(static_cast<int64_t>(attrs[axis])),
        stride(static_cast<int64_t>(attrs[2 + axis])),
        padding(static_cast<int64_t>(attrs[4 + axis])),
        dilation(static_cast<int64_t>(attrs[6 + axis])),
        counts_padding(attrs[8] != 0) {}
  Span span(int64_t i, int64_t size, int64_t) const {
    const int64_t first = i * stride - padding;
    const int64_t past =
        min_of(first + kernel, size + padding);  // a last window of ceilMode may reach past the padding
    const int64_t begin = max_of<int64_t>(first, 0), end = min_of(past, size);
    return {begin, end, counts_padding ? past - first : end - begin};
  }
};

/** The window of an output of fixed size: floor(i size / out) to ceil((i + 1) size / out). */
struct Adaptive {
  Adaptive(const double*, int) {}
  Span span(int64_t i, int64_t size, int64_t out) const {
    const int64_t begin = i * size / out, end = ceil_div((i + 1) * size, out);
    return {begin, end, end - begin};
  }
};

/** Element (n, c, 0, 0) of a view, for plane number n * C + c. */
template <class T>
ATHANOR_ALWAYS_INLINE T* plane_of(const View& v, int64_t plane) {
  return v.as<T>() + plane / v.shape[1] * v.strides[0] + plane % v.shape[1] * v.strides[1];
}

ATHANOR_ALWAYS_INLINE int64_t plane_count(const View& v) { return v.shape[0] * v.shape[1]; }

/** Planes that one thread should have at least, for planes of this many elements. */
ATHANOR_ALWAYS_INLINE int64_t plane_grain(int64_t elements) { return ceil_div(kGrain, max_of<int64_t>(elements, 1)); }

/** The outputs [begin, end) of a row whose windows have one of their columns inside the input, and where that lies. */
struct Reach {
  int64_t begin, end, at;
};

/** The reach of each column of a window. */
static inline Reach* find_reaches(Context* ctx, const Regular& columns, int64_t width, int64_t out_width) {
  Reach* const reaches = scratch_array<Reach>(ctx, columns.kernel);
  for (int64_t k = 0; k < columns.kernel; ++k) {
    const int64_t first = k * columns.dilation - columns.padding;  // where output 0 has it
    reaches[k].begin = first < 0 ? min_of(ceil_div(-first, columns.stride), out_width) : 0;
    reaches[k].end = first >= width ? 0 : min_of((width - 1 - first) / columns.stride + 1, out_width);
    reaches[k].at = first + reaches[k].begin * columns.stride;
  }
  return reaches;
}

/** The first place of the window of output i that is no padding. */
static inline int64_t first_inside(const Regular& axis, int64_t i) {
  const int64_t first = i * axis.stride - axis.padding;
  return first < 0 ? first + ceil_div(-first, axis.dilation) * axis.dilation : first;
}

/** body(input row, reach): what every window of output row i meets, in row-major order of the window. */
template <class F>
ATHANOR_ALWAYS_INLINE void window_places(const Regular& rows, const Regular& columns, const Reach* reaches, int64_t i,
                                         int64_t height, const F& body) {
  for (int64_t r = 0; r < rows.kernel; ++r) {
    const int64_t h = i * rows.stride - rows.padding + r * rows.dilation;
    if (h < 0 || h >= height) continue;
    for (int64_t k = 0; k < columns.kernel; ++k)
      if (reaches[k].begin < reaches[k].end) body(h, reaches[k]);
  }
}

/** Out of line: unrolled where it is used seldom, it takes the registers of what is used often. */
template <class T>
__attribute__((noinline)) void gather_numbers(T* to, const T* from, int64_t step, int n) {
  for (int i = 0; i < n; ++i) to[i] = from[i * step];
}

/** The first n elements, 1 <= n <= lanes, of those that lie `step` apart. */
template <class T>
ATHANOR_ALWAYS_INLINE Vec<T> load_stepped(const T* from, int64_t step, int n) {
  constexpr int lanes = kLanes<T>;
  if (step == 1) return n == lanes ? load(from) : load_n(from, n);
#if defined(__GNUC__) && !defined(__clang__)
  if (step == 2) {
    // The second vector ends with the last element, so that nothing behind it is read.
    const int last = 2 * n - 1;
    const Vec<T> first = last < lanes ? load_n(from, last) : load(from);
    const Vec<T> second = last < lanes ? first : load(from + last - lanes);
    typedef decltype(first < second) Index;
    Index even, upper;
#pragma GCC unroll 16
    for (int i = 0; i < lanes; ++i) {
      even[i] = 2 * i;
      upper[i] = 2 * i < lanes ? 0 : -1;
    }
    return __builtin_shuffle(first, second, even + (upper & (Index{} + (2 * lanes - last))));
  }
#endif
  alignas(kVectorBytes) T numbers[lanes] = {};
  gather_numbers(numbers, from, step, n);
  return load(numbers);
}

/** Lane `low` and those behind it from the first lanes of v, up to lane `high`; `otherwise` in the rest. */
template <class T>
ATHANOR_ALWAYS_INLINE Vec<T> moved_up(const Vec<T>& v, int low, int high, T otherwise) {
  Vec<T> out = splat(otherwise);
#if defined(__GNUC__) && !defined(__clang__)
  typedef decltype(v < v) Index;
  Index lane;
#pragma GCC unroll 16
  for (int i = 0; i < kLanes<T>; ++i) lane[i] = i;
  return __builtin_shuffle(v, out, (lane >= low) & (lane < high) ? lane - low : lane + kLanes<T>);
#else
  for (int i = low; i < high; ++i) out[i] = v[i - low];
  return out;
#endif
}

/**
 * body(values, row of x, column of the window) for a vector of outputs of row i, the first being j: what each window
 * meets at one of its places, `otherwise` where that is padding. Row-major in the window.
 */
template <class T, class F>
ATHANOR_ALWAYS_INLINE void window_vectors(const Regular& rows, const Regular& columns, const Reach* reaches, int64_t i,
                                          int64_t j, int n, const T* plane, int64_t height, int64_t sh, int64_t sw,
                                          T otherwise, const F& body) {
  const int64_t step = columns.stride * sw, first = j * columns.stride - columns.padding;
  for (int64_t r = 0; r < rows.kernel; ++r) {
    const int64_t h = i * rows.stride - rows.padding + r * rows.dilation;
    if (h < 0 || h >= height) continue;
    const T* from = plane + h * sh + first * sw;
    int64_t column = first;
    for (int64_t k = 0; k < columns.kernel; ++k, from += columns.dilation * sw, column += columns.dilation) {
      const int low = static_cast<int>(max_of<int64_t>(reaches[k].begin - j, 0));
      const int high = static_cast<int>(min_of<int64_t>(reaches[k].end - j, n));
      if (low >= high) continue;
      Vec<T> v = load_stepped(from + low * step, step, high - low);
      if (low > 0 || high < n) v = moved_up(v, low, high, otherwise);
      body(v, h, column);
    }
  }
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
