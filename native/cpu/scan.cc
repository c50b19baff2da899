// cumsum: running sums along one axis. attrs: the axis, whether it runs from the end to the front.
// Sums are kept in float64 (integers: 32 bits, wrapping around) and rounded as they are stored. 2 * item size bytes and
// 1 FLOP per element, along dense rows an addition and a shuffle more for each doubling of the lanes: bound by those
// there, by bandwidth along columns. Split over lines; a few long lines are cut into pieces, which are first added up,
// so that each piece knows what comes before it.
#include "cpu/dtypes.h"
#include "cpu/families.h"
#include "cpu/fold.h"
#include "cpu/lines.h"
#include "cpu/simd.h"
#include "cpu/slots.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

#if defined(__GNUC__) && !defined(__clang__)
/** The running sums of a vector's lanes. */
template <class A>
ATHANOR_ALWAYS_INLINE Vec<A> lane_sums(Vec<A> v) {
  typedef decltype(Vec<A>{} < Vec<A>{}) Index;
#pragma GCC unroll 4
  for (int by = 1; by < kLanes<A>; by *= 2) {
    Index before;
#pragma GCC unroll 16
    for (int i = 0; i < kLanes<A>; ++i) before[i] = i < by ? kLanes<A> + i : i - by;
    v += __builtin_shuffle(v, Vec<A>{}, before);
  }
  return v;
}
#endif

/**
 * Running sums of `Together` dense lines, from element `from` of n on: as many as whole vectors hold. Lanes are summed
 * in three or four steps that wait for nobody; only what came before is handed on from vector to vector. Returns the
 * first element that is left, and what each line has come to in `total`.
 */
template <class T, int Together>
ATHANOR_ALWAYS_INLINE int64_t scan_vectors([[maybe_unused]] int64_t n, [[maybe_unused]] T* out,
                                           [[maybe_unused]] int64_t out_apart, [[maybe_unused]] const T* x,
                                           [[maybe_unused]] int64_t apart, [[maybe_unused]] m::Sum<T>* total) {
  int64_t i = 0;
#if defined(__GNUC__) && !defined(__clang__)
  using A = m::Sum<T>;
  constexpr int lanes = kLanes<A>;
  Vec<A> before[Together];
  for (int k = 0; k < Together; ++k) before[k] = splat(total[k]);
  for (; i + lanes <= n; i += lanes) {
#pragma GCC unroll 4
    for (int k = 0; k < Together; ++k) {
      const T* const from = x + i + k * apart;
      prefetch_bytes<lanes* static_cast<int64_t>(sizeof(T))>(from);
      const Vec<A> sums = lane_sums<A>(load_lanes<A>(from));
      const typename LanesFor<T, A>::type rounded = narrow_lanes<T, A>(sums + before[k]);
      __builtin_memcpy(out + i + k * out_apart, &rounded, sizeof rounded);
      before[k] += splat<A>(sums[lanes - 1]);
    }
  }
  for (int k = 0; k < Together; ++k) total[k] = before[k][0];
#endif
  return i;
}

/** Running sums of `Together` lines, `apart` elements from each to the next, that begin with what is in `sums`. */
template <class T, int Together>
void scan_rows(int64_t n, T* out, int64_t out_step, int64_t out_apart, const T* x, int64_t step, int64_t apart,
               const m::Sum<T>* sums) {
  m::Sum<T> total[Together];
  for (int k = 0; k < Together; ++k) total[k] = sums[k];
  int64_t i = step == 1 && out_step == 1 ? scan_vectors<T, Together>(n, out, out_apart, x, apart, total) : 0;
  for (; i < n; ++i) {
#pragma GCC unroll 4
    for (int k = 0; k < Together; ++k) {
      total[k] += static_cast<m::Sum<T>>(x[i * step + k * apart]);
      out[i * out_step + k * out_apart] = static_cast<T>(total[k]);
    }
  }
}

