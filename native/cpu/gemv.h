// Matrix times vector: y[i] = begin[i] + sum over k of A[i, k] x[k]. Every element of A is used once, so the bound is
// the bandwidth of wherever A lies: 2 FLOPs per element of A. Rows are shared out among threads; where there are few,
// the depth is, and the partial sums are added in order.
#pragma once
#include "cpu/bfloat16.h"
#include "cpu/blocking.h"
#include "cpu/simd.h"
#include "cpu/slots.h"

namespace athanor {
namespace ATHANOR_ISA {

/** The elements of a matrix in the type that they are multiplied in. */
template <class T>
ATHANOR_ALWAYS_INLINE Vec<T> load_as(const T* p) {
  return load(p);
}
template <class T>
ATHANOR_ALWAYS_INLINE Vec<T> load_n_as(const T* p, int n) {
  return load_n(p, n);
}
template <class T>
ATHANOR_ALWAYS_INLINE T number_as(T x) {
  return x;
}
template <class T>
ATHANOR_ALWAYS_INLINE Vec<float> load_as(const BFloat16* p) {
  return widen_lanes(p);
}
template <class T>
ATHANOR_ALWAYS_INLINE Vec<float> load_n_as(const BFloat16* p, int n) {
  BFloat16 some[kLanes<float>] = {};
  for (int i = 0; i < n; ++i) some[i] = p[i];
  return widen_lanes(some);
}
template <class T>
ATHANOR_ALWAYS_INLINE float number_as(BFloat16 x) {
  return to_float(x);
}

/** T is what is computed in, E what the matrix consists of. */
template <class T, class E>
struct MatrixVector {
  int64_t m, k;
  const E* a;
  int64_t across, along;  // A's steps from row to row and within a row
  const T* x;             // contiguous
  T* y;
  int64_t y_stride;
  const T* bias;  // null: y starts from 0
  int64_t bias_stride;
};

/** y[0..H) as dot products along contiguous rows. Two accumulators a row hide the latency of the multiply-add. */
template <class T, int H, class E>
ATHANOR_ALWAYS_INLINE void dot_rows(const E* a, int64_t across, const T* x, int64_t k, T* sums) {
  constexpr int lanes = kLanes<T>;
  Vec<T> even[H], odd[H];
  for (int h = 0; h < H; ++h) even[h] = odd[h] = Vec<T>{};
  int64_t i = 0;
  for (; i + 2 * lanes <= k; i += 2 * lanes) {
    const Vec<T> x0 = load(x + i), x1 = load(x + i + lanes);
#pragma GCC unroll 8
    for (int h = 0; h < H; ++h) {
      even[h] += load_as<T>(a + h * across + i) * x0;
      odd[h] += load_as<T>(a + h * across + i + lanes) * x1;
    }
  }
  for (; i < k; i += lanes) {
    const int n = static_cast<int>(min_of<int64_t>(lanes, k - i));
    const Vec<T> x0 = load_n(x + i, n);
#pragma GCC unroll 8
    for (int h = 0; h < H; ++h) even[h] += load_n_as<T>(a + h * across + i, n) * x0;
  }
  for (int h = 0; h < H; ++h) sums[h] = sum_lanes<T>(even[h] + odd[h]);
}

/** `count` neighbours of y as a sum of scaled contiguous pieces of A's columns; count <= N * lanes. */
template <class T, int N, class E>
ATHANOR_ALWAYS_INLINE void add_columns(const E* a, int64_t along, const T* x, int64_t k, int count, T* sums) {
  constexpr int lanes = kLanes<T>;
  Vec<T> acc[N] = {};
  if (count == N * lanes) {
    for (int64_t i = 0; i < k; ++i)
#pragma GCC unroll 8
      for (int v = 0; v < N; ++v) acc[v] += load_as<T>(a + i * along + v * lanes) * x[i];
  } else {
    for (int64_t i = 0; i < k; ++i)
#pragma GCC unroll 8
      for (int v = 0; v < N; ++v) {
        const int n = max_of(0, min_of(lanes, count - v * lanes));
        acc[v] += load_n_as<T>(a + i * along + v * lanes, n) * x[i];
      }
  }
  for (int v = 0; v < N; ++v) store(sums + v * lanes, acc[v]);
}

/** Rows of A's transpose that are added to sums at a time: one reading and writing of these for four of A. Eight were
 *  no faster, nor was sharing out the depth among threads, each with whole rows. */
constexpr int kRowsTogether = 4;

/** sums[0..count) += x[0] a[0..count) + x[1] a[along..] + ..., Rows of them. The next rows are asked for meanwhile. */
template <class T, int Rows, class E>
ATHANOR_ALWAYS_INLINE void add_rows(const E* a, int64_t along, const T* x, int64_t count, T* sums) {
  constexpr int lanes = kLanes<T>;
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    Vec<T> sum = load(sums + i);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      __builtin_prefetch(a + (r + Rows) * along + i);
      sum += load_as<T>(a + r * along + i) * x[r];
    }
    store(sums + i, sum);
  }
  if (i == count) return;
  const int n = static_cast<int>(count - i);
  Vec<T> sum = load_n(sums + i, n);
  for (int r = 0; r < Rows; ++r) sum += load_n_as<T>(a + r * along + i, n) * x[r];
  store_n(sums + i, sum, n);
}

