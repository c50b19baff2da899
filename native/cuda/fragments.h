// Where the numbers of a tensor-core product lie: which element of A, B or D each register of each lane holds, after
// "Matrix fragments for mma" in the PTX reference. Plain functions, shared by the kernels and the simulator.
#pragma once
#include "core/dtype.h"

namespace athanor {
namespace cuda {

struct Element {
  int row, column;
};

/** D (and C) of m16n8: register 0 to 3 of a lane. */
ATHANOR_ALWAYS_INLINE constexpr Element accumulator_element(int lane, int reg) {
  return {lane / 4 + reg / 2 * 8, lane % 4 * 2 + reg % 2};
}

/** tf32, m16n8k8: A is 16 x 8 in four registers, B is 8 x 8 in two. */
ATHANOR_ALWAYS_INLINE constexpr Element tf32_a_element(int lane, int reg) {
  return {lane / 4 + reg % 2 * 8, lane % 4 + reg / 2 * 4};
}
ATHANOR_ALWAYS_INLINE constexpr Element tf32_b_element(int lane, int reg) { return {lane % 4 + reg * 4, lane / 4}; }

/** bf16, m16n8k16: A is 16 x 16 in four registers of two numbers each, B is 16 x 8 in two; the first of the two
 * numbers. */
ATHANOR_ALWAYS_INLINE constexpr Element bf16_a_element(int lane, int reg) {
  return {lane / 4 + reg % 2 * 8, lane % 4 * 2 + reg / 2 * 8};
}
ATHANOR_ALWAYS_INLINE constexpr Element bf16_b_element(int lane, int reg) { return {lane % 4 * 2 + reg * 8, lane / 4}; }

}  // namespace cuda
}  // namespace athanor
