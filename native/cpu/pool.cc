// Pooling over windows of the last two axes of [N, C, H, W]: the mean of a regular or an adaptive window, and what each
// pooling sends back; maxima are in pool_maximum.h. Split by planes (one image, one channel). A row of outputs is
// computed together, one place of the window after another: kernel area FLOPs an output; the planes stay in the
// first-level cache, so memory traffic is one read of x and one write of out.
#include "cpu/dense.h"
#include "cpu/families.h"
#include "cpu/fold.h"
#include "cpu/index.h"
#include "cpu/pool_maximum.h"
#include "cpu/pool_windows.h"
#include "cpu/slots.h"
#include "cpu/streaming.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

/** Whether all of n places lie in a plane; if not, reports the first that does not. */
bool places_fit(const Call& c, const int32_t* place, int64_t n, int64_t size) {
  const int64_t at = first_out_of_range(place, 0, n, size);
  if (at < n) c.ctx->fail(c.ctx, "index %d is out of range [0, %lld)", place[at], static_cast<long long>(size));
  return at == n;
}

// gx from g and the places of the maxima: each g lands where its maximum came from. A plane that is to be streamed is
// put together in a near cache first.
template <class T>
void max_pool_back(const Call& c) {
  const View g = dense_planes<T>(c.ctx, c.in[0]), indices = dense_planes<int32_t>(c.ctx, c.in[1]), &gx = c.out[0];
  const int64_t size = gx.shape[2] * gx.shape[3], outputs = g.shape[2] * g.shape[3];
  const size_t bytes = static_cast<size_t>(size) * sizeof(T);
  constexpr size_t kNear = 256 * 1024;  // half of a second-level cache, where these are smallest
  const bool streams = streams_to(gx, c.in, 2) && bytes <= kNear;
  const Slots<T> slots(c.ctx, streams ? size : 0);
  parallel_for(c.ctx, plane_count(gx), plane_grain(size), [&](int64_t begin, int64_t end) {
    const auto slot = slots.take();
    for (int64_t p = begin; p < end; ++p) {
      T* const out = gx.as<T>() + p * size;
      T* const to = streams ? slot.data : out;
      const T* const from = plane_of<const T>(g, p);
      const int32_t* const place = plane_of<const int32_t>(indices, p);
      if (!places_fit(c, place, outputs, size)) break;
      __builtin_memset(to, 0, bytes);
#pragma GCC unroll 4
      for (int64_t i = 0; i < outputs; ++i) to[place[i]] += from[i];
      if (streams) stream_bytes(out, to, static_cast<int64_t>(bytes));
    }
    if (streams) store_fence();
    slots.give_back(slot);
  });
}

/** How many places the columns of each window count. */
template <class T, class Windows>
T* counted_columns(Context* ctx, const Windows& columns, int64_t width, int64_t out_width) {
  T* const counted = scratch_array<T>(ctx, out_width);
  for (int64_t j = 0; j < out_width; ++j) counted[j] = static_cast<T>(columns.span(j, width, out_width).counted);
  return counted;
}

/** n numbers times what their windows' means divide by. */
template <class T>
ATHANOR_ALWAYS_INLINE void scale_row(T* to, const T* from, int64_t step, int64_t n, double divisor, const Span& row,
                                     const T* counted) {
  const T fixed = static_cast<T>(divisor), rows = static_cast<T>(row.counted);
  for (int64_t j = 0; j < n; ++j) to[j] = from[j * step] * (T(1) / (divisor != 0 ? fixed : rows * counted[j]));
}

