// A thread's share of a line, in registers: what is read once need not be read again for a second pass.
#pragma once
#include "cuda/vector.h"

namespace athanor {
namespace cuda {

/** Blocks of 256 threads that are to fit a multiprocessor, when each thread holds so many bytes: the loads of one are
 * on their way while the other computes. Not without vectors, when the places of elements take most registers. */
constexpr int held_blocks(size_t bytes, int wide) { return wide > 1 && bytes <= 128 ? 2 : 1; }

/**
 * Which elements of a line of `length` are whose: from `first` on, thread t of `Threads` has E of them, in E / V pieces
 * of V neighbours. Lines need not begin at multiples of V: `off` elements before it does the first piece begin.
 */
template <int Threads, int E, int V>
struct LineShare {
  static constexpr int64_t all = static_cast<int64_t>(Threads) * E;  // elements of all threads
  int t;
  int64_t length, off;

  /** How far the vector that an element lies in begins before it. */
  template <class T>
  static __device__ __forceinline__ int64_t off_of(const T* line) {
    return V == 1 ? 0 : static_cast<int64_t>(reinterpret_cast<uintptr_t>(line) / sizeof(T) % V);
  }
  __device__ __forceinline__ int64_t place(int64_t first, int piece) const {
    return first + (static_cast<int64_t>(piece) * Threads + t) * V - off;
  }

  /** The place of the thread's k-th element, and whether it is of the line. */
  __device__ __forceinline__ int64_t index(int64_t first, int k) const { return place(first, k / V) + k % V; }
  __device__ __forceinline__ bool inside(int64_t i) const { return i >= 0 && i < length; }

  /** Elements `step` apart (1, where V is more than 1); past the ends of the line `nothing`. */
  template <class T>
  __device__ __forceinline__ void load(T (&x)[E], const T* line, int64_t step, int64_t first, T nothing) const {
#pragma unroll
    for (int q = 0; q < E / V; ++q) {
      const int64_t i = place(first, q);
      if (V > 1 && i >= 0 && i + V <= length) {
        const Vector<T, V> found = load_vector<V>(line + i);
#pragma unroll
        for (int v = 0; v < V; ++v) x[q * V + v] = found.at[v];
      } else {
#pragma unroll
        for (int v = 0; v < V; ++v) {
          if (inside(i + v))
            x[q * V + v] = line[(i + v) * step];
          else
            x[q * V + v] = nothing;
        }
      }
    }
  }

  /** result(k), of the k-th of the thread's elements, to its place; before those of a piece, prepare(place of the first
   * of its V elements, whether all are of the line). */
  template <class T, class F, class P>
  __device__ __forceinline__ void store(T* line, int64_t step, int64_t first, const F& result, const P& prepare) const {
#pragma unroll
    for (int q = 0; q < E / V; ++q) {
      const int64_t i = place(first, q);
      const bool whole = i >= 0 && i + V <= length;
      prepare(i, whole);
      if (V > 1 && whole) {
        Vector<T, V> made;
#pragma unroll
        for (int v = 0; v < V; ++v) made.at[v] = result(q * V + v);
        store_vector(line + i, made);
      } else {
#pragma unroll
        for (int v = 0; v < V; ++v)
          if (inside(i + v)) line[(i + v) * step] = result(q * V + v);
      }
    }
  }
  template <class T, class F>
  __device__ __forceinline__ void store(T* line, int64_t step, int64_t first, const F& result) const {
    store(line, step, first, result, [](int64_t, bool) {});
  }
};

}  // namespace cuda
}  // namespace athanor
