// matmul: out[..., M, N] = a[..., M, K] b[..., K, N], leading dimensions broadcast; linear: out[..., N] = x[..., K] W^T
// + bias. Any strides: a transposed operand is read as it lies. Few large products are cut up among threads, many small
// ones are shared out whole. Bound by the multiply-add units for M, N, K of a few dozen and more (2 M N K FLOPs), by
// the bandwidth of the matrix where the other operand is a vector.
#include "cpu/dense.h"
#include "cpu/dtypes.h"
#include "cpu/families.h"
#include "cpu/gemm.h"
#include "cpu/gemv.h"
#include "cpu/iterate.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

/** A matrix product, or many of the same size: the walk over the leading dimensions gives where each one begins. */
struct Products {
  int64_t m, n, k;
  int64_t a_row, a_step;  // steps in elements: from row to row and within a row
  int64_t b_row, b_step;
  int64_t out_row, out_step;
  Walk<3> batch;     // out, a, b
  const View* bias;  // one number a column of out, or null

  int64_t count() const { return batch.elements(); }
};

/** The leading dimensions of a matrix operand. */
View leading(const View& v) {
  View out = v;
  out.ndim = max_of(v.ndim - 2, 0);
  return out;
}

/** While b is the same for all products of a dimension and a's and out's rows go on evenly there, it only means more
 * rows. */
void fold_rows(Products& p) {
  Walk<3>& w = p.batch;
  while (w.ndim > 0) {
    const int d = w.ndim - 1;
    const bool even = p.m == 1 || (w.strides[1][d] == p.m * p.a_row && w.strides[0][d] == p.m * p.out_row);
    if (w.strides[2][d] != 0 || !even) break;
    if (p.m == 1) {
      p.out_row = w.strides[0][d];
      p.a_row = w.strides[1][d];
    }
    p.m *= w.shape[d];
    --w.ndim;
  }
  if (w.ndim == 0) {
    w.ndim = 1;
    w.shape[0] = 1;
    for (int i = 0; i < 3; ++i) w.strides[i][0] = 0;
  }
}

Products products_of(const View& a, const View& b, const View& out) {
  const auto size = [](const View& v, int from_end) { return v.ndim < from_end ? 1 : v.shape[v.ndim - from_end]; };
  const auto step = [](const View& v, int from_end) { return v.ndim < from_end ? 0 : v.strides[v.ndim - from_end]; };
  Products p;
  p.m = size(a, 2), p.k = size(a, 1), p.n = size(b, 1);
  p.a_row = step(a, 2), p.a_step = step(a, 1);
  p.b_row = step(b, 2), p.b_step = step(b, 1);
  p.out_row = step(out, 2), p.out_step = step(out, 1);
  const View out_lead = leading(out), a_lead = leading(a), b_lead = leading(b);
  p.batch = make_walk<3>({&out_lead, &a_lead, &b_lead});
  p.bias = nullptr;
  fold_rows(p);
  return p;
}

Products products_of_matmul(const Call& c) { return products_of(c.in[0], c.in[1], c.out[0]); }

Products products_of_linear(const Call& c) {
  View weight = c.in[1];  // [N, K], read as [K, N]
  for (int d = 0; d < 2; ++d) {
    weight.shape[d] = c.in[1].shape[1 - d];
    weight.strides[d] = c.in[1].strides[1 - d];
  }
  // A vector x is a matrix of one row.
  Products p = products_of(c.in[0], weight, c.out[0]);
  p.bias = c.n_in > 2 ? &c.in[2] : nullptr;
  return p;
}

/** Offsets in elements of product number i in out, a and b. */
void offsets_of(const Walk<3>& w, int64_t i, int64_t (&at)[3]) {
  for (int64_t& o : at) o = 0;
  for (int d = w.ndim - 1; d >= 0; --d) {
    for (int k = 0; k < 3; ++k) at[k] += i % w.shape[d] * w.strides[k][d];
    i /= w.shape[d];
  }
}

/** one(ctx, offsets) for every product: all threads on one after another, or, when they are many and small, one each.
 */
