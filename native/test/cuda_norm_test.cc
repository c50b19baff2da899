// What the parts of a batch norm's channels are chosen by, and that a large mean costs no digits.
#include <cmath>

#include "cuda/norm_split.h"
#include "test/cuda_calls.h"
#include "test/kernels.h"

using namespace athanor;
using namespace athanor::test;

TEST(cuda_norm_choice_of_parts) {
  using cuda::choose_norm_parts;
  CHECK_EQUAL(choose_norm_parts(64, 200704, 132), 16);  // eight blocks for each multiprocessor
  CHECK_EQUAL(choose_norm_parts(64, 9000, 132), 2);     // no part is shorter than a block needs
  CHECK_EQUAL(choose_norm_parts(64, 1000, 132), 1);
  CHECK_EQUAL(choose_norm_parts(264, 200704, 132), 4);
  CHECK_EQUAL(choose_norm_parts(1056, 200704, 132), 1);   // blocks enough
  CHECK_EQUAL(choose_norm_parts(1, 1 << 30, 132), 1056);  // far below what a grid's second side allows
  CHECK_EQUAL(choose_norm_parts(0, 0, 132), 1);
}

TEST(cuda_norm_in_parts_keeps_the_digits_of_a_large_mean) {
  constexpr int64_t size = 20000;
  auto x = Array<float>::random({1, 1, size}, 5);
  for (float& v : x.data) v += 4096;
  Array<float> weight({1}, 1), bias({1}, 0), out(x.shape), mean({1, 1, 1}), variance({1, 1, 1});
  const View in[3] = {x.view(), weight.view(), bias.view()}, to[3] = {out.view(), mean.view(), variance.view()};
  const double attrs[2] = {1e-5, 0};
  CudaContext context;
  CHECK(cuda::choose_norm_parts(1, size, context.multiprocessors) > 1);
  cuda::run_first(cuda_kernels(cuda::norm, "batchNorm"), Call{in, to, attrs, 3, 3, 2, &context});
  context.synchronize();
  double sum = 0, squares = 0;
  for (const float v : x.data) sum += v;
  for (const float v : x.data) squares += (v - sum / size) * (v - sum / size);
  is_near(mean.data[0], sum / size, "the mean");
  CHECK(std::fabs(variance.data[0] / (squares / size) - 1) < 1e-6);
}
