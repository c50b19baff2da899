// The problem of the planted faults by kernels as they are: what is found in the others is their faults.
#include "test/cuda_gemm_faults.h"

using namespace athanor::test;

TEST(cuda_gemm_without_a_fault_survives) {
  CHECK_EQUAL(wrong_schedules(start_simt), 0);
  CHECK_EQUAL(wrong_schedules(start_sm80), 0);
}
