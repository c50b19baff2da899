// Products on the simulator, against float64: every kernel and layout, ragged sizes, every schedule; and two copies of
// the kernels with a barrier left out, which must be found out.
#include <cmath>
#include <random>

#include "cuda/gemm_simt.h"
#include "cuda/gemm_sm80.h"
#include "test/cuda_calls.h"
#include "test/cuda_products.h"

using namespace athanor;
using namespace athanor::cuda;
using namespace athanor::test;

TEST(cuda_gemm_choice) {
  const GemmShape large = {4096, 4096, 4096, 1, true, true, false, 132};
  CHECK(choose_gemm(large).family == GemmFamily::simt);
  CHECK_EQUAL(choose_gemm(large).tile_m, 128);
  GemmShape s = large;
  s.tensor_cores = true;
  CHECK(choose_gemm(s).family == GemmFamily::sm80);
  s.m = 8;  // too low for tensor cores
  CHECK(choose_gemm(s).family == GemmFamily::simt);
  s = large;
  s.m = s.n = 512;  // sixteen large tiles would leave most multiprocessors without work
  CHECK_EQUAL(choose_gemm(s).tile_m, 64);
  s.count = 64;
  CHECK_EQUAL(choose_gemm(s).tile_m, 128);
}

TEST(cuda_gemm_every_layout_and_ragged_size) {
  for (const Float32Precision precision : {Float32Precision::exact, Float32Precision::tf32})
    for (const Sizes size : {Sizes{1, 1, 1}, Sizes{5, 3, 7}, Sizes{17, 19, 33}, Sizes{64, 64, 16}, Sizes{70, 65, 50},
                             Sizes{16, 72, 0}, Sizes{128, 40, 24}})
      for (int layout = 0; layout < 9; ++layout) product_is_right(size, layout, precision);
}

TEST(cuda_gemm_large_tiles) {
  for (const Float32Precision precision : {Float32Precision::exact, Float32Precision::tf32})
    for (int layout = 0; layout < 9; ++layout) product_is_right({300, 260, 20}, layout, precision);
}

TEST(cuda_gemm_every_schedule) {
  for (const Float32Precision precision : {Float32Precision::exact, Float32Precision::tf32})
    simulator::each_schedule([&] {
      for (const int layout : {0, 4, 8}) product_is_right({70, 66, 50}, layout, precision);
    });
}

TEST(cuda_gemm_in_bfloat16) {
  simulator::each_schedule([] {
    bfloat16_product_is_right<Lies::along, Lies::across>({70, 66, 72});
    bfloat16_product_is_right<Lies::across, Lies::along>({72, 64, 40});
    bfloat16_product_is_right<Lies::anyhow, Lies::anyhow>({17, 19, 33});
  });
}
