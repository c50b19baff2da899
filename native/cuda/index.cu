// Reading and adding by index along one axis.
//   gather       out[o, k, i] = x[o, index[o, k, i], i]: one index an element
//   indexSelect  out[o, k, i] = x[o, index[k], i]: whole rows of `inner` elements; embeddings and batches of data
//   oneHot       out[k, c] = index[k] == c
//   scatterAdd   out = x; out[o, index[o, k, i], i] += src[o, k, i]
//   indexAdd     out = x; out[o, index[k], i] += src[o, k, i]
// o stands for the axes before, i for those after. A thread an element of the output, or, where elements are added,
// threads for each o and i that take its k in their order, each adding at some of the places: sums depend on nothing
// but the arguments. Bound by memory. An index out of range is complained about, and its element is 0 (or nothing is
// added).
#include "cuda/dense.h"
#include "cuda/families.h"
#include "cuda/report.h"

namespace athanor {
namespace cuda {
namespace {

/** Index i of a view of indices, or -1 and a complaint. */
struct Indices {
  const int32_t* data;
  Locator where;
  int64_t size;  // of what they index
  Complaints complaints;

  __device__ __forceinline__ int64_t get(uint32_t i) const {
    const int32_t k = data[where.at(i)];
    if (k >= 0 && k < size) return k;
    complaints.add(complaint_index, k, size);
    return -1;
  }
};

Indices indices_of(const Call& c, const View& v, int64_t size) {
  return {v.as<const int32_t>(), Locator(v), size, complaints_of(c)};
}

/** A view without the step along one axis. */
View at_start_of(const View& v, int axis) {
  View out = v;
  out.strides[axis] = 0;
  return out;
}

View dims_between(const View& v, int begin, int end) {
  View out = v;
  out.ndim = end - begin;
  for (int d = begin; d < end; ++d) {
    out.shape[d - begin] = v.shape[d];
    out.strides[d - begin] = v.strides[d];
  }
  return out;
}

template <class W>
struct Gather {
  const W* x;
  Locator from;  // of x, the index's shape, without the axis
  int64_t step;
  Indices index;
  W* out;
  Locator to;
  __device__ W value(uint32_t i) const {
    const int64_t k = index.get(i);
    return k < 0 ? W(0) : x[from.at(i) + k * step];
  }
  __device__ void put(uint32_t i, W value) const { out[to.at(i)] = value; }
};

void run_gather(const Call& c) {
  const View &out = c.out[0], &x = c.in[0], &index = c.in[1];
  const int axis = static_cast<int>(c.attrs[0]);
  View base = at_start_of(x, axis);
  for (int d = 0; d < base.ndim; ++d) base.shape[d] = index.shape[d];
  with_item(item_size(out.dtype), [&](auto tag) {
    using W = typename decltype(tag)::type;
    for_each_value(c, numel(out),
                   Gather<W>{x.as<const W>(), Locator(base), x.strides[axis], indices_of(c, index, x.shape[axis]),
                             out.as<W>(), Locator(out)});
  });
}

template <class W>
struct Select {
  const W* x;
  Locator before, after;
  int64_t step;
  Indices index;
  FastDivide count, inner;
  W* out;
  __device__ W value(uint32_t i) const {
    const uint32_t row = inner.quotient(i), o = count.quotient(row);
    const int64_t k = index.get(row - o * count.divisor);
    return k < 0 ? W(0) : x[before.at(o) + k * step + after.at(i - row * inner.divisor)];
  }
  __device__ void put(uint32_t i, W value) const { out[i] = value; }
};

void run_select(const Call& c) {
  const View &out = c.out[0], &x = c.in[0], &index = c.in[1];
  const int axis = static_cast<int>(c.attrs[0]);
  if (numel(out) == 0) return;
  const View before = dims_between(x, 0, axis), after = dims_between(x, axis + 1, x.ndim);
  with_item(item_size(out.dtype), [&](auto tag) {
    using W = typename decltype(tag)::type;
    for_each_value(c, numel(out),
                   Select<W>{x.as<const W>(), Locator(before), Locator(after), x.strides[axis],
                             indices_of(c, index, x.shape[axis]), FastDivide(static_cast<uint32_t>(numel(index))),
                             FastDivide(static_cast<uint32_t>(numel(after))), out.as<W>()});
  });
}

template <class T>
struct OneHot {
  Indices index;
  FastDivide classes;
  T* out;
  __device__ void operator()(uint32_t i) const {
    const uint32_t row = classes.quotient(i);
    out[i] = index.get(row) == static_cast<int64_t>(i - row * classes.divisor) ? T(1) : T(0);
  }
};

void run_one_hot(const Call& c) {
  const View &out = c.out[0], &index = c.in[0];
  const int64_t classes = out.shape[out.ndim - 1];
  if (numel(out) == 0) return;
  const bool known = with_all(out.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for_each_number(
        c, numel(out),
        OneHot<T>{indices_of(c, index, classes), FastDivide(static_cast<uint32_t>(classes)), out.template as<T>()});
  });
  if (!known) refuse_dtype(c, out.dtype);
}

// ---- adding

/** One thread's sums: those of one o and one i, in the order of k, at the places whose remainder is its own. */
template <class T>
struct AddAlong {
  Indices index;
  Locator of_before, of_after;  // of the numbers of indices, by o and i
  int64_t of_step;
  const T* src;
  Locator from_before, from_after;
  int64_t from_step, count;
  T* out;
  Locator to_before, to_after;
  int64_t to_step;
  FastDivide inner, columns;
  uint32_t shares;  // threads of a column, a power of two

