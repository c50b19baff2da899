// Adding by index along one axis, the gradients of gather and indexSelect.
//   scatterAdd   out = x; out[o, index[o, k, i], i] += src[o, k, i]
//   indexAdd     out = x; out[o, index[k], i] += src[o, k, i]
// o stands for the axes before, i for those after. Each element of the result is summed by one thread in the order of
// k, so the sum depends on nothing but the arguments. Work is split over o, then over i in whole pages (cache lines
// where each element has an index of its own), and where that is not enough over the range that indices point to: each
// thread takes the rows of src whose indices are its own. Parts of rows narrower than a page are summed in memory of
// the thread's own. Bound by memory: 2 * item size bytes per element of x, 3 per element of src, 4 per index; 1 FLOP
// per element of src.
#include "cpu/families.h"
#include "cpu/index.h"
#include "cpu/slots.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

/** The units that the work is cut into: outer positions, pieces of the inner axes, ranges of the indexed axis. */
struct Cut {
  int64_t outer, pieces, ranges;
  int64_t units() const { return outer * pieces * ranges; }
};

constexpr int64_t kLine = 16;  // elements: a cache line of float32, so that two threads never write to the same one
// A page of float32. Two threads that write to halves of short rows fetch each other's lines ahead: 16384 rows of 128
// took them 250 us, or 1000 for seconds on end, where one thread alone took 170.
constexpr int64_t kPage = 1024;
constexpr int64_t kRowsAhead = 8;  // a thread's part of a row is mostly a few lines

Cut cut_work(const Context* ctx, int64_t outer, int64_t count, int64_t inner, int64_t piece) {
  Cut cut{outer, 1, 1};
  const int64_t wanted = min_of<int64_t>(ctx->threads, outer * count * inner / kGrain);
  if (cut.units() < wanted) cut.pieces = max_of<int64_t>(1, min_of(ceil_div(wanted, outer), inner / piece));
  if (cut.units() < wanted) cut.ranges = ceil_div(wanted, cut.units());
  return cut;
}

/** out += src at the indices: `index` has one index for each element of src, src's shape leads, all three same ndim. */
template <class T>
void add_at(Context* ctx, const View& out, const View& index, const View& src, int axis) {
  const int ndim = src.ndim;
  View target = out;  // at index 0 of the axis, in src's shape elsewhere
  for (int d = 0; d < ndim; ++d) target.shape[d] = src.shape[d];
  const View parts[3] = {src, index, target};
  View before[3], after[3];
  for (int p = 0; p < 3; ++p) {
    before[p] = dims_of(parts[p], 0, axis);
    after[p] = dims_of(parts[p], axis + 1, ndim);
  }
  const Walk<3> outer = make_walk<3>({&before[0], &before[1], &before[2]});
  const Walk<3> inner = make_walk<3>({&after[0], &after[1], &after[2]});
  const int last = inner.ndim - 1;
  const int64_t ss = inner.strides[0][last], si = inner.strides[1][last], so = inner.strides[2][last];
  const int64_t ks = src.strides[axis], ki = index.strides[axis], ko = out.strides[axis];
  const int64_t count = src.shape[axis], length = inner.elements(), size = out.shape[axis];
  const bool by_rows = inner.ndim == 1 && si == 0 && length > 1;  // one index a row
  const Cut cut = cut_work(ctx, outer.elements(), count, length, by_rows ? kPage : kLine);
  const Slots<int32_t> own_rows(ctx, by_rows && cut.ranges > 1 ? count : 0);
  // Where columns are shared out, and more is added than there is: see kPage.
  const int64_t width = ceil_div(length, cut.pieces);
  const bool apart = !by_rows && inner.ndim == 1 && cut.pieces > 1 && cut.ranges == 1 && width < kPage && count >= size;
  const Slots<T> own_sums(ctx, apart ? size * width : 0);

  const auto add_row = [&](int64_t n, T* to, int64_t so, int64_t ko, const int32_t* of, const T* from, int64_t low,
                           int64_t high) {
    if (si == 0) {
      if (*of < low || *of >= high) return;
      to += *of * ko;
      if (so == 1 && ss == 1) {
#pragma omp simd
        for (int64_t i = 0; i < n; ++i) to[i] = static_cast<T>(to[i] + from[i]);
      } else {
        for (int64_t i = 0; i < n; ++i) to[i * so] = static_cast<T>(to[i * so] + from[i * ss]);
      }
    } else if (cut.ranges == 1 && so == 1 && si == 1 && ss == 1) {
#pragma GCC unroll 4
      for (int64_t i = 0; i < n; ++i) {
        T& sum = to[i + of[i] * ko];
        sum = static_cast<T>(sum + from[i]);
      }
    } else {
      for (int64_t i = 0; i < n; ++i) {
        const int64_t k = of[i * si];
        if (k < low || k >= high) continue;
        T& sum = to[i * so + k * ko];
        sum = static_cast<T>(sum + from[i * ss]);
      }
    }
  };
  const int64_t grain = ceil_div(kGrain * cut.units(), max_of<int64_t>(1, numel(src)));
  parallel_for(ctx, cut.units(), grain, [&](int64_t first, int64_t stop) {
    for (int64_t unit = first; unit < stop; ++unit) {
      const int64_t range = unit % cut.ranges, piece = unit / cut.ranges % cut.pieces;
      const int64_t o = unit / cut.ranges / cut.pieces;
      const int64_t low = size * range / cut.ranges, high = size * (range + 1) / cut.ranges;
      const int64_t begin = length * piece / cut.pieces, end = length * (piece + 1) / cut.pieces;
      rows_between(outer, o, o + 1, [&](int64_t, const int64_t* at) {
        const T* from = src.as<const T>() + at[0];
        const int32_t* of = index.as<const int32_t>() + at[1];
        T* to = out.as<T>() + at[2];
        if (length == 1) {
          for (int64_t k = 0; k < count; ++k) add_row(1, to, so, ko, of + k * ki, from + k * ks, low, high);
          return;
        }
        if (inner.ndim == 1) {  // the index of a row is found once, and what comes is asked for: rows may be far apart
          to += begin * so, of += begin * si, from += begin * ss;
          const int64_t n = end - begin;
          const auto sums = own_sums.take();
          T* const into = apart ? sums.data : to;
          const int64_t step = apart ? 1 : so, row_step = apart ? width : ko;
          for (int64_t k = 0; apart && k < size; ++k) move_row(n, into + k * width, 1, to + k * ko, so);
          const auto add_rows = [&](int64_t rows, const auto& number) {
            for (int64_t j = 0; j < rows; ++j) {
              const int64_t k = number(j);
              if (ss == 1 && j + kRowsAhead < rows) {
                const T* const next = from + number(j + kRowsAhead) * ks;
                for (int64_t i = 0; i < n; i += kLine) __builtin_prefetch(next + i);
              }
              add_row(n, into, step, row_step, of + k * ki, from + k * ks, low, high);
            }
          };
          const auto slot = own_rows.take();
          if (slot.data == nullptr) {
            add_rows(count, [](int64_t j) { return j; });
          } else {
            int64_t mine = 0;
            for (int64_t k = 0; k < count; ++k) {
              slot.data[mine] = static_cast<int32_t>(k);
              mine += (of[k * ki] >= low) & (of[k * ki] < high);
            }
            add_rows(mine, [&](int64_t j) { return static_cast<int64_t>(slot.data[j]); });
          }
          own_rows.give_back(slot);
          for (int64_t k = 0; apart && k < size; ++k) move_row(n, to + k * ko, so, into + k * width, 1);
          own_sums.give_back(sums);
          return;
        }
        for (int64_t k = 0; k < count; ++k) {
          rows_between(inner, begin, end, [&](int64_t n, const int64_t* in) {
            add_row(n, to + in[2], so, ko, of + k * ki + in[1], from + k * ks + in[0], low, high);
          });
        }
      });
    }
  });
}