// attrs: Regular's, then the divisor (0: the window's size). Rows of outputs are computed together.
template <class T>
void mean_pool(const Call& c) {
  const View &x = c.in[0], &out = c.out[0];
  const Regular rows(c.attrs, 0), columns(c.attrs, 1);
  const int64_t height = x.shape[2], width = x.shape[3], sh = x.strides[2], sw = x.strides[3];
  const int64_t out_height = out.shape[2], out_width = out.shape[3];
  const Reach* const reaches = find_reaches(c.ctx, columns, width, out_width);
  const T* const counted = counted_columns<T>(c.ctx, columns, width, out_width);
  const bool by_rows = rows.kernel * columns.kernel > 64;  // one sum of thousands would lose digits
  parallel_for(c.ctx, plane_count(out), plane_grain(height * width), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const T* from = plane_of<const T>(x, p);
      for (int64_t i = 0; i < out_height; ++i) {
        T* total = out.as<T>() + (p * out_height + i) * out_width;
        for (int64_t j = 0; j < out_width; j += kLanes<T>) {
          const int n = static_cast<int>(min_of<int64_t>(kLanes<T>, out_width - j));
          Vec<T> sum = {}, row = {};
          int64_t at = -1;
          window_vectors(rows, columns, reaches, i, j, n, from, height, sh, sw, T(0),
                         [&](const Vec<T>& value, int64_t h, int64_t) {
                           if (by_rows && h != at) {
                             sum += row;
                             row = Vec<T>{};
                             at = h;
                           }
                           row += value;
                         });
          store_n(total + j, sum + row, n);
        }
        scale_row(total, total, 1, out_width, c.attrs[9], rows.span(i, height, out_height), counted);
      }
    }
  });
}

// Sends rows of outputs back together, one place of the window after another.
template <class T>
void mean_pool_back(const Call& c) {
  const View &g = c.in[0], &gx = c.out[0];
  const Regular rows(c.attrs, 0), columns(c.attrs, 1);
  const int64_t height = gx.shape[2], width = gx.shape[3], out_width = g.shape[3];
  const Reach* const reaches = find_reaches(c.ctx, columns, width, out_width);
  const T* const counted = counted_columns<T>(c.ctx, columns, width, out_width);
  const int64_t planes = plane_count(gx), chunks = chunk_count(c.ctx, planes, plane_grain(height * width));
  const int64_t room = ceil_div(out_width, 16) * 16;  // no cache line is two threads'
  T* const shares = scratch_array<T>(c.ctx, chunks * room);
  parallel_each(c.ctx, chunks, [&](int64_t chunk) {
    T* const share = shares + chunk * room;
    for (int64_t p = planes * chunk / chunks; p < planes * (chunk + 1) / chunks; ++p) {
      const T* from = plane_of<const T>(g, p);
      T* to = gx.as<T>() + p * height * width;
      for (int64_t i = 0; i < height * width; ++i) to[i] = 0;
      for (int64_t i = 0; i < g.shape[2]; ++i) {
        scale_row(share, from + i * g.strides[2], g.strides[3], out_width, c.attrs[9], rows.span(i, height, g.shape[2]),
                  counted);
        window_places(rows, columns, reaches, i, height, [&](int64_t h, const Reach& reach) {
          T* const row = to + h * width + reach.at;
          const int64_t step = columns.stride, n = reach.end - reach.begin;
          for (int64_t j = 0; j < n; ++j) row[j * step] += share[reach.begin + j];
        });
      }
    }
  });
}

/** Means of whole planes that lie one after another without gaps: rows of a fold. */
template <class T>
void plane_means(const Call& c, int64_t size) {
  using Sum = Fold<F_sum, T>;
  const T* const x = c.in[0].as<const T>();
  T* const out = c.out[0].as<T>();
  parallel_for(c.ctx, plane_count(c.out[0]), plane_grain(size), [&](int64_t begin, int64_t end) {
    constexpr int64_t kTogether = 256;
    double totals[kTogether];
    for (int64_t p = begin; p < end; p += kTogether) {
      const int64_t n = min_of(kTogether, end - p);
      Sum::short_rows(x + p * size, size, n, size, totals);
      for (int64_t i = 0; i < n; ++i) out[p + i] = static_cast<T>(totals[i] / static_cast<double>(size));
    }
  });
}

