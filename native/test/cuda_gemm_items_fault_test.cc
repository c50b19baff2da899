// Kernels that begin their next product while the last one is still on its way out of shared memory.
#define ATHANOR_FAULT_GEMM_ITEMS
#include "test/cuda_gemm_faults.h"

using namespace athanor::test;

TEST(cuda_fault_between_products_is_found) {
  CHECK(wrong_schedules(start_simt) > 0);
  CHECK(wrong_schedules(start_sm80) > 0);
}
