// Operands that a kernel wants without gaps, copied to scratch memory only where they have some.
#pragma once
#include "cpu/parallel.h"
#include "cpu/slots.h"

namespace athanor {
namespace ATHANOR_ISA {

/** The elements of a one-dimensional view, contiguous. */
template <class T>
const T* dense_vector(Context* ctx, const View& v) {
  const T* from = v.as<const T>();
  if (v.strides[0] == 1 || v.shape[0] == 1) return from;
  T* copy = scratch_array<T>(ctx, v.shape[0]);
  for (int64_t i = 0; i < v.shape[0]; ++i) copy[i] = from[i * v.strides[0]];
  return copy;
}

/** A four-dimensional view whose last two dimensions lie without gaps. */
template <class T>
View dense_planes(Context* ctx, const View& v) {
  if ((v.strides[3] == 1 || v.shape[3] == 1) && (v.strides[2] == v.shape[3] || v.shape[2] == 1)) return v;
  const int64_t rows = v.shape[2], columns = v.shape[3], planes = v.shape[0] * v.shape[1];
  T* const copy = scratch_array<T>(ctx, planes * rows * columns);
  parallel_for(ctx, planes, ceil_div(kGrain, max_of<int64_t>(1, rows * columns)), [&](int64_t from, int64_t to) {
    for (int64_t p = from; p < to; ++p) {
      const T* plane = v.as<const T>() + p / v.shape[1] * v.strides[0] + p % v.shape[1] * v.strides[1];
      for (int64_t y = 0; y < rows; ++y)
        for (int64_t x = 0; x < columns; ++x)
          copy[(p * rows + y) * columns + x] = plane[y * v.strides[2] + x * v.strides[3]];
    }
  });
  View out = v;
  out.data = copy;
  out.strides[3] = 1;
  out.strides[2] = columns;
  out.strides[1] = rows * columns;
  out.strides[0] = v.shape[1] * rows * columns;
  return out;
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