// Windows of an adaptive mean differ in size, and may be whole planes: each is summed by rows.
template <class T>
void adaptive_pool(const Call& c) {
  const View &x = c.in[0], &out = c.out[0];
  const int64_t size = x.shape[2] * x.shape[3];
  if (out.shape[2] * out.shape[3] == 1 && is_contiguous(x) && size <= Fold<F_sum, T>::kShortRow)
    return plane_means<T>(c, size);
  const Adaptive rows(c.attrs, 0), columns(c.attrs, 1);
  const int64_t height = x.shape[2], width = x.shape[3], out_height = out.shape[2], out_width = out.shape[3];
  parallel_for(c.ctx, plane_count(out), plane_grain(height * width), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const T* from = plane_of<const T>(x, p);
      T* to = out.as<T>() + p * out_height * out_width;
      for (int64_t i = 0; i < out_height; ++i) {
        const Span row = rows.span(i, height, out_height);
        for (int64_t j = 0; j < out_width; ++j) {
          const Span column = columns.span(j, width, out_width);
          double total = 0;
          if (column.end - column.begin == width && x.strides[2] == width * x.strides[3])  // rows are one run
            total = Fold<F_sum, T>::row(from + row.begin * x.strides[2], (row.end - row.begin) * width, x.strides[3]);
          else
            for (int64_t h = row.begin; h < row.end; ++h)
              total += Fold<F_sum, T>::row(from + h * x.strides[2] + column.begin * x.strides[3],
                                           column.end - column.begin, x.strides[3]);
          *to++ = static_cast<T>(total / static_cast<double>(row.counted * column.counted));
        }
      }
    }
  });
}

template <class T>
void adaptive_pool_back(const Call& c) {
  const View &g = c.in[0], &gx = c.out[0];
  const Adaptive rows(c.attrs, 0), columns(c.attrs, 1);
  const int64_t height = gx.shape[2], width = gx.shape[3];
  parallel_for(c.ctx, plane_count(gx), plane_grain(height * width), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const T* from = plane_of<const T>(g, p);
      T* to = gx.as<T>() + p * height * width;
      for (int64_t i = 0; i < height * width; ++i) to[i] = 0;
      for (int64_t i = 0; i < g.shape[2]; ++i) {
        const Span row = rows.span(i, height, g.shape[2]);
        for (int64_t j = 0; j < g.shape[3]; ++j) {
          const Span column = columns.span(j, width, g.shape[3]);
          const T share =
              from[i * g.strides[2] + j * g.strides[3]] * (T(1) / static_cast<T>(row.counted * column.counted));
          if (column.end - column.begin == width) {  // rows are one run
            for (int64_t k = row.begin * width; k < row.end * width; ++k) to[k] += share;
            continue;
          }
          for (int64_t h = row.begin; h < row.end; ++h)
            for (int64_t w = column.begin; w < column.end; ++w) to[h * width + w] += share;
        }
      }
    }
  });
}

constexpr bool kPlaced = true;
ATHANOR_FLOAT_KERNEL(max_rows, (max_windows<T, kPlaced>(c)))
ATHANOR_FLOAT_KERNEL(max_values_rows, (max_windows<T, !kPlaced>(c)))
ATHANOR_FLOAT_KERNEL(max_back_planes, max_pool_back<T>(c))
ATHANOR_FLOAT_KERNEL(mean_planes, mean_pool<T>(c))
ATHANOR_FLOAT_KERNEL(mean_back_planes, mean_pool_back<T>(c))
ATHANOR_FLOAT_KERNEL(adaptive_planes, adaptive_pool<T>(c))
ATHANOR_FLOAT_KERNEL(adaptive_back_planes, adaptive_pool_back<T>(c))

const Kernel kernels_max[] = {{"rows", nullptr, max_rows}};
const Kernel kernels_max_values[] = {{"rows", nullptr, max_values_rows}};
const Kernel kernels_max_back[] = {{"planes", nullptr, max_back_planes}};
const Kernel kernels_mean[] = {{"planes", nullptr, mean_planes}};
const Kernel kernels_mean_back[] = {{"planes", nullptr, mean_back_planes}};
const Kernel kernels_adaptive[] = {{"planes", nullptr, adaptive_planes}};
const Kernel kernels_adaptive_back[] = {{"planes", nullptr, adaptive_back_planes}};

}  // namespace

const OpKernels pool[] = {ATHANOR_OP(maxPool2d, kernels_max),
                          ATHANOR_OP(maxPool2dValues, kernels_max_values),
                          ATHANOR_OP(maxPool2dGrad, kernels_max_back),
                          ATHANOR_OP(avgPool2d, kernels_mean),
                          ATHANOR_OP(avgPool2dGrad, kernels_mean_back),
                          ATHANOR_OP(adaptiveAvgPool2d, kernels_adaptive),
                          ATHANOR_OP(adaptiveAvgPool2dGrad, kernels_adaptive_back),
                          {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