/** The same of at most kLinesTogether lines that lie one element apart. */
template <class T>
void scan_columns(int64_t lines, int64_t n, T* out, int64_t out_step, const T* x, int64_t step) {
  m::Sum<T> total[kLinesTogether];
  for (int64_t c = 0; c < lines; ++c) total[c] = 0;
  for (int64_t i = 0; i < n; ++i, out += out_step, x += step) {
#pragma omp simd
    for (int64_t c = 0; c < lines; ++c) {
      total[c] += static_cast<m::Sum<T>>(x[c]);
      out[c] = static_cast<T>(total[c]);
    }
  }
}

/** One line in pieces. */
template <class T>
void scan_long(Context* ctx, int64_t n, T* out, int64_t out_step, const T* x, int64_t step) {
  using A = m::Sum<T>;
  const int64_t pieces = chunk_count(ctx, n, kGrain);
  A* const before = scratch_array<A>(ctx, pieces + 1);
  parallel_each(ctx, pieces, [&](int64_t p) {
    const int64_t begin = n * p / pieces;
    before[p + 1] = Fold<F_sum, T>::row(x + begin * step, n * (p + 1) / pieces - begin, step);
  });
  before[0] = 0;
  for (int64_t p = 1; p < pieces; ++p) before[p] += before[p - 1];
  parallel_each(ctx, pieces, [&](int64_t p) {
    const int64_t begin = n * p / pieces, end = n * (p + 1) / pieces;
    scan_rows<T, 1>(end - begin, out + begin * out_step, out_step, 0, x + begin * step, step, 0, before + p);
  });
}

template <class T>
void scan_lines(const Call& c) {
  if (numel(c.out[0]) == 0) return;
  Lines<2> l = make_lines<2>({&c.out[0], &c.in[0]}, static_cast<int>(c.attrs[0]));
  T* out = static_cast<T*>(l.walk.data[0]);
  const T* x = static_cast<const T*>(l.walk.data[1]);
  if (c.attrs[1] != 0) {
    out += (l.length - 1) * l.step[0];
    x += (l.length - 1) * l.step[1];
    for (int64_t& step : l.step) step = -step;
  }
  const int64_t lines = l.walk.elements();
  if (lines < c.ctx->threads && l.length >= 4 * kGrain) {
    rows_between(l.walk, 0, lines, [&](int64_t n, const int64_t* at) {
      for (int64_t k = 0; k < n; ++k)
        scan_long(c.ctx, l.length, out + at[0] + k * l.walk.strides[0][l.walk.ndim - 1], l.step[0],
                  x + at[1] + k * l.walk.strides[1][l.walk.ndim - 1], l.step[1]);
    });
    return;
  }
  const int64_t out_apart = l.walk.strides[0][l.walk.ndim - 1], apart = l.walk.strides[1][l.walk.ndim - 1];
  for_rows(c.ctx, l.walk, max_of<int64_t>(1, kGrain / l.length), [&](int64_t n, const int64_t* at) {
    T* to = out + at[0];
    const T* from = x + at[1];
    if (out_apart == 1 && apart == 1 && n > 1) {
      for (int64_t k = 0; k < n; k += kLinesTogether)
        scan_columns(min_of(kLinesTogether, n - k), l.length, to + k, l.step[0], from + k, l.step[1]);
      return;
    }
    constexpr int kTogether = 4;  // an addition takes four cycles
    const m::Sum<T> zeros[kTogether] = {};
    int64_t k = 0;
    for (; k + kTogether <= n; k += kTogether)
      scan_rows<T, kTogether>(l.length, to + k * out_apart, l.step[0], out_apart, from + k * apart, l.step[1], apart,
                              zeros);
    for (; k < n; ++k)
      scan_rows<T, 1>(l.length, to + k * out_apart, l.step[0], 0, from + k * apart, l.step[1], 0, zeros);
  });
}

void cumsum_lines(const Call& c) {
  const DType t = c.in[0].dtype;
  if (t == DType::i32) return scan_lines<int32_t>(c);
  if (!with_floats(t, [&](auto tag) { scan_lines<typename decltype(tag)::type>(c); })) refuse_dtype(c, t);
}

const Kernel kernels_cumsum[] = {{"lines", nullptr, cumsum_lines}};

}  // namespace

const OpKernels scan[] = {ATHANOR_OP(cumsum, kernels_cumsum), {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
