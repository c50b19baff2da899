// Attention in tiles with barriers left out by a macro, where tiles that rows walk have come: the tests would be worth
// nothing if these passed.
#define ATHANOR_FAULT_ATTENTION_KEYS
#define ATHANOR_FAULT_ATTENTION_QUERIES
#define ATHANOR_ATTENTION_FILE without_keys
#include "test/cuda_attention.h"

using namespace athanor::test;
using namespace athanor::test::ATHANOR_ATTENTION_FILE;

TEST(cuda_fault_in_attention_where_keys_come_is_found) {
  CHECK(wrong_results<Exact>() > 0);
  CHECK(wrong_results<Tf32>() > 0);
  CHECK(wrong_gradients<Exact>(0) > 0);
  CHECK(wrong_gradients<Tf32>(0) > 0);
}

TEST(cuda_fault_in_attention_where_queries_come_is_found) {
  CHECK(wrong_gradients<Exact>(1) > 0);
  CHECK(wrong_gradients<Tf32>(1) > 0);
}