template <class T, class F>
void for_products(const Call& c, const Products& p, const F& one) {
  const int64_t count = p.count(), work = max_of<int64_t>(1, p.m * p.n * p.k);
  int64_t at[3];
  if (count == 1 || c.ctx->threads == 1 || count < c.ctx->threads || work > 16 * Blocking<T>::worth_sharing) {
    for (int64_t i = 0; i < count; ++i) {
      offsets_of(p.batch, i, at);
      one(false, at);
    }
    return;
  }
  parallel_for(c.ctx, count, ceil_div(Blocking<T>::worth_sharing, work), [&](int64_t from, int64_t to) {
    int64_t mine[3];
    for (int64_t i = from; i < to; ++i) {
      offsets_of(p.batch, i, mine);
      one(true, mine);
    }
  });
}

// ---- packed: two matrices

template <class T>
void multiply_packed(const Call& c, const Products& p) {
  const T* bias = p.bias == nullptr ? nullptr : dense_vector<T>(c.ctx, *p.bias);
  const Begin<T> begin = {bias == nullptr ? Start::zero : Start::column_bias, bias};
  const SerialSteps<T> steps(p.m, p.n, p.k);
  const bool many = p.count() > 1;
  const Slots<T> slots(c.ctx, many ? steps.elements() : 0);
  for_products<T>(c, p, [&](bool alone, const int64_t* at) {
    const Product<T, StridedFactor<T>, StridedFactor<T>, StridedResult<T>> one = {
        p.m,
        p.n,
        p.k,
        {c.in[0].as<const T>() + at[1], p.a_row, p.a_step},
        {c.in[1].as<const T>() + at[2], p.b_step, p.b_row},
        {c.out[0].as<T>() + at[0], p.out_row, p.out_step},
        begin};
    if (!alone) return multiply(c.ctx, one);
    const auto slot = slots.take();
    multiply_serial(one, slot.data);
    slots.give_back(slot);
  });
}

// ---- vector: one of the operands is a vector

template <class T>
void multiply_vector(const Call& c, const Products& p) {
  const T* bias = p.bias == nullptr ? nullptr : dense_vector<T>(c.ctx, *p.bias);
  const bool row = p.m == 1;  // a is the vector, and out a row: transpose the product
  const int64_t x_step = row ? p.a_step : p.b_row;
  const int64_t copy_elements = x_step == 1 ? 0 : p.k;
  const Slots<T> slots(c.ctx, copy_elements);
  for_products<T>(c, p, [&](bool alone, const int64_t* at) {
    const T* a = c.in[0].as<const T>() + at[1];
    const T* b = c.in[1].as<const T>() + at[2];
    const auto slot = slots.take();
    const T* x = row ? a : b;
    if (x_step != 1) {
      for (int64_t i = 0; i < p.k; ++i) slot.data[i] = x[i * x_step];
      x = slot.data;
    }
    MatrixVector<T> one;
    one.m = row ? p.n : p.m;
    one.k = p.k;
    one.a = row ? b : a;
    one.across = row ? p.b_step : p.a_row;
    one.along = row ? p.b_row : p.a_step;
    one.x = x;
    one.y = c.out[0].as<T>() + at[0];
    one.y_stride = row ? p.out_step : p.out_row;
    one.bias = bias;
    one.bias_stride = row ? 1 : 0;
    if (alone)
      matrix_vector_serial(one, 0, one.m);
    else
      matrix_vector(c.ctx, one);
    slots.give_back(slot);
  });
}

// ---- plain: any numbers, integers with exact wraparound

/** The unsigned type in which the arithmetic of T wraps as it should. */
template <class T>
struct Wrapping {
  using type = T;
};
template <>
struct Wrapping<int32_t> {
  using type = uint32_t;
};

/** One product for numbers of any kind, seen as what wraps. */
template <class U>
struct PlainProduct {
  const U *a, *b, *bias;  // bias: null if there is none
  U* out;
  int64_t bias_step;
};

