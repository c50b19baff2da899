// Kernels with a barrier left out by a macro: the tests would be worth nothing if these passed. The simulator makes
// kernels static, so that this file has copies of its own.
#define ATHANOR_FAULT_GEMM_SIMT
#define ATHANOR_FAULT_GEMM_SM80
#include "cuda/gemm_simt.h"
#include "cuda/gemm_sm80.h"
#include "test/cuda_products.h"

using namespace athanor;
using namespace athanor::test;

namespace {

using Problem = cuda::Gemm<float, float>;

/** How many schedules start(call, problem), which launches a kernel, does not survive. */
int wrong_schedules(void (*start)(const Call&, const Problem&)) {
  int wrong = 0;
  simulator::each_schedule([&] {
    std::mt19937 random(5);
    Matrix a(70, 100, 0), b(100, 66, 0), out(70, 66, 0);
    a.draw(random);
    b.draw(random);
    Problem g{};
    g.m = 70, g.n = 66, g.k = 100;
    g.a = a.data.data(), g.b = b.data.data(), g.out = out.data.data();
    g.a_row = a.row, g.a_step = a.step, g.b_row = b.row, g.b_step = b.step, g.out_row = out.row;
    g.out_step = out.step;
    g.batch.count = 1;
    CudaContext context;
    start(Call{nullptr, nullptr, nullptr, 0, 0, 0, &context}, g);
    context.synchronize();
    try {
      compare_product(out, a, b, 0x1p-11, "fault");
    } catch (const CheckFailed&) {
      ++wrong;
    }
  });
  return wrong;
}

void start_simt(const Call& c, const Problem& g) {
  using A = cuda::StridedFactor<float, true>;
  using B = cuda::StridedFactor<float, false>;
  using R = cuda::StridedResult<float>;
  cuda::launch(c, cuda::gemm_simt<64, 16, A, B, R>, dim3(2, 2), dim3(cuda::kSimtThreads), 0, g.k,
               A{g.a, g.m, g.a_row, g.k, g.a_step, 1}, B{g.b, g.n, g.b_step, g.k, g.b_row, 2},
               R{g.out, g.m, g.n, g.out_row, g.out_step, nullptr, 0, 0}, g.batch);
}

void start_sm80(const Call& c, const Problem& g) {
  constexpr auto lies = cuda::Lies::anyhow;
  cuda::launch(c, cuda::gemm_sm80<float, 64, lies, lies>, dim3(2, 2), dim3(cuda::kMmaThreads),
               sizeof(cuda::MmaTiles<float, 64, lies, lies>), g);
}

}  // namespace

TEST(cuda_fault_in_gemm_simt_is_found) { CHECK(wrong_schedules(start_simt) > 0); }

TEST(cuda_fault_in_gemm_sm80_is_found) { CHECK(wrong_schedules(start_sm80) > 0); }