constexpr int kWide = 8;  // vectors of sums of neighbouring rows
// Blocks of the depth whose sums are added up: as many as fit the digits of the second level. A lane of a dot product
// gets one in 2 * kLanes of the elements.
constexpr int64_t kColumnBlock = 1024, kDotBlock = 16 * 1024;

/**
 * `count` sums over the depth, in blocks whose sums are then added: one sum over a million elements would lose half of
 * its digits. part(at, size, to) makes those of a block.
 */
template <class T, class F>
ATHANOR_ALWAYS_INLINE void sum_in_blocks(int64_t k, int64_t block, int count, T* sums, const F& part) {
  alignas(kVectorBytes) T more[kWide * kLanes<T>];
  int64_t at = 0;
  do {
    part(at, min_of(block, k - at), at == 0 ? sums : more);
    if (at > 0)
      for (int i = 0; i < count; ++i) sums[i] += more[i];
    at += block;
  } while (at < k);
}

// Where rows of A's transpose lie a page or more apart, blocks of its columns meet a page a row, and the same few sets
// of the first level: from so many columns on it is read row by row.
constexpr int64_t kWideRun = 256, kFarApart = 4096;

/** A run of sums: with as many again for those of a block, a third of a first level. */
template <class T>
constexpr int64_t kRun = 8192 / sizeof(T);

/** As `add_columns` for a run of `count` sums: A is read as it lies, row after row of its transpose. */
template <class T, class E>
__attribute__((noinline)) void sum_of_rows(const E* a, int64_t along, const T* x, int64_t k, int64_t count, T* sums) {
  alignas(kVectorBytes) T block[kRun<T>];
  if (k == 0)
    for (int64_t i = 0; i < count; ++i) sums[i] = 0;
  for (int64_t at = 0; at < k; at += kColumnBlock) {
    const int64_t end = min_of(at + kColumnBlock, k);
    T* const to = at == 0 ? sums : block;
    for (int64_t i = 0; i < count; ++i) to[i] = 0;
    int64_t l = at;
    for (; l + kRowsTogether <= end; l += kRowsTogether)
      add_rows<T, kRowsTogether>(a + l * along, along, x + l, count, to);
    for (; l < end; ++l) add_rows<T, 1>(a + l * along, along, x + l, count, to);
    if (at > 0)
      for (int64_t i = 0; i < count; ++i) sums[i] += block[i];
  }
}

