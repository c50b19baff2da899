// A product by kernels that a fault was planted in by a macro. The simulator makes kernels static, so each file that
// includes this has copies of its own; a file has one fault.
#pragma once
#include "cuda/gemm_simt.h"
#include "cuda/gemm_sm80.h"
#include "test/cuda_products.h"

namespace athanor {
namespace test {
namespace {

using Problem = cuda::Work<float>;

/**
 * How many schedules start(call, work, a, b, out), which launches a kernel, does not survive. There are three products,
 * stacked, for one block of each tile: as for products beyond what a grid has blocks for.
 */
[[maybe_unused]] int wrong_schedules(void (*start)(const Call&, const Problem&, Matrix&, Matrix&, Matrix&)) {
  constexpr int64_t count = 3, m = 72, n = 68, depth = 100;
  int wrong = 0;
  simulator::each_schedule([&] {
    std::mt19937 random(5);
    Matrix a(count * m, depth, 0), b(count * depth, n, 0), out(count * m, n, 0);
    a.draw(random);
    b.draw(random);
    Problem work{};
    work.m = m, work.n = n, work.depth = depth;
    work.batch.ndim = 1;
    work.batch.count = count;
    work.batch.sizes[0] = cuda::FastDivide(count);
    work.batch.strides[0][0] = m * n, work.batch.strides[1][0] = m * depth, work.batch.strides[2][0] = depth * n;
    work.parts = 1;
    work.part_depth = 128;
    CudaContext context;
    start(Call{nullptr, nullptr, nullptr, 0, 0, 0, &context}, work, a, b, out);
    context.synchronize();
    const auto product = [](const Matrix& all, int64_t i, int64_t rows) {
      Matrix one(rows, all.columns, 0);
      const auto from = all.data.begin() + i * rows * all.columns;
      one.data.assign(from, from + rows * all.columns);
      return one;
    };
    try {
      for (int64_t i = 0; i < count; ++i) {
        Matrix found = product(out, i, m), left = product(a, i, m), right = product(b, i, depth);
        compare_product(found, left, right, 0x1p-11, "fault");
      }
    } catch (const CheckFailed&) {
      ++wrong;
    }
  });
  return wrong;
}

cuda::StridedResult<float> result_of(Matrix& out) { return {out.data.data(), out.row, out.step, nullptr, 0, 0}; }

[[maybe_unused]] void start_simt(const Call& c, const Problem& work, Matrix& a, Matrix& b, Matrix& out) {
  using A = cuda::StridedFactor<float, true>;
  using B = cuda::StridedFactor<float, false>;
  using R = cuda::StridedResult<float>;
  cuda::launch(c, cuda::gemm_simt<64, 16, A, B, R>, dim3(4), dim3(cuda::kSimtThreads), 0, work,
               A{a.data.data(), work.m, a.row, work.depth, a.step, 1},
               B{b.data.data(), work.n, b.step, work.depth, b.row, 2}, result_of(out));
}

[[maybe_unused]] void start_sm80(const Call& c, const Problem& work, Matrix& a, Matrix& b, Matrix& out) {
  using A = cuda::LinedFactor<float, false>;
  using B = cuda::LinedFactor<float, true>;
  using R = cuda::StridedResult<float>;
  using Tile = cuda::MmaTile64;
  cuda::launch(c, cuda::gemm_sm80<Tile, A, B, R>, dim3(4), dim3(cuda::kMmaThreads), sizeof(cuda::MmaRing<float, Tile>),
               work, A{a.data.data(), work.m, a.row, 1}, B{b.data.data(), work.n, b.row, 2}, result_of(out));
}

}  // namespace
}  // namespace test
}  // namespace athanor
