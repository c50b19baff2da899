// A loop over slices that does not wait for its copies: found where they land late.
#define ATHANOR_FAULT_MMA_WAIT
#include "test/cuda_gemm_faults.h"

using namespace athanor::test;

TEST(cuda_fault_in_waiting_for_copies_is_found) { CHECK(wrong_schedules(start_sm80) > 0); }
