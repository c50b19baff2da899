// Pooling over windows of the last two axes of [N, C, H, W]: the largest value with its place, the mean of a regular or
// an adaptive window, and what each of them sends back. A thread an output; of a mean's gradient a thread an input,
// which gathers from the windows that it is in; of a maximum's gradient a warp a plane, whose lanes share out its
// places, so that equal places are summed in one order. Window area FLOPs an output: bound by memory, as windows
// overlap in the caches.
#include "cpu/dtypes.h"
#include "cuda/each.h"
#include "cuda/families.h"
#include "cuda/fast_divide.h"
#include "cuda/report.h"

namespace athanor {
namespace cuda {
namespace {

/** Planes [N, C, H, W] of any layout. */
template <class T>
struct Planes {
  T* data;
  int64_t n, c, h, w;  // steps
  uint32_t channels, height, width;
  explicit Planes(const View& v)
      : data(v.as<T>()),
        n(v.strides[0]),
        c(v.strides[1]),
        h(v.strides[2]),
        w(v.strides[3]),
        channels(static_cast<uint32_t>(v.shape[1])),
        height(static_cast<uint32_t>(v.shape[2])),
        width(static_cast<uint32_t>(v.shape[3])) {}
  ATHANOR_INLINE_MEMBER T* plane(uint32_t number) const { return data + number / channels * n + number % channels * c; }
};

/** From the number of an element to its plane, row and column. */
struct PlanePlace {
  FastDivide height, width;
  explicit PlanePlace(const View& v)
      : height(static_cast<uint32_t>(v.shape[2])), width(static_cast<uint32_t>(v.shape[3])) {}
  ATHANOR_INLINE_MEMBER void split(uint32_t i, uint32_t* plane, int64_t* row, int64_t* column) const {
    const uint32_t above = width.quotient(i);
    *column = i - above * width.divisor;
    *plane = height.quotient(above);
    *row = above - *plane * height.divisor;
  }
};

/** Where the window of output i begins and ends along one axis, and how many places it counts in a mean. */
struct Span {
  int64_t begin, end, counted;
};

/** attrs from `axis`: kernel, stride, padding, dilation, whether padding counts; each pair as rows, columns. */
struct Regular {
  int64_t kernel, stride, padding, dilation;
  bool counts_padding;
  Regular(const double* attrs, int axis)
      : kernel(static_cast<int64_t>(attrs[axis])),
        stride(static_cast<int64_t>(attrs[2 + axis])),
        padding(static_cast<int64_t>(attrs[4 + axis])),
        dilation(static_cast<int64_t>(attrs[6 + axis])),
        counts_padding(attrs[8] != 0) {}
  ATHANOR_INLINE_MEMBER Span span(int64_t i, int64_t size, int64_t) const {
    const int64_t first = i * stride - padding;
    // A last window of ceilMode may reach past the padding.
    const int64_t past = first + kernel < size + padding ? first + kernel : size + padding;
    const int64_t begin = first > 0 ? first : 0, end = past < size ? past : size;
    return {begin, end, counts_padding ? past - first : end - begin};
  }
  /** The first output whose window may hold place h. */
  ATHANOR_INLINE_MEMBER int64_t first_with(int64_t h, int64_t, int64_t) const {
    const int64_t reach = h + padding - kernel + 1;
    return reach <= 0 ? 0 : (reach + stride - 1) / stride;
  }
};

/** The window of an output of fixed size: floor(i size / out) to ceil((i + 1) size / out). */
struct Adaptive {
  Adaptive(const double*, int) {}
  ATHANOR_INLINE_MEMBER Span span(int64_t i, int64_t size, int64_t out) const {
    const int64_t begin = i * size / out, end = ((i + 1) * size + out - 1) / out;
    return {begin, end, end - begin};
  }
  ATHANOR_INLINE_MEMBER int64_t first_with(int64_t h, int64_t size, int64_t out) const {
    const int64_t i = h * out / size;
    return i > 0 ? i - 1 : 0;
  }
};

// ---- the largest: the first of equal values wins, and the first nan over all

/** Without `Placed` there are no indices. */
template <class T, bool Placed>
struct MaxPool {
  PlanePlace place;
  Planes<const T> x;
  Planes<T> out;
  Planes<int32_t> indices;
  Regular rows, columns;

