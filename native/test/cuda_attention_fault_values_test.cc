// The other barrier of attention in tiles left out.
#define ATHANOR_FAULT_ATTENTION_VALUES
#define ATHANOR_ATTENTION_FILE without_values
#include "test/cuda_attention.h"

using namespace athanor::test;
using namespace athanor::test::ATHANOR_ATTENTION_FILE;

TEST(cuda_fault_in_attention_where_values_come_is_found) {
  CHECK(wrong_results<Exact>() > 0);
  CHECK(wrong_results<Tf32>() > 0);
  CHECK(wrong_gradients<Exact>(0) > 0);
  CHECK(wrong_gradients<Tf32>(0) > 0);
  CHECK_EQUAL(wrong_gradients<Exact>(1), 0);  // has no such barrier
}