/** Rows of out in pieces that stay in the first-level cache while the depth goes by. */
template <class U>
void multiply_plain_rows(const Products& p, const PlainProduct<U>& one, int64_t from, int64_t to) {
  constexpr int64_t piece = 1024;
  U sums[piece];
  for (int64_t j0 = 0; j0 < p.n; j0 += piece) {
    const int64_t n = min_of(piece, p.n - j0);
    for (int64_t row = from; row < to; ++row) {
      if (one.bias == nullptr)
        for (int64_t j = 0; j < n; ++j) sums[j] = U(0);
      else
        for (int64_t j = 0; j < n; ++j) sums[j] = one.bias[(j0 + j) * one.bias_step];
      for (int64_t k = 0; k < p.k; ++k) {
        const U x = one.a[row * p.a_row + k * p.a_step];
        const U* const y = one.b + k * p.b_row + j0 * p.b_step;
        if (p.b_step == 1)
          for (int64_t j = 0; j < n; ++j) sums[j] = static_cast<U>(sums[j] + x * y[j]);
        else
          for (int64_t j = 0; j < n; ++j) sums[j] = static_cast<U>(sums[j] + x * y[j * p.b_step]);
      }
      for (int64_t j = 0; j < n; ++j) one.out[row * p.out_row + (j0 + j) * p.out_step] = sums[j];
    }
  }
}

template <class U>
void multiply_plain(const Call& c, const Products& p) {
  const int64_t grain = ceil_div(kGrain, max_of<int64_t>(1, p.n * p.k));
  for (int64_t i = 0; i < p.count(); ++i) {
    int64_t at[3];
    offsets_of(p.batch, i, at);
    const PlainProduct<U> one = {c.in[0].as<const U>() + at[1], c.in[1].as<const U>() + at[2],
                                 p.bias == nullptr ? nullptr : p.bias->as<const U>(), c.out[0].as<U>() + at[0],
                                 p.bias == nullptr ? 0 : p.bias->strides[0]};
    parallel_for(c.ctx, p.m, grain, [&](int64_t from, int64_t to) { multiply_plain_rows(p, one, from, to); });
  }
}

// ---- the lists

template <Products (*Of)(const Call&)>
bool fits_vector(const Call& c) {
  const Products p = Of(c);
  return (c.in[0].dtype == DType::f32 || c.in[0].dtype == DType::f64) && (p.m == 1 || p.n == 1);
}
bool fits_packed(const Call& c) { return c.in[0].dtype == DType::f32 || c.in[0].dtype == DType::f64; }

template <Products (*Of)(const Call&)>
void run_vector(const Call& c) {
  const Products p = Of(c);
  with_floats(c.in[0].dtype, [&](auto tag) { multiply_vector<typename decltype(tag)::type>(c, p); });
}
template <Products (*Of)(const Call&)>
void run_packed(const Call& c) {
  const Products p = Of(c);
  with_floats(c.in[0].dtype, [&](auto tag) { multiply_packed<typename decltype(tag)::type>(c, p); });
}
template <Products (*Of)(const Call&)>
void run_plain(const Call& c) {
  const Products p = Of(c);
  if (!with_numbers(c.in[0].dtype,
                    [&](auto tag) { multiply_plain<typename Wrapping<typename decltype(tag)::type>::type>(c, p); }))
    refuse_dtype(c, c.in[0].dtype);
}

#define ATHANOR_PRODUCT_KERNELS(of)                                                         \
  {                                                                                         \
    {"vector", fits_vector<of>, run_vector<of>}, {"packed", fits_packed, run_packed<of>}, { \
      "plain", nullptr, run_plain<of>                                                       \
    }                                                                                       \
  }

const Kernel kernels_matmul[] = ATHANOR_PRODUCT_KERNELS(products_of_matmul);
const Kernel kernels_linear[] = ATHANOR_PRODUCT_KERNELS(products_of_linear);

}  // namespace

const OpKernels matmul[] = {
    ATHANOR_OP(matmul, kernels_matmul), ATHANOR_OP(linear, kernels_linear), {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