/** Starts out as x, unless it is x, changed in place. */
void start_as_x(const Call& c) {
  const View &out = c.out[0], &x = c.in[0];
  if (out.data == x.data && numel(out) == numel(x)) return;
  copy_view(c.ctx, out, x);
}

void add_to_x(const Call& c, const View& index, const View& src) {
  start_as_x(c);
  if (numel(src) == 0) return;
  const bool known = with_numbers(c.out[0].dtype, [&](auto tag) {
    add_at<typename decltype(tag)::type>(c.ctx, c.out[0], index, src, static_cast<int>(c.attrs[0]));
  });
  if (!known) refuse_dtype(c, c.out[0].dtype);
}

void scatter_add_elements(const Call& c) {
  const int axis = static_cast<int>(c.attrs[0]);
  View index = c.in[1];
  const int64_t count = numel(index);
  const int32_t* dense = dense_indices(c, index);
  if (!indices_fit(c, index, dense, count, c.out[0].shape[axis])) return;
  int64_t step = 1;
  index.data = const_cast<int32_t*>(dense);
  for (int d = index.ndim - 1; d >= 0; --d) {
    index.strides[d] = step;
    step *= index.shape[d];
  }
  add_to_x(c, index, c.in[2]);
}

/** src with the axes that stand where the indices' shape is, `axes` of them, merged into one; a copy if they do not. */
View merge_index_axes(const Call& c, const View& src, int axis, int axes) {
  View dense = src, part = dims_of(src, axis, axis + axes);
  if (make_walk<1>({&part}).ndim > 1) {
    int64_t step = 1;
    for (int d = src.ndim - 1; d >= 0; --d) {
      dense.strides[d] = step;
      step *= src.shape[d];
    }
    dense.data = c.ctx->scratch(c.ctx, static_cast<size_t>(step) * item_size(src.dtype));
    copy_view(c.ctx, dense, src);
    part = dims_of(dense, axis, axis + axes);
  }
  const Walk<1> one = make_walk<1>({&part});
  View merged = dense;
  merged.ndim = src.ndim - axes + 1;
  merged.shape[axis] = one.shape[0];
  merged.strides[axis] = one.strides[0][0];
  for (int d = axis + axes; d < src.ndim; ++d) {
    merged.shape[d - axes + 1] = dense.shape[d];
    merged.strides[d - axes + 1] = dense.strides[d];
  }
  return merged;
}

void index_add_rows(const Call& c) {
  const View &out = c.out[0], &index = c.in[1];
  const int axis = static_cast<int>(c.attrs[0]);
  const int64_t count = numel(index);
  const int32_t* dense = dense_indices(c, index);
  if (!indices_fit(c, index, dense, count, out.shape[axis])) return;
  const View src = merge_index_axes(c, c.in[2], axis, index.ndim);
  View rows = src;  // the index of a whole row, for each element of it
  rows.dtype = DType::i32;
  rows.data = const_cast<int32_t*>(dense);
  for (int d = 0; d < rows.ndim; ++d) rows.strides[d] = d == axis ? 1 : 0;
  add_to_x(c, rows, src);
}

const Kernel kernels_scatter_add[] = {{"elements", nullptr, scatter_add_elements}};
const Kernel kernels_index_add[] = {{"rows", nullptr, index_add_rows}};

}  // namespace

const OpKernels index_add[] = {
    ATHANOR_OP(scatterAdd, kernels_scatter_add), ATHANOR_OP(indexAdd, kernels_index_add), {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
