// Products on the simulator, against float64: every kernel, tile and layout, ragged sizes, depths in parts, every
// schedule. What the kernels are chosen by, and how slices lie in shared memory, are plain functions and tested as
// such.
#include <set>

#include "cuda/gemm_plan.h"
#include "cuda/gemm_sm80.h"
#include "test/cuda_calls.h"
#include "test/cuda_products.h"

using namespace athanor;
using namespace athanor::cuda;
using namespace athanor::test;

namespace {

const Asked kinds[] = {{DType::f32, Float32Precision::exact},
                       {DType::f32, Float32Precision::tf32},
                       {DType::bf16, Float32Precision::exact}};

Asked with_multiprocessors(Asked asked, int count) {
  asked.multiprocessors = count;
  return asked;
}

}  // namespace

TEST(cuda_gemm_every_layout_and_ragged_size) {
  for (const Asked& asked : kinds)
    for (const Sizes size : {Sizes{1, 1, 1}, Sizes{5, 3, 7}, Sizes{17, 19, 33}, Sizes{64, 64, 16}, Sizes{70, 65, 50},
                             Sizes{16, 72, 0}, Sizes{128, 40, 24}, Sizes{24, 16, 1}})
      for (int layout = 0; layout < 9; ++layout) product_is_right(size, layout, asked);
}

TEST(cuda_gemm_every_tile) {
  // On one multiprocessor the largest tile that is filled is the best.
  for (const Asked& asked : kinds)
    for (const Sizes size : {Sizes{130, 260, 70}, Sizes{128, 120, 40}, Sizes{200, 60, 72}, Sizes{60, 50, 100}})
      for (int layout = 0; layout < 9; layout += 2) product_is_right(size, layout, with_multiprocessors(asked, 1));
}

TEST(cuda_gemm_depth_in_parts) {
  for (const Asked& asked : kinds) {
    const Arithmetic arithmetic = asked.dtype == DType::bf16                  ? Arithmetic::bfloat16
                                  : asked.precision == Float32Precision::tf32 ? Arithmetic::tf32
                                                                              : Arithmetic::exact;
    CHECK(choose_gemm({40, 48, 5001, 1, arithmetic, 132}).parts > 1);
    for (const int layout : {0, 4, 8}) product_is_right({40, 48, 5001}, layout, with_multiprocessors(asked, 132));
  }
}

TEST(cuda_gemm_every_schedule) {
  for (const Asked& asked : kinds)
    simulator::each_schedule([&] {
      for (const int layout : {0, 4, 8}) product_is_right({70, 66, 150}, layout, asked);
    });
}

// ---- the choice

TEST(cuda_gemm_choice_of_tiles) {
  const auto choose = [](int64_t m, int64_t n, int64_t k, Arithmetic arithmetic, int64_t count = 1) {
    return choose_gemm({m, n, k, count, arithmetic, 132});
  };
  for (const Arithmetic arithmetic : {Arithmetic::exact, Arithmetic::tf32, Arithmetic::bfloat16}) {
    const GemmPlan large = choose(4096, 4096, 4096, arithmetic);
    CHECK(large.family == (arithmetic == Arithmetic::exact ? GemmFamily::simt : GemmFamily::sm80));
    CHECK_EQUAL(large.tile_m, 128);
    CHECK_EQUAL(large.tile_n, arithmetic == Arithmetic::exact ? 128 : 256);
    CHECK_EQUAL(large.parts, 1);
    // Many small products: none is larger than its tile.
    CHECK_EQUAL(choose(64, 64, 64, arithmetic, 4096).tile_n, 64);
    CHECK_EQUAL(choose(64, 64, 64, arithmetic, 4096).parts, 1);
  }
  CHECK_EQUAL(choose(100000, 64, 576, Arithmetic::tf32).tile_m, 128);
  CHECK_EQUAL(choose(100000, 64, 576, Arithmetic::tf32).tile_n, 64);
  CHECK_EQUAL(choose(4096, 4096, 4096, Arithmetic::wide).tile_m, 64);
  CHECK_EQUAL(choose_gemm({4096, 4096, 4096, 1, Arithmetic::tf32, 132, 128}).tile_n, 128);
  CHECK(fills_tensor_cores(16, 16));
  CHECK(!fills_tensor_cores(15, 4096));
}

TEST(cuda_gemm_choice_of_parts) {
  for (const Arithmetic arithmetic : {Arithmetic::exact, Arithmetic::wide, Arithmetic::tf32, Arithmetic::bfloat16}) {
    // The gradient of a weight: few tiles, a long depth.
    const GemmPlan weight = choose_gemm({64, 576, 200704, 1, arithmetic, 132});
    CHECK(weight.parts > 8);
    CHECK(weight.parts * weight.part_depth >= 200704);
    CHECK((weight.parts - 1) * weight.part_depth < 200704);
    CHECK_EQUAL(weight.part_depth % 64, 0);
    // One multiprocessor has nobody to share the depth with.
    CHECK_EQUAL(choose_gemm({64, 576, 200704, 1, arithmetic, 1}).parts, 1);
    // Enough tiles, or too little depth.
    CHECK_EQUAL(choose_gemm({8192, 8192, 8192, 1, arithmetic, 132}).parts, 1);
    CHECK_EQUAL(choose_gemm({64, 64, 300, 1, arithmetic, 132}).parts, 1);
    CHECK_EQUAL(choose_gemm({64, 64, 0, 1, arithmetic, 132}).parts, 1);
    // Never more sums than memory for them is given.
    const GemmPlan wide = choose_gemm({20000, 20000, 4096, 1, arithmetic, 100000});
    CHECK(static_cast<int64_t>(wide.parts) * 20000 * 20000 <= int64_t{1} << 29);
  }
}

TEST(cuda_gemm_grid_ends_where_devices_do) {
  Work<float> work{};
  work.m = 130, work.n = 64;
  work.parts = 3;
  const auto blocks = [&](uint32_t products) {
    work.batch.count = products;
    return grid_of({GemmFamily::simt, 64, 64, 3, 64}, work);
  };
  CHECK_EQUAL(blocks(7).x, 3u);
  CHECK_EQUAL(blocks(7).z, 21u);
  CHECK_EQUAL(blocks(21845).z, 65535u);
  CHECK_EQUAL(blocks(21846).z, 65535u);  // three blocks have two items
}

TEST(cuda_gemm_every_tile_has_its_place_once) {
  for (const uint32_t rows : {1u, 7u, 8u, 9u, 31u})
    for (const uint32_t columns : {1u, 3u, 16u}) {
      std::set<std::pair<uint32_t, uint32_t>> seen;
      for (uint32_t i = 0; i < rows * columns; ++i) {
        const TilePlace p = tile_of(i, rows, columns);
        CHECK(p.row < rows && p.column < columns);
        seen.insert({p.row, p.column});
      }
      CHECK_EQUAL(seen.size(), static_cast<size_t>(rows) * columns);
    }
}