  __device__ void operator()(uint32_t i) const {
    uint32_t plane;
    int64_t row, column;
    place.split(i, &plane, &row, &column);
    const T* from = x.plane(plane);
    bool found = false;
    T best = T(0);
    int32_t where = 0;
    for (int64_t r = 0; r < rows.kernel; ++r) {
      const int64_t h = row * rows.stride - rows.padding + r * rows.dilation;
      if (h < 0 || h >= x.height) continue;
      for (int64_t s = 0; s < columns.kernel; ++s) {
        const int64_t w = column * columns.stride - columns.padding + s * columns.dilation;
        if (w < 0 || w >= x.width) continue;
        const T value = from[h * x.h + w * x.w];
        if (found && !(value > best || (value != value && best == best))) continue;
        found = true;
        best = value;
        where = static_cast<int32_t>(h * x.width + w);
      }
    }
    out.plane(plane)[row * out.h + column * out.w] = best;
    if constexpr (Placed) indices.plane(plane)[row * indices.h + column * indices.w] = where;
  }
};

template <bool Placed>
void run_max_pool(const Call& c) {
  const View &x = c.in[0], &out = c.out[0], &indices = c.out[Placed];  // without: never looked at
  if (numel(out) == 0) return;
  const bool known = with_floats(x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for_each_number(c, numel(out),
                    MaxPool<T, Placed>{PlanePlace(out), Planes<const T>(x), Planes<T>(out), Planes<int32_t>(indices),
                                       Regular(c.attrs, 0), Regular(c.attrs, 1)});
  });
  if (!known) refuse_dtype(c, x.dtype);
}

constexpr uint32_t kShares = 32;  // threads of a plane: its places, shared out by their remainders

/** A thread walks a plane's maxima in their order and adds those whose places are its own: nobody else writes there. */
template <class T>
struct MaxPoolGrad {
  Planes<const T> g;
  Planes<const int32_t> indices;
  Planes<T> gx;
  FastDivide width;
  Complaints complaints;

  __device__ __forceinline__ int64_t offset(uint32_t at) const {
    const uint32_t h = width.quotient(at);
    return h * gx.h + (at - h * width.divisor) * gx.w;
  }
  __device__ void operator()(uint32_t i) const {
    const uint32_t plane = i / kShares, own = i % kShares, size = gx.height * gx.width;
    T* to = gx.plane(plane);
    for (uint32_t at = own; at < size; at += kShares) to[offset(at)] = T(0);
    const T* from = g.plane(plane);
    const int32_t* where = indices.plane(plane);
    for (uint32_t h = 0; h < g.height; ++h)
      for (uint32_t w = 0; w < g.width; ++w) {
        const int32_t place = where[h * indices.h + w * indices.w];
        const uint32_t at = static_cast<uint32_t>(place);
        if (at % kShares != own) continue;
        if (at < size)
          to[offset(at)] += from[h * g.h + w * g.w];
        else
          complaints.add(complaint_index, place, size);
      }
  }
};

void run_max_pool_grad(const Call& c) {
  const View &g = c.in[0], &indices = c.in[1], &out = c.out[0];
  if (numel(out) == 0) return;
  const bool known = with_floats(g.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for_each_number(c, out.shape[0] * out.shape[1] * kShares,
                    MaxPoolGrad<T>{Planes<const T>(g), Planes<const int32_t>(indices), Planes<T>(out),
                                   FastDivide(static_cast<uint32_t>(out.shape[3])), complaints_of(c)});
  });
  if (!known) refuse_dtype(c, g.dtype);
}

// ---- means

/** What a window is divided by: the given number, or how many places it counts. */
ATHANOR_ALWAYS_INLINE double divisor_of(double given, const Span& rows, const Span& columns) {
  return given != 0 ? given : static_cast<double>(rows.counted) * static_cast<double>(columns.counted);
}

template <class T, class Window>
struct MeanPool {
  PlanePlace place;
  Planes<const T> x;
  Planes<T> out;
  Window rows, columns;
  double divisor;

