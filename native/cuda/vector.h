// Accesses of several neighbouring elements by one thread. A GPU faults where such an access is not aligned to its
// size: every one of them goes through here, and the simulator faults as well.
#pragma once
#include "cuda/runtime.h"

namespace athanor {
namespace cuda {

constexpr int kVectorBytes = 16;  // the widest access of a thread

template <class T, int N>
struct alignas(sizeof(T) * N) Vector {
  T at[N];
};

/** The elements of the widest access. */
template <class T>
constexpr int kVector = kVectorBytes / static_cast<int>(sizeof(T));

inline bool aligned(const void* data, size_t bytes) { return reinterpret_cast<uintptr_t>(data) % bytes == 0; }

template <int N, class T>
__device__ __forceinline__ Vector<T, N> load_vector(const T* from) {
#ifndef __CUDACC__
  simulator::check_aligned(from, sizeof(T) * N);
#endif
  return *reinterpret_cast<const Vector<T, N>*>(from);
}

template <int N, class T>
__device__ __forceinline__ void store_vector(T* to, const Vector<T, N>& vector) {
#ifndef __CUDACC__
  simulator::check_aligned(to, sizeof(T) * N);
#endif
  *reinterpret_cast<Vector<T, N>*>(to) = vector;
}

}  // namespace cuda
}  // namespace athanor
