// Products of matrices on a device, as all kernels see them: out[m, n] = f(sum over k of a[m, k] b[k, n]), one product
// or many of one size, each perhaps with its depth in parts. A kernel has two factors and a result, which know how
// numbers lie in memory; what the families gemm_simt.h and gemm_sm80.h have in common is here, and which of them takes
// a product, with what tile, is said in gemm_plan.h.
#pragma once
#include "cuda/each.h"
#include "cuda/fast_divide.h"
#include "cuda/gemm_plan.h"
#include "math/functions.h"

namespace athanor {
namespace cuda {

/** The function that comes last, by the number that lib/ops/linear-rows.ts gives it. Whole numbers have none. */
template <class T>
__device__ __forceinline__ T finish_with([[maybe_unused]] int finish, T x) {
  if constexpr (T(0.5) != T(0)) {
    switch (finish) {
      case 1: return x < 0 ? T(0) : x;
      case 2: return m::sigmoid(x);
      case 3: return m::tanh(x);
      default: break;
    }
  }
  return x;
}

/** A product of a batch: its number, and where it begins in out, a and b. */
struct Origin {
  uint32_t product;
  int64_t at[3];
};

/** Many products of one size: a walk over the leading dimensions. */
struct Batch {
  int ndim;
  uint32_t count;
  FastDivide sizes[kMaxDims];
  int64_t strides[3][kMaxDims];

  ATHANOR_INLINE_MEMBER Origin locate(uint32_t product) const {
    Origin o{product, {0, 0, 0}};
    uint32_t rest = product;
    for (int d = ndim - 1; d >= 0; --d) {
      const uint32_t above = sizes[d].quotient(rest), index = rest - above * sizes[d].divisor;
      for (int k = 0; k < 3; ++k) o.at[k] += index * strides[k][d];
      rest = above;
    }
    return o;
  }
};

/** What a kernel with sums of type T is told beside its factors and its result. */
template <class T>
struct Work {
  int64_t m, n, depth;
  Batch batch;
  uint32_t parts;      // of the depth
  int64_t part_depth;  // of each but the last
  T* sums;             // [part][product][m][n] where there are several, and add_parts adds them up

  ATHANOR_INLINE_MEMBER uint32_t items() const { return batch.count * parts; }

  /** The sum of a part for row i and column j: to the result, or to where parts wait for each other. */
  template <class R>
  __device__ __forceinline__ void put(const R& out, int64_t i, int64_t j, T sum, const Origin& o, uint32_t part) const {
    if (i >= m || j >= n) return;
    if (parts == 1)
      out.put(i, j, sum, o);
    else
      sums[((static_cast<int64_t>(part) * batch.count + o.product) * m + i) * n + j] = sum;
  }
};

/** Adds up the parts of a number of the result in their order, so that it is the same every time. */
template <class T, class R>
struct AddParts {
  Work<T> work;
  R out;
  FastDivide by_n, by_m;

  __device__ void operator()(uint32_t i) const {
    const uint32_t line = by_n.quotient(i), product = by_m.quotient(line);
    const int64_t step = static_cast<int64_t>(work.batch.count) * work.m * work.n;
    T sum = work.sums[i];
    for (uint32_t part = 1; part < work.parts; ++part) sum = m::add(sum, work.sums[part * step + i]);
    out.put(line - product * by_m.divisor, i - line * by_n.divisor, sum, work.batch.locate(product));
  }
};

/** The work of a plan, with room for the sums of its parts. */
template <class T>
Work<T> work_of(const Call& c, const GemmPlan& plan, int64_t m, int64_t n, int64_t k, const Batch& batch) {
  T* const sums = plan.parts > 1 ? scratch_array<T>(c, m * n * batch.count * plan.parts) : nullptr;
  return {m, n, k, batch, static_cast<uint32_t>(plan.parts), plan.part_depth, sums};
}

/** Blocks: a tile each, and products and parts side by side as far as a grid goes; kernels go on with what is beyond.
 */
template <class T>
dim3 grid_of(const GemmPlan& plan, const Work<T>& work) {
  constexpr uint32_t most = 65535;
  return dim3(static_cast<unsigned>(ceil_div(work.m, plan.tile_m) * ceil_div(work.n, plan.tile_n)), 1,
              min_of(work.items(), most));
}

/** To be called behind the kernel. */
template <class T, class R>
void add_parts(const Call& c, const Work<T>& work, const R& out) {
  if (work.parts == 1) return;
  for_each_number(
      c, work.batch.count * work.m * work.n,
      AddParts<T, R>{work, out, FastDivide(static_cast<uint32_t>(work.n)), FastDivide(static_cast<uint32_t>(work.m))});
}

/**
 * The result of an ordinary product. A result R has put(i, j, sum, origin) for rows and columns that exist, and
 * by_rows(): whether neighbouring rows, not columns, should be put by neighbouring threads.
 */
template <class T>
struct StridedResult {
  T* data;
  int64_t row, step;
  const T* bias;  // one number a column, or null
  int64_t bias_step;
  int finish;

  ATHANOR_INLINE_MEMBER bool by_rows() const { return row == 1 && step != 1; }

  __device__ __forceinline__ void put(int64_t i, int64_t j, T sum, const Origin& o) const {
    if (bias != nullptr) sum = m::add(sum, bias[j * bias_step]);
    data[o.at[0] + i * row + j * step] = finish_with(finish, sum);
  }
};

/** Row and column of a tile. */
struct TilePlace {
  uint32_t row, column;
};

/**
 * The tile of block number i, of rows x columns tiles. Blocks that run at the same time have neighbouring numbers; in
 * bands of eight rows they share what they read: 128 of them read 8 + 16 panels of the factors, not 1 + 128.
 */
ATHANOR_ALWAYS_INLINE TilePlace tile_of(uint32_t i, uint32_t rows, uint32_t columns) {
  constexpr uint32_t band = 8;
  const uint32_t above = i / (band * columns) * band, within = i - above * columns;
  const uint32_t height = rows - above < band ? rows - above : band;
  return {above + within % height, within / height};
}

}  // namespace cuda
}  // namespace athanor
