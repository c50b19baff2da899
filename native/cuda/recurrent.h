// What the recurrent layers share on a device: walking through a sequence, where each step lies in memory, and the
// product of a step's state with the matrix.
#pragma once
#include "cuda/families.h"
#include "cuda/fast_divide.h"

namespace athanor {
namespace cuda {

/** The sizes of a call: T steps, N rows, H units; and where step s of the walk lies in memory. */
struct SequenceSizes {
  int64_t steps, rows, units;
  bool reverse;
  SequenceSizes(const Call& c, const View& sequence, const View& matrix)
      : steps(sequence.shape[0]), rows(sequence.shape[1]), units(matrix.shape[1]), reverse(c.attrs[0] != 0) {}
  bool empty() const { return steps * rows * units == 0; }
  int64_t at(int64_t s) const { return reverse ? steps - 1 - s : s; }
  int64_t cells() const { return rows * units; }
};

/** Numbers [N, G H] of one step, in any layout; a row of them that serves all, or one number for all. */
template <class T>
struct Given {
  const T* data;
  int64_t row, unit;  // steps
  __device__ __forceinline__ T at(int64_t n, int64_t u) const { return data[n * row + u * unit]; }
};

/** Step t of a view [T, N, G H]; of fewer dimensions, what is the same at every step. */
template <class T>
Given<T> given(const View& v, int64_t t = 0) {
  const auto step = [&](int from_end) { return v.ndim < from_end ? 0 : v.strides[v.ndim - from_end]; };
  return {v.as<const T>() + t * step(3), step(2), step(1)};
}

/** A matrix without gaps, of memory that lies there already. */
template <class T>
View matrix_view(const View& like, T* data, int64_t rows, int64_t columns) {
  View v = like;
  v.data = data;
  v.literal = false;
  v.ndim = 2;
  v.shape[0] = rows, v.shape[1] = columns;
  v.strides[0] = columns, v.strides[1] = 1;
  return v;
}

inline View transposed(const View& v) {
  View out = v;
  for (int d = 0; d < 2; ++d) {
    out.shape[d] = v.shape[1 - d];
    out.strides[d] = v.strides[1 - d];
  }
  return out;
}

/** out = a b */
inline void multiply(const Call& c, const View& a, const View& b, const View& out) {
  const View factors[2] = {a, b};
  Call product = c;
  product.in = factors;
  product.out = &out;
  product.n_in = 2;
  product.n_out = 1;
  product.n_attrs = 0;
  run_first(matmul[0], product);
}

/**
 * What the gates of a step's units get from the state before it: products [N, `gates` H], absent where there is no
 * state yet. A body of for_each_number begins with place(i).
 */
template <class T>
struct GateProducts {
  const T* data;
  int64_t gates;
  FastDivide units;

  struct Place {
    int64_t n, u, cell;  // row, unit, and the number of both in [N, H]
  };
  __device__ __forceinline__ Place place(uint32_t i) const {
    const uint32_t n = units.quotient(i);
    return {n, i - n * units.divisor, i};
  }
  __device__ __forceinline__ int64_t count() const { return units.divisor; }
  __device__ __forceinline__ T of(const Place& p, int64_t gate) const {
    return data == nullptr ? T(0) : data[(p.n * gates + gate) * count() + p.u];
  }
};

/** The products of a call's steps, in memory that each step uses anew. */
template <class T>
class StepProducts {
 public:
  /** `matrix` is [depth, columns]. */
  StepProducts(const Call& c, const SequenceSizes& z, const View& matrix)
      : call_(c), matrix_(matrix), units_(static_cast<uint32_t>(z.units)), gates_(matrix.shape[1] / z.units) {
    room_ = matrix_view(matrix, scratch_array<T>(c, z.rows * matrix.shape[1]), z.rows, matrix.shape[1]);
  }
  GateProducts<T> none() const { return {nullptr, gates_, FastDivide(units_)}; }
  GateProducts<T> of(const View& state) const {
    multiply(call_, state, matrix_, room_);
    return {room_.as<const T>(), gates_, FastDivide(units_)};
  }

 private:
  const Call& call_;
  View matrix_, room_;
  uint32_t units_;
  int64_t gates_;
};

/** The products of step s with what the step before left in `states` [T, N, H], or with the initial state. */
template <class T>
GateProducts<T> forward_products(const StepProducts<T>& products, const SequenceSizes& z, int64_t s, T* states,
                                 const View& initial) {
  if (s > 0) return products.of(matrix_view(initial, states + z.at(s - 1) * z.cells(), z.rows, z.units));
  return initial.ndim > 0 ? products.of(initial) : products.none();
}

/** Those of a gradient's step, the s-th from the end, with what it has left of the step behind it: d [T, N, G H]. */
template <class T>
GateProducts<T> backward_products(const StepProducts<T>& products, const SequenceSizes& z, int64_t s, T* d,
                                  const View& matrix) {
  if (s == z.steps - 1) return products.none();
  return products.of(matrix_view(matrix, d + z.at(s + 1) * z.rows * matrix.shape[0], z.rows, matrix.shape[0]));
}

/** What step s begins with: the one before it in `all` [T, N, H], or the initial one. */
template <class T>
Given<T> before(const SequenceSizes& z, int64_t s, const T* all, const View& initial) {
  if (s == 0) return given<T>(initial);
  return {all + z.at(s - 1) * z.cells(), z.units, 1};
}
template <class T>
Given<T> before(const SequenceSizes& z, int64_t s, const View& all, const View& initial) {
  return s == 0 ? given<T>(initial) : given<T>(all, z.at(s - 1));
}

}  // namespace cuda
}  // namespace athanor