  __device__ void operator()(uint32_t i) const {
    uint32_t plane;
    int64_t row, column;
    place.split(i, &plane, &row, &column);
    const Span r = rows.span(row, x.height, out.height), s = columns.span(column, x.width, out.width);
    const T* from = x.plane(plane);
    double sum = 0;
    for (int64_t h = r.begin; h < r.end; ++h)
      for (int64_t w = s.begin; w < s.end; ++w) sum += static_cast<double>(from[h * x.h + w * x.w]);
    out.plane(plane)[row * out.h + column * out.w] = static_cast<T>(sum / divisor_of(divisor, r, s));
  }
};

template <class T, class Window>
struct MeanPoolGrad {
  PlanePlace place;
  Planes<const T> g;
  Planes<T> gx;
  Window rows, columns;
  double divisor;

  __device__ void operator()(uint32_t i) const {
    uint32_t plane;
    int64_t h, w;
    place.split(i, &plane, &h, &w);
    const T* from = g.plane(plane);
    double sum = 0;
    for (int64_t row = rows.first_with(h, gx.height, g.height); row < g.height; ++row) {
      const Span r = rows.span(row, gx.height, g.height);
      if (r.begin > h) break;
      if (r.end <= h) continue;
      for (int64_t column = columns.first_with(w, gx.width, g.width); column < g.width; ++column) {
        const Span s = columns.span(column, gx.width, g.width);
        if (s.begin > w) break;
        if (s.end > w) sum += static_cast<double>(from[row * g.h + column * g.w]) / divisor_of(divisor, r, s);
      }
    }
    gx.plane(plane)[h * gx.h + w * gx.w] = static_cast<T>(sum);
  }
};

template <template <class, class> class Body, class Window>
void run_mean(const Call& c) {
  const View &x = c.in[0], &out = c.out[0];
  if (numel(out) == 0) return;
  const double divisor = c.n_attrs > 9 ? c.attrs[9] : 0;
  const bool known = with_floats(x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for_each_number(c, numel(out),
                    Body<T, Window>{PlanePlace(out), Planes<const T>(x), Planes<T>(out), Window(c.attrs, 0),
                                    Window(c.attrs, 1), divisor});
  });
  if (!known) refuse_dtype(c, x.dtype);
}

const Kernel kernels_maxPool2d[] = {{"outputs", nullptr, run_max_pool<true>}};
const Kernel kernels_maxPool2dValues[] = {{"outputs", nullptr, run_max_pool<false>}};
const Kernel kernels_maxPool2dGrad[] = {{"planes", nullptr, run_max_pool_grad}};
const Kernel kernels_avgPool2d[] = {{"outputs", nullptr, run_mean<MeanPool, Regular>}};
const Kernel kernels_avgPool2dGrad[] = {{"inputs", nullptr, run_mean<MeanPoolGrad, Regular>}};
const Kernel kernels_adaptiveAvgPool2d[] = {{"outputs", nullptr, run_mean<MeanPool, Adaptive>}};
const Kernel kernels_adaptiveAvgPool2dGrad[] = {{"inputs", nullptr, run_mean<MeanPoolGrad, Adaptive>}};

}  // namespace

const OpKernels pool[] = {ATHANOR_OP(maxPool2d, kernels_maxPool2d),
                          ATHANOR_OP(maxPool2dValues, kernels_maxPool2dValues),
                          ATHANOR_OP(maxPool2dGrad, kernels_maxPool2dGrad),
                          ATHANOR_OP(avgPool2d, kernels_avgPool2d),
                          ATHANOR_OP(avgPool2dGrad, kernels_avgPool2dGrad),
                          ATHANOR_OP(adaptiveAvgPool2d, kernels_adaptiveAvgPool2d),
                          ATHANOR_OP(adaptiveAvgPool2dGrad, kernels_adaptiveAvgPool2dGrad),
                          {nullptr, nullptr, 0}};

}  // namespace cuda
}  // namespace athanor
