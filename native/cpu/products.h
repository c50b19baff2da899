// What a call of matmul or linear asks for: one product of strided matrices, or many of the same size.
#pragma once
#include "cpu/blocking.h"
#include "cpu/iterate.h"

namespace athanor {
namespace ATHANOR_ISA {

/** A matrix product, or many of the same size: the walk over the leading dimensions gives where each one begins. */
struct Products {
  int64_t m, n, k;
  int64_t a_row, a_step;  // steps in elements: from row to row and within a row
  int64_t b_row, b_step;
  int64_t out_row, out_step;
  Walk<3> batch;                 // out, a, b
  const View* bias;              // one number a column of out, or null
  const View* packed = nullptr;  // b as linearPack made it, or something else of no use
  int finish = 0;                // the number of the function that comes last: see finish_function

  int64_t count() const { return batch.elements(); }
};

/** The leading dimensions of a matrix operand. */
ATHANOR_ALWAYS_INLINE View leading(const View& v) {
  View out = v;
  out.ndim = max_of(v.ndim - 2, 0);
  return out;
}

/** While b is the same for all products of a dimension and a's and out's rows go on evenly there, it only means more
 * rows. */
ATHANOR_ALWAYS_INLINE void fold_rows(Products& p) {
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

ATHANOR_ALWAYS_INLINE Products products_of(const View& a, const View& b, const View& out) {
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

ATHANOR_ALWAYS_INLINE Products products_of_matmul(const Call& c) { return products_of(c.in[0], c.in[1], c.out[0]); }

ATHANOR_ALWAYS_INLINE Products products_of_linear(const Call& c) {
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

ATHANOR_ALWAYS_INLINE Products products_of_activation(const Call& c) {
  Products p = products_of_linear(c);
  p.finish = static_cast<int>(c.attrs[0]);
  return p;
}

/** linearPacked: x, weight, the packed weight, perhaps a bias; the attribute is the function's number. */
ATHANOR_ALWAYS_INLINE Products products_of_prepacked(const Call& c) {
  Products p = products_of_linear(c);
  p.packed = &c.in[2];
  p.bias = c.n_in > 3 ? &c.in[3] : nullptr;
  p.finish = static_cast<int>(c.attrs[0]);
  return p;
}

/** Offsets in elements of product number i in out, a and b. */
ATHANOR_ALWAYS_INLINE void offsets_of(const Walk<3>& w, int64_t i, int64_t (&at)[3]) {
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

}  // namespace ATHANOR_ISA
}  // namespace athanor
