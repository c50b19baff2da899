// Pooling over windows of the last two axes of [N, C, H, W]: the largest value with its place, the mean of a regular or
// an adaptive window, and what each of them sends back. Split by planes (one image, one channel). Each output reads its
// window: kernel area FLOPs; the planes stay in the first-level cache, so memory traffic is one read of x and one write
// of out.
#include "cpu/dtypes.h"
#include "cpu/families.h"
#include "cpu/parallel.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

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

// out, indices (int32, place in the plane) from x. The first of equal values wins; NaN wins over all.
template <class T>
void max_pool(const Call& c) {
  const View &x = c.in[0], &out = c.out[0], &indices = c.out[1];
  const Regular rows(c.attrs, 0), columns(c.attrs, 1);
  const int64_t height = x.shape[2], width = x.shape[3], sh = x.strides[2], sw = x.strides[3];
  const int64_t out_height = out.shape[2], out_width = out.shape[3];
  parallel_for(c.ctx, plane_count(out), plane_grain(height * width), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const T* from = plane_of<const T>(x, p);
      T* to = out.as<T>() + p * out_height * out_width;
      int32_t* place = indices.as<int32_t>() + p * out_height * out_width;
      for (int64_t i = 0; i < out_height; ++i) {
        for (int64_t j = 0; j < out_width; ++j) {
          int64_t h0 = i * rows.stride - rows.padding, w0 = j * columns.stride - columns.padding;
          const int64_t h1 = min_of(h0 + (rows.kernel - 1) * rows.dilation + 1, height);
          const int64_t w1 = min_of(w0 + (columns.kernel - 1) * columns.dilation + 1, width);
          while (h0 < 0) h0 += rows.dilation;
          while (w0 < 0) w0 += columns.dilation;
          int64_t best_at = h0 * width + w0;
          T best = from[h0 * sh + w0 * sw];
          for (int64_t h = h0; h < h1; h += rows.dilation) {
            for (int64_t w = w0; w < w1; w += columns.dilation) {
              const T value = from[h * sh + w * sw];
              if (value > best || (value != value && best == best)) {
                best = value;
                best_at = h * width + w;
              }
            }
          }
          *to++ = best;
          *place++ = static_cast<int32_t>(best_at);
        }
      }
    }
  });
}

// gx from g and the places of the maxima: each g lands where its maximum came from.
template <class T>
void max_pool_back(const Call& c) {
  const View &g = c.in[0], &indices = c.in[1], &gx = c.out[0];
  const int64_t size = gx.shape[2] * gx.shape[3];
  parallel_for(c.ctx, plane_count(gx), plane_grain(size), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      T* to = gx.as<T>() + p * size;
      for (int64_t i = 0; i < size; ++i) to[i] = 0;
      const T* from = plane_of<const T>(g, p);
      const int32_t* place = plane_of<const int32_t>(indices, p);
      for (int64_t i = 0; i < g.shape[2]; ++i) {
        for (int64_t j = 0; j < g.shape[3]; ++j) {
          const int32_t at = place[i * indices.strides[2] + j * indices.strides[3]];
          if (at < 0 || at >= size) {
            c.ctx->fail(c.ctx, "index %d is out of range [0, %lld)", at, static_cast<long long>(size));
            return;
          }
          to[at] += from[i * g.strides[2] + j * g.strides[3]];
        }
      }
    }
  });
}

/** What a mean divides by: the given divisor, or the places its window counts. */
template <class T>
ATHANOR_ALWAYS_INLINE T mean_scale(double divisor, const Span& rows, const Span& columns) {
  return T(1) / static_cast<T>(divisor != 0 ? divisor : static_cast<double>(rows.counted * columns.counted));
}

// attrs: Regular's, then the divisor (0: the window's size); an adaptive mean has the output size alone.
template <class T, class Windows>
void mean_pool(const Call& c, double divisor) {
  const View &x = c.in[0], &out = c.out[0];
  const Windows rows(c.attrs, 0), columns(c.attrs, 1);
  const int64_t height = x.shape[2], width = x.shape[3], out_height = out.shape[2], out_width = out.shape[3];
  parallel_for(c.ctx, plane_count(out), plane_grain(height * width), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const T* from = plane_of<const T>(x, p);
      T* to = out.as<T>() + p * out_height * out_width;
      for (int64_t i = 0; i < out_height; ++i) {
        const Span row = rows.span(i, height, out_height);
        for (int64_t j = 0; j < out_width; ++j) {
          const Span column = columns.span(j, width, out_width);
          T total = 0;
          for (int64_t h = row.begin; h < row.end; ++h)
            for (int64_t w = column.begin; w < column.end; ++w) total += from[h * x.strides[2] + w * x.strides[3]];
          *to++ = total * mean_scale<T>(divisor, row, column);
        }
      }
    }
  });
}

template <class T, class Windows>
void mean_pool_back(const Call& c, double divisor) {
  const View &g = c.in[0], &gx = c.out[0];
  const Windows rows(c.attrs, 0), columns(c.attrs, 1);
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
          const T share = from[i * g.strides[2] + j * g.strides[3]] * mean_scale<T>(divisor, row, column);
          for (int64_t h = row.begin; h < row.end; ++h)
            for (int64_t w = column.begin; w < column.end; ++w) to[h * width + w] += share;
        }
      }
    }
  });
}

ATHANOR_FLOAT_KERNEL(max_planes, max_pool<T>(c))
ATHANOR_FLOAT_KERNEL(max_back_planes, max_pool_back<T>(c))
ATHANOR_FLOAT_KERNEL(mean_planes, (mean_pool<T, Regular>(c, c.attrs[9])))
ATHANOR_FLOAT_KERNEL(mean_back_planes, (mean_pool_back<T, Regular>(c, c.attrs[9])))
ATHANOR_FLOAT_KERNEL(adaptive_planes, (mean_pool<T, Adaptive>(c, 0)))
ATHANOR_FLOAT_KERNEL(adaptive_back_planes, (mean_pool_back<T, Adaptive>(c, 0)))

const Kernel kernels_max[] = {{"planes", nullptr, max_planes}};
const Kernel kernels_max_back[] = {{"planes", nullptr, max_back_planes}};
const Kernel kernels_mean[] = {{"planes", nullptr, mean_planes}};
const Kernel kernels_mean_back[] = {{"planes", nullptr, mean_back_planes}};
const Kernel kernels_adaptive[] = {{"planes", nullptr, adaptive_planes}};
const Kernel kernels_adaptive_back[] = {{"planes", nullptr, adaptive_back_planes}};

}  // namespace

const OpKernels pool[] = {ATHANOR_OP(maxPool2d, kernels_max),
                          ATHANOR_OP(maxPool2dGrad, kernels_max_back),
                          ATHANOR_OP(avgPool2d, kernels_mean),
                          ATHANOR_OP(avgPool2dGrad, kernels_mean_back),
                          ATHANOR_OP(adaptiveAvgPool2d, kernels_adaptive),
                          ATHANOR_OP(adaptiveAvgPool2dGrad, kernels_adaptive_back),
                          {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
