// Attention of one head, block by block: what lies between the products.
// Legend: L queries, S keys, E numbers of a query or key, D numbers of a value. Queries, keys and values are windows
// [N, L, H, E] and so on, the numbers of each without gaps.
#pragma once
#include "cpu/gemm.h"
#include "math/folds.h"
#include "math/functions.h"

namespace athanor {
namespace ATHANOR_ISA {

/** Rows of each head: a window [N, rows, H, width]. */
template <class T>
struct Heads {
  T* data;
  int64_t batch, row, head;  // strides
  T* at(int64_t n, int64_t h) const { return data + n * batch + h * head; }
  StridedFactor<T> across_rows(int64_t n, int64_t h, int64_t first) const { return {at(n, h) + first * row, row, 1}; }
  StridedFactor<T> along_rows(int64_t n, int64_t h, int64_t first) const { return {at(n, h) + first * row, 1, row}; }
};

/** A view as heads, copied where a row has gaps. */
template <class T>
Heads<T> heads_of(Context* ctx, const View& v) {
  T* const from = v.as<T>();
  if (v.strides[3] == 1 || v.shape[3] == 1) return {from, v.strides[0], v.strides[1], v.strides[2]};
  const int64_t rows = v.shape[1], heads = v.shape[2], width = v.shape[3], count = v.shape[0] * rows * heads;
  T* const copy = scratch_array<T>(ctx, count * width);
  parallel_for(ctx, count, ceil_div(kGrain, max_of<int64_t>(1, width)), [&](int64_t first, int64_t end) {
    for (int64_t i = first; i < end; ++i) {
      const T* const line =
          from + i / (rows * heads) * v.strides[0] + i / heads % rows * v.strides[1] + i % heads * v.strides[2];
      for (int64_t k = 0; k < width; ++k) copy[i * width + k] = line[k * v.strides[3]];
    }
  });
  return {copy, rows * heads * width, heads * width, width};
}

/** What is added to the scaled scores: a window [N, H, L, S], or nothing. */
template <class T>
struct Mask {
  const T* data;  // null: nothing
  int64_t batch, head, row, step;
  explicit Mask(const View& v) : data(nullptr), batch(0), head(0), row(0), step(0) {
    if (v.ndim == 0) return;
    data = v.as<const T>();
    batch = v.strides[0], head = v.strides[1], row = v.strides[2], step = v.strides[3];
  }
  const T* at(int64_t n, int64_t h, int64_t query, int64_t key) const {
    return data == nullptr ? nullptr : data + n * batch + h * head + query * row + key * step;
  }
};

/**
 * scores = scale scores + mask for those `seen`. Returns how many to go on with: what fills the last vector has no
 * weight, because a causal row ends anywhere, and what a loop does behind its last whole vector takes longer than all
 * of them. Rows have room for that.
 */
template <class T>
int64_t scale_scores(T* scores, int64_t seen, T scale, const T* mask, int64_t step) {
  const int64_t whole = ceil_div(seen, int64_t{kLanes<T>}) * kLanes<T>;
  if (mask == nullptr) {
#pragma omp simd
    for (int64_t j = 0; j < whole; ++j) scores[j] *= scale;
  } else if (step == 1) {
#pragma omp simd
    for (int64_t j = 0; j < seen; ++j) scores[j] = scores[j] * scale + mask[j];
  } else {
    for (int64_t j = 0; j < seen; ++j) scores[j] = scores[j] * scale + mask[j * step];
  }
  for (int64_t j = seen; j < whole; ++j) scores[j] = m::Limits<T>::low;
  return whole;
}

/** A row of scores so far: the largest, and the sum of exponentials relative to that. */
template <class T>
struct Running {
  T top, sum;
};

/** Makes `count` scores exponentials relative to the largest so far; returns by what earlier sums shrink. */
template <class T>
T exponentials(T* scores, int64_t count, Running<T>& so_far) {
  T top = so_far.top;
#pragma omp simd reduction(max : top)
  for (int64_t j = 0; j < count; ++j) top = scores[j] > top ? scores[j] : top;
  const T shift = top == m::Limits<T>::low ? T(0) : top;  // nothing but masked keys yet
  const T shrink = m::exp(so_far.top - shift);
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < count; ++j) {
    const T e = m::exp(scores[j] - shift);
    scores[j] = e;
    sum += e;
  }
  so_far.sum = so_far.sum * shrink + sum;
  so_far.top = top;
  return shrink;
}

/** scores become probabilities p, and slopes their gradient, scale p (slopes - delta). */
template <class T>
void probabilities(T* scores, T* slopes, int64_t count, T log_sum, T delta, T scale) {
#pragma omp simd
  for (int64_t j = 0; j < count; ++j) {
    const T p = m::exp(scores[j] - log_sum);
    scores[j] = p;
    slopes[j] = p * (slopes[j] - delta) * scale;
  }
}

template <class T>
void clear(T* from, int64_t count) {
  for (int64_t j = 0; j < count; ++j) from[j] = T(0);
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
