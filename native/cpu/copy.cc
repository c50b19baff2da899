// copy: any layout into any layout, casting on the way; fill: one value everywhere; place: a tensor laid into a filled
// one. Each element is read and written once, no FLOP: bound by bandwidth. Split into flat pieces.
#include "cpu/bfloat16.h"
#include "cpu/elementwise.h"
#include "cpu/families.h"
#include "cpu/stored.h"
#include "cpu/tiles.h"
#include "math/cast.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

template <class To>
struct CastTo {
  template <class From>
  ATHANOR_ALWAYS_INLINE To apply(From x) {
    return m::Cast<To, From>::of(x);
  }
};

void copy_cast(const Call& c) {
  const bool known = with_stored(c.in[0].dtype, [&](auto from) {
    using From = typename decltype(from)::type;
    const bool out_known = with_stored(c.out[0].dtype, [&](auto to) {
      using To = typename decltype(to)::type;
      run_unary<CastTo<To>, From, To>(c);
    });
    if (!out_known) refuse_dtype(c, c.out[0].dtype);
  });
  if (!known) refuse_dtype(c, c.in[0].dtype);
}

bool same_contiguous(const Call& c) {
  if (c.in[0].dtype != c.out[0].dtype || c.in[0].ndim != c.out[0].ndim) return false;
  for (int d = 0; d < c.in[0].ndim; ++d)
    if (c.in[0].shape[d] != c.out[0].shape[d]) return false;
  return is_contiguous(c.in[0]) && is_contiguous(c.out[0]);
}

void copy_bytes(const Call& c) {
  const int64_t bytes = numel(c.out[0]) * static_cast<int64_t>(item_size(c.out[0].dtype));
  char* to = c.out[0].as<char>();
  const char* from = c.in[0].as<const char>();
  const bool streams = streams_to(c.out[0], c.in, 1);
  parallel_for(c.ctx, bytes, kGrain * 4, [&](int64_t begin, int64_t end) {
    if (streams) {
      stream_bytes(to + begin, from + begin, end - begin);
      store_fence();
    } else {
      __builtin_memmove(to + begin, from + begin, static_cast<size_t>(end - begin));
    }
  });
}

bool crosses(const Call& c) {
  return c.in[0].dtype == c.out[0].dtype && crossing(make_walk<2>({&c.out[0], &c.in[0]})) >= 0;
}

void copy_across(const Call& c) { copy_crossing(c.ctx, c.out[0], c.in[0], streams_to(c.out[0], c.in, 1)); }

// attrs: value
void fill_flat(const Call& c) {
  const bool known = with_stored(c.out[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T value = m::Cast<T, double>::of(c.attrs[0]);
    const Walk<1> w = make_walk<1>({&c.out[0]});
    T* out = static_cast<T*>(w.data[0]);
    const int64_t step = w.strides[0][w.ndim - 1];
    const bool streams = streams_to(c.out[0], nullptr, 0);
    for_streamed_rows(c.ctx, w, kGrain, streams, [&](int64_t n, const int64_t* at) {
      T* to = out + at[0];
      if (step == 1) {
        write_elements(n, to, streams, [&](int64_t) __attribute__((always_inline)) { return value; });
      } else {
        for (int64_t i = 0; i < n; ++i) to[i * step] = value;
      }
    });
  });
  if (!known) refuse_dtype(c, c.out[0].dtype);
}

// attrs: value, then for each dimension of x the start and the step of its place in out
void place_strided(const Call& c) {
  fill_flat(c);
  if (numel(c.in[0]) == 0) return;
  View window = c.in[0];
  char* first = c.out[0].as<char>();
  for (int d = 0; d < window.ndim; ++d) {
    const int64_t start = static_cast<int64_t>(c.attrs[1 + 2 * d]), step = static_cast<int64_t>(c.attrs[2 + 2 * d]);
    first += start * c.out[0].strides[d] * static_cast<int64_t>(item_size(window.dtype));
    window.strides[d] = step * c.out[0].strides[d];
  }
  window.data = first;
  Call inner = c;
  inner.out = &window;
  copy_cast(inner);
}

/** Whether each row of the result is the value alone, or a dense row of x between values. */
bool lays_rows(const Call& c) {
  const View &x = c.in[0], &out = c.out[0];
  if (x.dtype != out.dtype || x.ndim == 0 || numel(x) == 0 || !is_contiguous(out)) return false;
  for (int d = 0; d < x.ndim; ++d)
    if (c.attrs[2 + 2 * d] != 1) return false;
  return x.strides[x.ndim - 1] == 1 || x.shape[x.ndim - 1] == 1;
}

/** Rows [begin, end) of what place() makes, given `next(n)`: where to write the n elements of the next row. */
template <class W, class Next>
ATHANOR_ALWAYS_INLINE void lay_rows(const Call& c, W value, int64_t begin, int64_t end, const Next& next) {
  const View &x = c.in[0], &out = c.out[0];
  const int last = out.ndim - 1;
  const auto start = [&](int d) { return static_cast<int64_t>(c.attrs[1 + 2 * d]); };
  int64_t index[kMaxDims], rest = begin;
  for (int d = last - 1; d >= 0; --d) {
    index[d] = rest % out.shape[d];
    rest /= out.shape[d];
  }
  const int64_t width = out.shape[last], left = start(last), inner = x.shape[last];
  for (int64_t row = begin; row < end; ++row) {
    bool inside = true;
    const W* from = x.as<const W>();
    for (int d = 0; d < last; ++d) {
      const int64_t i = index[d] - start(d);
      inside = inside && i >= 0 && i < x.shape[d];
      from += i * x.strides[d];
    }
    W* const to = next(width);
    if (inside) {
      for (int64_t i = 0; i < left; ++i) to[i] = value;
      __builtin_memcpy(to + left, from, static_cast<size_t>(inner) * sizeof(W));
      for (int64_t i = left + inner; i < width; ++i) to[i] = value;
    } else {
      for (int64_t i = 0; i < width; ++i) to[i] = value;
    }
    for (int d = last - 1; d >= 0 && ++index[d] == out.shape[d]; --d) index[d] = 0;
  }
}

