// matmul, linear and linearActivation: the exact kernels of gemm_simt.h, and which products tensor cores take.
#include "cpu/dtypes.h"
#include "cuda/dense.h"
#include "cuda/families.h"
#include "cuda/gemm_simt.h"
#include "cuda/matmul_mma.h"
#include "cuda/matmul_skinny.h"

namespace athanor {
namespace cuda {
namespace {

/** T: in which numbers are multiplied and added; In and Out: as which they are stored. */
template <class T, class In, int Tile, bool AlongA, bool AlongB>
void run_simt(const Call& c, const Products& p, const GemmPlan& plan) {
  // A thread's share of the next slices waits in registers, of which a large tile's sums take a quarter.
  constexpr int depth = sizeof(T) == 8 || Tile == 128 ? 8 : 16;
  using A = StridedFactor<T, AlongA, In>;
  using B = StridedFactor<T, AlongB, In>;
  using R = StridedResult<T>;
  const A a{c.in[0].as<const In>(), p.m, p.a_row, p.k, p.a_step, 1};
  const B b{c.in[1].as<const In>(), p.n, p.b_step, p.k, p.b_row, 2};
  const R out = result_of<T>(c, p);
  const auto work = work_of<T>(c, plan, p.m, p.n, p.k, batch_of(p));
  launch(c, gemm_simt<Tile, depth, A, B, R>, grid_of(plan, work), dim3(kSimtThreads), 0, work, a, b, out);
  add_parts(c, work, out);
}

template <class T, class In, int Tile>
void run_tile(const Call& c, const Products& p, const GemmPlan& plan) {
  const bool a = p.a_step == 1, b = p.b_row == 1;
  if (a) return b ? run_simt<T, In, Tile, true, true>(c, p, plan) : run_simt<T, In, Tile, true, false>(c, p, plan);
  b ? run_simt<T, In, Tile, false, true>(c, p, plan) : run_simt<T, In, Tile, false, false>(c, p, plan);
}

/** Integers wrap around, and unsigned types do so by definition. */
template <class T>
struct Wrapping {
  using type = T;
};
template <>
struct Wrapping<int32_t> {
  using type = uint32_t;
};

template <Products (*Of)(const Call&)>
void run_general(const Call& c) {
  const Products p = Of(c);
  if (p.m == 0 || p.n == 0 || p.count() == 0) return;
  const DType dtype = c.in[0].dtype;
  const GemmPlan plan =
      choose_gemm({p.m, p.n, p.k, p.count(), dtype == DType::f32 ? Arithmetic::exact : Arithmetic::wide,
                   context_of(c).multiprocessors});
  if (dtype == DType::f32 && plan.tile_m == 128) return run_tile<float, float, 128>(c, p, plan);
  if (dtype == DType::bf16) return run_tile<float, BFloat16, 64>(c, p, plan);
  const bool known = with_numbers(dtype, [&](auto tag) {
    using T = typename Wrapping<typename decltype(tag)::type>::type;
    run_tile<T, T, 64>(c, p, plan);
  });
  if (!known) refuse_dtype(c, dtype);
}

template <Products (*Of)(const Call&)>
bool fits_sm80(const Call& c) {
  return fits_mma(c, Of(c));
}

template <Products (*Of)(const Call&)>
void run_sm80(const Call& c) {
  run_mma(c, Of(c));
}

template <Products (*Of)(const Call&)>
bool fits_few(const Call& c) {
  return fits_skinny(Of(c));
}

template <Products (*Of)(const Call&)>
void run_few(const Call& c) {
  run_skinny(c, Of(c));
}

#define ATHANOR_PRODUCT_KERNELS(of)                                                                                    \
  {                                                                                                                    \
    {"sm80", fits_sm80<of>, run_sm80<of>}, {"skinny", fits_few<of>, run_few<of>}, { "simt", nullptr, run_general<of> } \
  }

const Kernel kernels_matmul[] = ATHANOR_PRODUCT_KERNELS(products_of_matmul);
const Kernel kernels_linear[] = ATHANOR_PRODUCT_KERNELS(products_of_linear);
const Kernel kernels_linearActivation[] = ATHANOR_PRODUCT_KERNELS(products_of_activation);
// Products read weights where they lie: the packed form has nothing in it.
const Kernel kernels_linearPacked[] = ATHANOR_PRODUCT_KERNELS(products_of_prepacked);
const Kernel kernels_linearPack[] = {{"empty", nullptr, leave_empty}};

}  // namespace

const OpKernels matmul[] = {ATHANOR_OP(matmul, kernels_matmul),
                            ATHANOR_OP(linear, kernels_linear),
                            ATHANOR_OP(linearActivation, kernels_linearActivation),
                            ATHANOR_OP(linearPacked, kernels_linearPacked),
                            ATHANOR_OP(linearPack, kernels_linearPack),
                            {nullptr, nullptr, 0}};

}  // namespace cuda
}  // namespace athanor
