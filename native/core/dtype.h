// Element types. The numbers are part of the protocol with lib/dtype.ts: append, never reorder.
#pragma once
#include <cstddef>
#include <cstdint>

namespace athanor {

enum class DType : uint8_t { f32 = 0, f64 = 1, i32 = 2, u8 = 3, b8 = 4, bf16 = 5, f16 = 6, i64 = 7 };
constexpr int kDTypes = 8;

constexpr size_t kItemSize[kDTypes] = {4, 8, 4, 1, 1, 2, 2, 8};
constexpr const char* kDTypeName[kDTypes] = {"float32", "float64",  "int32",   "uint8",
                                             "bool",    "bfloat16", "float16", "int64"};

#define ATHANOR_HOST_INLINE static inline __attribute__((always_inline))
#ifdef __CUDACC__  // what host and device share
#define ATHANOR_ALWAYS_INLINE static __host__ __device__ __forceinline__
#define ATHANOR_INLINE_MEMBER __host__ __device__ __forceinline__
#else
#define ATHANOR_ALWAYS_INLINE ATHANOR_HOST_INLINE
#define ATHANOR_INLINE_MEMBER __attribute__((always_inline))
#endif

ATHANOR_HOST_INLINE size_t item_size(DType t) { return kItemSize[static_cast<int>(t)]; }
ATHANOR_HOST_INLINE const char* dtype_name(DType t) { return kDTypeName[static_cast<int>(t)]; }

}  // namespace athanor