  __device__ void operator()(uint32_t number) const {
    const uint32_t share = columns.quotient(number), i = number - share * columns.divisor;
    const uint32_t o = inner.quotient(i), rest = i - o * inner.divisor;
    const int32_t* of = index.data + of_before.at(o) + of_after.at(rest);
    const T* from = src + from_before.at(o) + from_after.at(rest);
    T* to = out + to_before.at(o) + to_after.at(rest);
    for (int64_t k = 0; k < count; ++k) {
      const int32_t place = of[k * of_step];
      if ((static_cast<uint32_t>(place) & (shares - 1)) != share) continue;
      if (place < 0 || place >= index.size) {
        index.complaints.add(complaint_index, place, index.size);
        continue;
      }
      to[place * to_step] = static_cast<T>(to[place * to_step] + from[k * from_step]);
    }
  }
};

/** out += src at the indices along `axis`: `index` and src have one shape, and out's except along the axis. */
void add_along(const Call& c, const View& index, const View& src, int axis) {
  const View& out = c.out[0];
  if (numel(src) == 0) return;
  View target = out;
  for (int d = 0; d < src.ndim; ++d)
    if (d != axis) target.shape[d] = src.shape[d];
  const auto before = [&](const View& v) { return Locator(dims_between(v, 0, axis)); };
  const auto after = [&](const View& v) { return Locator(dims_between(v, axis + 1, v.ndim)); };
  const int64_t inner = numel(dims_between(src, axis + 1, src.ndim));
  const int64_t columns = numel(dims_between(src, 0, axis)) * inner, count = src.shape[axis];
  // Few columns are shared out among several threads, each of which reads all indices: fewer than it adds would cost.
  const int64_t room = 512 * static_cast<int64_t>(context_of(c).multiprocessors);
  uint32_t shares = 1;
  while (shares < out.shape[axis] && 16 * shares <= count && 2 * shares * columns <= room) shares *= 2;
  const bool known = with_numbers(out.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for_each_number(
        c, columns * shares,
        AddAlong<T>{indices_of(c, index, out.shape[axis]), before(index), after(index), index.strides[axis],
                    src.as<const T>(), before(src), after(src), src.strides[axis], count, out.template as<T>(),
                    before(target), after(target), out.strides[axis], FastDivide(static_cast<uint32_t>(inner)),
                    FastDivide(static_cast<uint32_t>(columns)), shares});
  });
  if (!known) refuse_dtype(c, out.dtype);
}

/** Starts out as x, unless it is x, changed in place. */
void start_as_x(const Call& c) {
  if (c.out[0].data != c.in[0].data) copy_each(c, c.out[0], c.in[0]);
}

void run_scatter_add(const Call& c) {
  start_as_x(c);
  add_along(c, c.in[1], c.in[2], static_cast<int>(c.attrs[0]));
}

// src has the axes of the indices' shape where out has the indexed axis: they are made one.
void run_index_add(const Call& c) {
  start_as_x(c);
  const View &index = c.in[1], &given = c.in[2];
  const int axis = static_cast<int>(c.attrs[0]);
  const int64_t count = numel(index);
  if (numel(given) == 0) return;
  // Both sets of axes merge where they are dense.
  const View src = index.ndim == 1 ? given : dense_view(c, given), of = dense_view(c, index);
  View flat = src;
  flat.ndim = c.out[0].ndim;
  for (int d = 0; d < flat.ndim; ++d) {
    const int own = d <= axis ? d : d + index.ndim - 1;
    flat.shape[d] = d == axis ? count : src.shape[own];
    flat.strides[d] = d == axis ? (index.ndim == 0 ? 0 : src.strides[axis + index.ndim - 1]) : src.strides[own];
  }
  View numbers = flat;  // the indices, repeated along all other axes
  numbers.data = of.data;
  numbers.dtype = DType::i32;
  for (int d = 0; d < numbers.ndim; ++d) numbers.strides[d] = d == axis ? 1 : 0;
  add_along(c, numbers, flat, axis);
}

const Kernel kernels_gather[] = {{"elements", nullptr, run_gather}};
const Kernel kernels_index_select[] = {{"elements", nullptr, run_select}};
const Kernel kernels_one_hot[] = {{"elements", nullptr, run_one_hot}};
const Kernel kernels_scatter_add[] = {{"ordered", nullptr, run_scatter_add}};
const Kernel kernels_index_add[] = {{"ordered", nullptr, run_index_add}};

}  // namespace

const OpKernels index[] = {ATHANOR_OP(gather, kernels_gather),      ATHANOR_OP(indexSelect, kernels_index_select),
                           ATHANOR_OP(oneHot, kernels_one_hot),     ATHANOR_OP(scatterAdd, kernels_scatter_add),
                           ATHANOR_OP(indexAdd, kernels_index_add), {nullptr, nullptr, 0}};

}  // namespace cuda
}  // namespace athanor
