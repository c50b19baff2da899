// Attention in tiles that does not wait for its copies: found where they land late.
#define ATHANOR_FAULT_ATTENTION_WAIT
#define ATHANOR_ATTENTION_FILE without_waiting
#include "test/cuda_attention.h"

using namespace athanor::test;
using namespace athanor::test::ATHANOR_ATTENTION_FILE;

TEST(cuda_fault_in_attention_that_does_not_wait_is_found) {
  CHECK(wrong_results<Exact>() > 0);
  CHECK(wrong_results<Tf32>() > 0);
  for (const int of_keys : {0, 1}) {
    CHECK(wrong_gradients<Exact>(of_keys) > 0);
    CHECK(wrong_gradients<Tf32>(of_keys) > 0);
  }
}
