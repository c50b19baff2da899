// Products of a matrix and a few vectors, by the kernels of gemm_skinny.h.
#include "cuda/matmul_skinny.h"

#include "cpu/dtypes.h"
#include "cuda/gemm_skinny.h"
#include "cuda/matmul_mma.h"

namespace athanor {
namespace cuda {
namespace {

/** T: in which numbers are multiplied and added; Stored: as which the factors are stored. */
template <class T, class Stored>
void run_as(const Call& c, const Products& p) {
  using Factor = SkinnyFactor<Stored>;
  using R = StridedResult<T>;
  const Factor a{c.in[0].as<const Stored>(), p.m, p.a_row, p.a_step, 1};
  const Factor b{c.in[1].as<const Stored>(), p.n, p.b_step, p.b_row, 2};
  const R out = result_of<T>(c, p);
  const GemmPlan plan = choose_skinny({p.m, p.n, p.k, p.count(), arithmetic_of(c), context_of(c).multiprocessors});
  const bool turned = p.m > p.n;
  const SkinnyJob<T, Stored, R> job{work_of<T>(c, plan, p.m, p.n, p.k, batch_of(p)), turned ? a : b, turned ? b : a,
                                    turned, out};
  const dim3 grid = grid_of(plan, job.work);
  // Lanes stand side by side where the matrix does; a depth that they would not fill is walked by warps.
  const bool dots = p.k >= kWarp && (job.many.depth_step == 1 || job.many.line_step != 1);
  const auto go = [&](auto by_dots, auto by_columns) {
    launch(c, dots ? by_dots : by_columns, grid, dim3(kSkinnyThreads), 0, job);
  };
  if (job.few.lines == 1)
    go(skinny_dots<1, T, Stored, R>, skinny_columns<1, T, Stored, R>);
  else if (job.few.lines <= 4)
    go(skinny_dots<4, T, Stored, R>, skinny_columns<4, T, Stored, R>);
  else
    go(skinny_dots<kMostFew, T, Stored, R>, skinny_columns<kMostFew, T, Stored, R>);
  add_parts(c, job.work, out);
}

}  // namespace

bool fits_skinny(const Products& p) { return is_skinny(p.m, p.n); }

void run_skinny(const Call& c, const Products& p) {
  if (p.m == 0 || p.n == 0 || p.count() == 0) return;
  switch (c.in[0].dtype) {
    case DType::f32: return run_as<float, float>(c, p);
    case DType::f64: return run_as<double, double>(c, p);
    case DType::i32: return run_as<uint32_t, uint32_t>(c, p);  // integers wrap around
    case DType::u8: return run_as<uint8_t, uint8_t>(c, p);
    case DType::bf16: return run_as<float, BFloat16>(c, p);
    default: refuse_dtype(c, c.in[0].dtype);
  }
}

}  // namespace cuda
}  // namespace athanor
