// Products with a short side on the simulator: every count of lines, layout and dtype, batches, depths in parts, every
// schedule; and what they are chosen by.
#include "cuda/gemm_plan.h"
#include "test/cuda_products.h"
#include "test/kernels.h"

using namespace athanor;
using namespace athanor::cuda;
using namespace athanor::test;

namespace {

const Asked kinds[] = {{DType::f32, Float32Precision::exact}, {DType::bf16, Float32Precision::exact}};

/** out [count, m, n] = x [count, m, k] times one matrix for all, y [k, n], by the kernel of this name. */
template <class T>
void batch_is_right(int64_t count, int64_t m, int64_t n, int64_t k, DType dtype) {
  std::vector<T> x(static_cast<size_t>(count * m * k)), y(static_cast<size_t>(k * n));
  std::vector<T> out(static_cast<size_t>(count * m * n), T(99));
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<T>(i * 7 % 11);
  for (size_t i = 0; i < y.size(); ++i) y[i] = static_cast<T>(i * 5 % 7);
  View in[2] = {row_major(x.data(), dtype, {m, count, k}), row_major(y.data(), dtype, {k, n})};
  View to = row_major(out.data(), dtype, {m, count, n});
  for (View* v : {&in[0], &to}) {  // rows of a product apart, so that the batch does not become more rows
    std::swap(v->shape[0], v->shape[1]);
    std::swap(v->strides[0], v->strides[1]);
  }
  CudaContext context;
  const Call call{in, &to, nullptr, 2, 1, 0, &context};
  const OpKernels& kernels = cuda_kernels(cuda::matmul, "matmul");
  for (int i = 0; i < kernels.count; ++i) {
    if (std::string(kernels.kernels[i].name) != "skinny") continue;
    CHECK(kernels.kernels[i].fits(call));
    kernels.kernels[i].run(call);
  }
  context.synchronize();
  for (int64_t b = 0; b < count; ++b)
    for (int64_t r = 0; r < m; ++r)
      for (int64_t j = 0; j < n; ++j) {
        T sum = 0;
        for (int64_t d = 0; d < k; ++d)
          sum += x[static_cast<size_t>((r * count + b) * k + d)] * y[static_cast<size_t>(d * n + j)];
        CHECK_EQUAL(out[static_cast<size_t>((r * count + b) * n + j)], sum);
      }
}

}  // namespace

TEST(cuda_skinny_every_layout_and_count_of_lines) {
  for (const Asked& asked : kinds)
    for (const Sizes size : {Sizes{1, 70, 130}, Sizes{2, 33, 40}, Sizes{4, 31, 65}, Sizes{5, 64, 9}, Sizes{16, 100, 33},
                             Sizes{70, 1, 130}, Sizes{33, 3, 77}, Sizes{90, 16, 64}, Sizes{1, 1, 300}})
      for (int layout = 0; layout < 9; ++layout) product_is_right(size, layout, asked);
}

TEST(cuda_skinny_batches_and_whole_numbers) {
  batch_is_right<int32_t>(3, 2, 40, 50, DType::i32);
  batch_is_right<double>(5, 3, 33, 20, DType::f64);
  batch_is_right<float>(70000, 1, 2, 1, DType::f32);  // more products than a grid is deep
}

TEST(cuda_skinny_depth_in_parts) {
  const GemmPlan plan = choose_skinny({1, 40, 5001, 1, Arithmetic::exact, 132});
  CHECK(plan.family == GemmFamily::skinny);
  CHECK_EQUAL(plan.parts, 9);
  Asked asked = kinds[0];
  asked.multiprocessors = 132;
  for (int layout = 0; layout < 9; layout += 2) {
    product_is_right({1, 40, 5001}, layout, asked);
    product_is_right({50, 3, 2000}, layout, asked);
  }
}

TEST(cuda_skinny_every_schedule) {
  for (const Asked& asked : kinds)
    simulator::each_schedule([&] {
      for (const int layout : {0, 1, 8}) {
        product_is_right({3, 40, 100}, layout, asked);
        product_is_right({40, 16, 70}, layout, asked);
      }
    });
}

TEST(cuda_skinny_choice) {
  CHECK(is_skinny(1, 4096));
  CHECK(is_skinny(4096, 16));
  CHECK(!is_skinny(17, 17));
  // Lines enough for every multiprocessor, or too little depth to share.
  CHECK_EQUAL(choose_skinny({1, 32000, 4096, 1, Arithmetic::exact, 132}).parts, 1);
  CHECK_EQUAL(choose_skinny({1, 32, 300, 1, Arithmetic::exact, 132}).parts, 1);
  CHECK_EQUAL(choose_skinny({1, 32, 0, 1, Arithmetic::exact, 132}).parts, 1);
  const GemmPlan tall = choose_skinny({4096, 8, 100000, 1, Arithmetic::exact, 132});
  CHECK_EQUAL(tall.tile_m, static_cast<int>(kSkinnyBlock));
  CHECK(tall.parts > 1);
  CHECK(tall.parts * tall.part_depth >= 100000);
  CHECK((tall.parts - 1) * tall.part_depth < 100000);
  CHECK_EQUAL(tall.part_depth % 64, 0);
}
