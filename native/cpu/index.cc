// Reading by index along one axis.
//   gather       out[o, k, i] = x[o, index[o, k, i], i]: one index an element
//   indexSelect  out[o, k, i] = x[o, index[k], i]: whole rows of `inner` elements; embeddings and batches of data
//   oneHot       out[k, c] = index[k] == c
// o stands for the axes before, i for those after. Work is split over output elements (gather) or rows. Bound by
// memory: 2 * item size bytes per element and 4 per index, no FLOP; random access makes a short row cost a cache line.
#include "cpu/index.h"

#include "cpu/families.h"
#include "cpu/streaming.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

void gather_elements(const Call& c) {
  const View &out = c.out[0], &x = c.in[0], &index = c.in[1];
  const int axis = static_cast<int>(c.attrs[0]);
  const int64_t step = x.strides[axis], count = numel(index);
  const int32_t* dense = dense_indices(c, index);
  if (!indices_fit(c, index, dense, count, x.shape[axis]) || count == 0) return;

  View base = out, indices = out;  // x at index 0 of the axis, and the indices, both in out's shape
  base.data = x.data;
  indices.data = const_cast<int32_t*>(dense);
  int64_t dense_step = 1;
  for (int d = out.ndim - 1; d >= 0; --d) {
    base.strides[d] = d == axis ? 0 : x.strides[d];
    indices.strides[d] = dense_step;
    dense_step *= out.shape[d];
  }
  const Walk<3> w = make_walk<3>({&out, &base, &indices});
  const int last = w.ndim - 1;
  const int64_t so = w.strides[0][last], sx = w.strides[1][last], si = w.strides[2][last];
  with_word(out.dtype, [&](auto tag) {
    using W = typename decltype(tag)::type;
    for_rows(c.ctx, w, kGrain, [&](int64_t n, const int64_t* at) {
      W* to = static_cast<W*>(w.data[0]) + at[0];
      const W* from = static_cast<const W*>(w.data[1]) + at[1];
      const int32_t* of = dense + at[2];
      if (so == 1 && si == 1 && sx == 0 && step == 1) {
        for (int64_t i = 0; i < n; ++i) to[i] = from[of[i]];
      } else {
        for (int64_t i = 0; i < n; ++i) to[i * so] = from[i * sx + of[i * si] * step];
      }
    });
  });
}

/** Copies the block of x that `inner` walks, from `from` on, to dense memory. */
template <class W>
ATHANOR_ALWAYS_INLINE void move_block(const Walk<1>& inner, int64_t elements, W* to, const W* from) {
  const int64_t sx = inner.strides[0][inner.ndim - 1];
  if (inner.ndim == 1 && sx == 1) {  // not memcpy(): its call costs rows of a kilobyte a tenth
#pragma omp simd
    for (int64_t i = 0; i < elements; ++i) to[i] = from[i];
    return;
  }
  if (inner.ndim == 1) return move_row<W>(elements, to, 1, from, sx);
  rows_between(inner, 0, elements, [&](int64_t n, const int64_t* at) {
    move_row<W>(n, to, 1, from + at[0], sx);
    to += n;
  });
}

constexpr int64_t kRowsAhead = 4, kMostAhead = 1024;  // rows; bytes of each, where the processor begins to foresee them

ATHANOR_ALWAYS_INLINE void prefetch_row(const void* row, int64_t bytes) {
  for (int64_t b = 0; b < bytes; b += 64) __builtin_prefetch(static_cast<const char*>(row) + b);
}

void index_select_rows(const Call& c) {
  const View &out = c.out[0], &x = c.in[0], &index = c.in[1];
  const int axis = static_cast<int>(c.attrs[0]);
  const int64_t step = x.strides[axis], count = numel(index);
  const int32_t* dense = dense_indices(c, index);
  if (!indices_fit(c, index, dense, count, x.shape[axis]) || numel(out) == 0) return;

  const View before = dims_of(x, 0, axis), after = dims_of(x, axis + 1, x.ndim);
  const Walk<1> outer = make_walk<1>({&before}), inner = make_walk<1>({&after});
  const int64_t length = inner.elements();
  with_word(out.dtype, [&](auto tag) {
    using W = typename decltype(tag)::type;
    const W* from = x.as<const W>();
    const int64_t grain = ceil_div(kGrain, length);
    const bool dense_rows = inner.ndim == 1 && inner.strides[0][0] == 1;
    const int64_t item = static_cast<int64_t>(sizeof(W));
    // Rows that lie in the last cache come soon enough: asking for them takes a tenth longer than they do.
    const bool far = dense_rows && numel(x) * item >= kStreamFrom;
    const int64_t prefetched = far ? min_of(kMostAhead, length * item) : 0;
    parallel_for(c.ctx, outer.elements() * count, grain, [&](int64_t begin, int64_t end) {
      W* to = out.as<W>() + begin * length;
      for (int64_t row = begin; row < end;) {
        const int64_t o = row / count, stop = min_of(end, (o + 1) * count);
        rows_between(outer, o, o + 1, [&](int64_t, const int64_t* at) {
          const W* base = from + at[0];
          const int32_t* of = dense + (row - o * count);
          const int64_t n = stop - row;
          if (length == 1) {
            for (int64_t k = 0; k < n; ++k) to[k] = base[of[k] * step];
          } else {
            for (int64_t k = 0; k < n; ++k) {
              if (k + kRowsAhead < n) prefetch_row(base + of[k + kRowsAhead] * step, prefetched);
              move_block<W>(inner, length, to + k * length, base + of[k] * step);
            }
          }
          to += n * length;
        });
        row = stop;
      }
    });
  });
}

void one_hot_rows(const Call& c) {
  const View &out = c.out[0], &index = c.in[0];
  const int64_t classes = out.shape[out.ndim - 1], count = numel(index);
  const int32_t* dense = dense_indices(c, index);
  if (!indices_fit(c, index, dense, count, classes) || numel(out) == 0) return;
  const bool known = with_all(out.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* to = out.as<T>();
    parallel_for(c.ctx, count, ceil_div(kGrain, classes), [&](int64_t begin, int64_t end) {
      __builtin_memset(to + begin * classes, 0, static_cast<size_t>((end - begin) * classes) * sizeof(T));
      for (int64_t k = begin; k < end; ++k) to[k * classes + dense[k]] = T(1);
    });
  });
  if (!known) refuse_dtype(c, out.dtype);
}

const Kernel kernels_gather[] = {{"elements", nullptr, gather_elements}};
const Kernel kernels_index_select[] = {{"rows", nullptr, index_select_rows}};
const Kernel kernels_one_hot[] = {{"rows", nullptr, one_hot_rows}};

}  // namespace

const OpKernels index[] = {ATHANOR_OP(gather, kernels_gather),
                           ATHANOR_OP(indexSelect, kernels_index_select),
                           ATHANOR_OP(oneHot, kernels_one_hot),
                           {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