/** Rows [from, to) over the depth [k0, k1), each sum handed to finish(i, sum). */
template <class T, class E, class F>
void matrix_vector_part(const MatrixVector<T, E>& p, int64_t from, int64_t to, int64_t k0, int64_t k1,
                        const F& finish) {
  constexpr int lanes = kLanes<T>;
  const E* a = p.a + k0 * p.along;
  const T* x = p.x + k0;
  const int64_t k = k1 - k0;
  alignas(kVectorBytes) T sums[kWide * lanes];
  int64_t i = from;
  if (p.along == 1) {
    for (; i + 4 <= to; i += 4) {
      sum_in_blocks<T>(k, kDotBlock, 4, sums, [&](int64_t at, int64_t size, T* to) {
        dot_rows<T, 4>(a + i * p.across + at, p.across, x + at, size, to);
      });
      for (int h = 0; h < 4; ++h) finish(i + h, sums[h]);
    }
    for (; i < to; ++i) {
      sum_in_blocks<T>(k, kDotBlock, 1, sums, [&](int64_t at, int64_t size, T* to) {
        dot_rows<T, 1>(a + i * p.across + at, p.across, x + at, size, to);
      });
      finish(i, sums[0]);
    }
  } else if (p.across == 1) {
    alignas(kVectorBytes) T run[kRun<T>];
    while (to - i >= kWideRun && p.along * static_cast<int64_t>(sizeof(E)) >= kFarApart) {
      const int64_t count = min_of(kRun<T>, to - i);
      sum_of_rows<T>(a + i, p.along, x, k, count, run);
      for (int64_t h = 0; h < count; ++h) finish(i + h, run[h]);
      i += count;
    }
    while (i < to) {
      const int count = static_cast<int>(min_of<int64_t>(kWide * lanes, to - i));
      sum_in_blocks<T>(k, kColumnBlock, count, sums, [&](int64_t at, int64_t size, T* sum) {
        if (count > 2 * lanes)
          add_columns<T, kWide>(a + i + at * p.along, p.along, x + at, size, count, sum);
        else
          add_columns<T, 2>(a + i + at * p.along, p.along, x + at, size, count, sum);
      });
      for (int h = 0; h < count; ++h) finish(i + h, sums[h]);
      i += count;
    }
  } else {
    for (; i < to; ++i) {
      sum_in_blocks<T>(k, kColumnBlock, 1, sums, [&](int64_t at, int64_t size, T* sum) {
        *sum = 0;
        for (int64_t l = at; l < at + size; ++l) *sum += number_as<T>(a[i * p.across + l * p.along]) * x[l];
      });
      finish(i, sums[0]);
    }
  }
}

/** The product on the calling thread. */
template <class T, class E>
void matrix_vector_serial(const MatrixVector<T, E>& p, int64_t from, int64_t to) {
  matrix_vector_part(p, from, to, 0, p.k, [&](int64_t i, T sum) {
    p.y[i * p.y_stride] = p.bias == nullptr ? sum : p.bias[i * p.bias_stride] + sum;
  });
}

template <class T, class E>
void matrix_vector(Context* ctx, const MatrixVector<T, E>& p) {
  // One piece a thread while the matrix fits near caches: each then finds in its own what it read the last time. More
  // pieces, which go to whoever is free, made products of 0.5 to 2 MB slower by a quarter.
  const int64_t most = p.m * p.k <= Blocking<T>::shared ? ctx->threads : 4 * ctx->threads;
  const int64_t parts = min_of(most, chunk_count(ctx, p.m * p.k, kGrain));
  if (p.m >= 16 * parts || parts == 1) {
    const int64_t grain = p.m / parts;
    return parallel_for(ctx, p.m, grain, [&](int64_t from, int64_t to) { matrix_vector_serial(p, from, to); });
  }
  const ScratchMark mark(ctx);  // a batch of products calls this for each
  T* partial = scratch_array<T>(ctx, parts * p.m);
  parallel_each(ctx, parts, [&](int64_t part) {
    matrix_vector_part(p, 0, p.m, p.k * part / parts, p.k * (part + 1) / parts,
                       [&](int64_t i, T sum) { partial[part * p.m + i] = sum; });
  });
  for (int64_t i = 0; i < p.m; ++i) {
    T sum = p.bias == nullptr ? T(0) : p.bias[i * p.bias_stride];
    for (int64_t part = 0; part < parts; ++part) sum += partial[part * p.m + i];
    p.y[i * p.y_stride] = sum;
  }
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