template <class W>
void place_words(const Call& c, W value) {
  const View& out = c.out[0];
  const int64_t width = out.shape[out.ndim - 1];
  constexpr int64_t kRoom = 16384 / static_cast<int64_t>(sizeof(W));  // a part of the first cache
  // Rows that end within a cache line are put together before they are streamed.
  const bool streams = streams_to(out, c.in, 1) && width <= kRoom;
  const int64_t rows = numel(out) / width;
  parallel_for(c.ctx, rows, ceil_div(kGrain, width), [&](int64_t begin, int64_t end) {
    W* to = out.as<W>() + begin * width;
    if (!streams)
      return lay_rows(c, value, begin, end, [&](int64_t n) {
        to += n;
        return to - n;
      });
    alignas(64) W room[kRoom];
    for (const int64_t most = kRoom / width; begin < end; begin += most) {
      W* at = room;
      lay_rows(c, value, begin, min_of(begin + most, end), [&](int64_t n) {
        at += n;
        return at - n;
      });
      stream_bytes(to, room, (at - room) * static_cast<int64_t>(sizeof(W)));
      to += at - room;
    }
    store_fence();
  });
}

void place_rows(const Call& c) {
  uint64_t bits = 0;
  with_stored(c.out[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T value = m::Cast<T, double>::of(c.attrs[0]);
    __builtin_memcpy(&bits, &value, sizeof value);
  });
  with_word(c.out[0].dtype, [&](auto tag) {
    using W = typename decltype(tag)::type;
    place_words<W>(c, static_cast<W>(bits));
  });
}

const Kernel kernels_fill[] = {{"flat", nullptr, fill_flat}};
const Kernel kernels_place[] = {{"rows", lays_rows, place_rows}, {"strided", nullptr, place_strided}};
const Kernel kernels_copy[] = {
    {"bytes", same_contiguous, copy_bytes}, {"tiles", crosses, copy_across}, {"cast", nullptr, copy_cast}};

}  // namespace

void copy_view(Context* ctx, const View& out, const View& x) {
  if (copy_crossing(ctx, out, x, false)) return;
  const Walk<2> w = make_walk<2>({&out, &x});
  with_word(out.dtype, [&](auto tag) {
    using W = typename decltype(tag)::type;
    W* to = static_cast<W*>(w.data[0]);
    const W* from = static_cast<const W*>(w.data[1]);
    const int64_t so = w.strides[0][w.ndim - 1], sx = w.strides[1][w.ndim - 1];
    for_rows(ctx, w, kGrain, [&](int64_t n, const int64_t* at) { move_row(n, to + at[0], so, from + at[1], sx); });
  });
}

View dense_view(const Call& c, const View& v) {
  if (is_contiguous(v)) return v;
  const View dense = dense_like(v, c.ctx->scratch(c.ctx, static_cast<size_t>(numel(v)) * item_size(v.dtype)));
  copy_view(c.ctx, dense, v);
  return dense;
}

void lay_along(Context* ctx, const View& out, View* operand) {
  constexpr int64_t kLarge =
      65536;  // elements: below, both sides stay in a second-level cache while lines are gathered
  const int64_t n = numel(*operand);
  if (n < kLarge || n != numel(out)) return;
  const Walk<2> w = make_walk<2>({&out, operand});
  if (crossing(w) < 0) return;
  View copy = out;
  copy.dtype = operand->dtype;
  int64_t step = 1;
  for (int d = copy.ndim - 1; d >= 0; --d) {
    copy.strides[d] = step;
    step *= copy.shape[d];
  }
  copy.data = ctx->scratch(ctx, static_cast<size_t>(n) * item_size(copy.dtype));
  if (copy_crossing(ctx, copy, *operand, false)) *operand = copy;
}

View widened(const Call& c, const View& v) {
  View once = v, wide;  // repeated dimensions are converted once
  for (int d = 0; d < v.ndim; ++d)
    if (v.strides[d] == 0) once.shape[d] = 1;
  wide = once;
  wide.dtype = DType::f32;
  // Dense, with the steps of both sides in the same order: a transposed view stays one.
  bool placed[kMaxDims] = {};
  int64_t step = 1;
  for (int n = 0; n < v.ndim; ++n) {
    int next = -1;
    for (int d = v.ndim - 1; d >= 0; --d) {
      const auto size = [&](int i) { return once.shape[i] == 1 ? 0 : v.strides[i] < 0 ? -v.strides[i] : v.strides[i]; };
      if (!placed[d] && (next < 0 || size(d) < size(next))) next = d;
    }
    placed[next] = true;
    wide.strides[next] = step;
    step *= once.shape[next];
  }
  wide.data = c.ctx->scratch(c.ctx, static_cast<size_t>(numel(once)) * sizeof(float));
  Call inner = c;
  inner.in = &once, inner.out = &wide;
  if (numel(once) > 0) copy_cast(inner);
  for (int d = 0; d < v.ndim; ++d) {
    if (v.strides[d] == 0) wide.strides[d] = 0;
    wide.shape[d] = v.shape[d];
  }
  return wide;
}

const OpKernels copy[] = {ATHANOR_OP(copy, kernels_copy),
                          ATHANOR_OP(fill, kernels_fill),
                          ATHANOR_OP(place, kernels_place),
                          {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
