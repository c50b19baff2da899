// Kernels with a barrier left out by a macro: the tests would be worth nothing if these passed.
#define ATHANOR_FAULT_GEMM_SIMT
#define ATHANOR_FAULT_MMA_BARRIER
#include "test/cuda_gemm_faults.h"

using namespace athanor::test;

TEST(cuda_fault_in_gemm_simt_is_found) { CHECK(wrong_schedules(start_simt) > 0); }

TEST(cuda_fault_in_gemm_sm80_is_found) { CHECK(wrong_schedules(start_sm80) > 0); }
