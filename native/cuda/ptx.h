// The instructions that C++ has no words for; the only file with inline PTX. Beside each stands what the simulator
// does.
#pragma once
#include "cuda/fragments.h"
#include "cuda/runtime.h"

namespace athanor {
namespace cuda {

// ---- copies from global to shared memory that the thread does not wait for (cp.async, from sm_80 on)

/** Copies the first `filled` of Bytes (4, 8 or 16, and so aligned) and sets the rest to zero. */
template <int Bytes>
__device__ __forceinline__ void copy_async(void* shared, const void* global, int filled) {
#ifdef __CUDACC__
  const unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  // .cg leaves the first-level cache alone, which is of no use to data that go to shared memory; it is for 16 bytes
  // only.
  if constexpr (Bytes == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global), "r"(filled) : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(global), "n"(Bytes), "r"(filled)
                 : "memory");
#else
  simulator::copy_async(shared, global, Bytes, filled);
#endif
}

/** Ends a group of copies. */
__device__ __forceinline__ void commit_copies() {
#ifdef __CUDACC__
  asm volatile("cp.async.commit_group;" ::: "memory");
#else
  simulator::commit_copies();
#endif
}

/** Waits until at most `Pending` of this thread's groups are on their way. What other threads copied needs a barrier.
 */
template <int Pending>
__device__ __forceinline__ void wait_copies() {
#ifdef __CUDACC__
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
#else
  simulator::wait_copies(Pending);
#endif
}

// ---- 8 x 8 matrices of two-byte numbers from shared memory (ldmatrix, from sm_75 on)

#ifndef __CUDACC__
namespace simulated {

/** Lane l gets word l % 4 of row l / 4 of each matrix, whose rows are where lanes 8 m to 8 m + 7 point; transposed: the
 *  numbers of rows 2 (l % 4) and the next in column l / 4. */
template <bool Transposed>
void load_matrices(const void* const* in, void* const* out) {
  for (int lane = 0; lane < 32; ++lane)
    for (int matrix = 0; matrix < 4; ++matrix) {
      const auto number = [&](int row, int column) {
        return static_cast<const uint16_t*>(in[matrix * 8 + row])[column];
      };
      const int a = lane / 4, b = lane % 4 * 2;
      const uint16_t low = Transposed ? number(b, a) : number(a, b);
      const uint16_t high = Transposed ? number(b + 1, a) : number(a, b + 1);
      static_cast<uint32_t*>(out[lane])[matrix] = low | static_cast<uint32_t>(high) << 16;
    }
}

}  // namespace simulated
#endif

/** Four matrices; `row` is the row of 16 bytes, so aligned, that this lane points at. */
template <bool Transposed>
__device__ __forceinline__ void load_matrices(uint32_t (&to)[4], const void* row) {
#ifdef __CUDACC__
  const unsigned from = static_cast<unsigned>(__cvta_generic_to_shared(row));
  if constexpr (Transposed)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(from)
                 : "memory");
  else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(from)
                 : "memory");
#else
  simulator::check_aligned(row, 16);
  simulator::meet(kFullMask, row, to, simulated::load_matrices<Transposed>);
#endif
}

// ---- functions

/** 2^x to 2^-22 of itself, and 0 below the normal numbers: one instruction, where exp2f takes three more for those. */
__device__ __forceinline__ float power_of_two(float x) {
#ifdef __CUDACC__
  float out;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(out) : "f"(x));
  return out;
#else
  const float out = exp2f(x);
  return out < 0x1p-126f ? 0.0f : out;
#endif
}

// ---- tensor cores: D += A B of a warp, registers laid out as fragments.h says

/** A float in the 19 bits of tf32, rounded to nearest, ties away from zero. */
__device__ __forceinline__ uint32_t to_tf32(float x) {
#ifdef __CUDACC__
  uint32_t out;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(out) : "f"(x));
  return out;
#else
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return (bits & 0x7f800000u) == 0x7f800000u ? bits : (bits + 0x1000u) & 0xffffe000u;
#endif
}

#ifndef __CUDACC__
namespace simulated {

struct MmaIn {
  uint32_t a[4], b[2];
};

inline float float_of(uint32_t bits) {
  float out;
  std::memcpy(&out, &bits, sizeof out);
  return out;
}

/** D += A B from what 32 lanes hold; Bf16: two numbers a register, else one, whose last 13 bits a tensor core drops. */
template <bool Bf16>
void multiply(const void* const* in, void* const* out) {
  constexpr int depth = Bf16 ? 16 : 8;
  float a[16][depth], b[depth][8];
  for (int lane = 0; lane < 32; ++lane) {
    const auto& mine = *static_cast<const MmaIn*>(in[lane]);
    for (int reg = 0; reg < 4; ++reg) {
      if constexpr (Bf16) {
        const Element e = bf16_a_element(lane, reg);
        a[e.row][e.column] = float_of(mine.a[reg] << 16);
        a[e.row][e.column + 1] = float_of(mine.a[reg] & 0xffff0000u);
      } else {
        const Element e = tf32_a_element(lane, reg);
        a[e.row][e.column] = float_of(mine.a[reg] & 0xffffe000u);
      }
    }
    for (int reg = 0; reg < 2; ++reg) {
      if constexpr (Bf16) {
        const Element e = bf16_b_element(lane, reg);
        b[e.row][e.column] = float_of(mine.b[reg] << 16);
        b[e.row + 1][e.column] = float_of(mine.b[reg] & 0xffff0000u);
      } else {
        const Element e = tf32_b_element(lane, reg);
        b[e.row][e.column] = float_of(mine.b[reg] & 0xffffe000u);
      }
    }
  }
  for (int lane = 0; lane < 32; ++lane)
    for (int reg = 0; reg < 4; ++reg) {
      const Element e = accumulator_element(lane, reg);
      float& d = static_cast<float*>(out[lane])[reg];
      for (int k = 0; k < depth; ++k) d += a[e.row][k] * b[k][e.column];
    }
}

template <bool Bf16>
void mma(float* d, const uint32_t* a, const uint32_t* b) {
  const MmaIn in{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
  simulator::meet(kFullMask, &in, d, multiply<Bf16>);
}

}  // namespace simulated
#endif

/** m16n8k8 in tf32. */
__device__ __forceinline__ void mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#ifdef __CUDACC__
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
      "%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  simulated::mma<false>(d, a, b);
#endif
}

/** m16n8k16 in bf16. */
__device__ __forceinline__ void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#ifdef __CUDACC__
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
      "%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  simulated::mma<true>(d, a, b);
#endif
}

}  // namespace cuda
}  // namespace athanor
