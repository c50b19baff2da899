// matmul, linear and linearActivation: which kernel of gemm_simt.h or gemm_sm80.h, and its arguments.
#include "cpu/dtypes.h"
#include "cuda/dense.h"
#include "cuda/families.h"
#include "cuda/gemm_simt.h"
#include "cuda/gemm_sm80.h"

namespace athanor {
namespace cuda {
namespace {

constexpr int64_t kMostProducts = 65535;  // the third side of a grid; kernels go on with what is beyond it

template <class In, class Out>
Gemm<In, Out> gemm_of(const Call& c, const Products& p) {
  Gemm<In, Out> g{};
  g.m = p.m, g.n = p.n, g.k = p.k;
  g.a = c.in[0].as<const In>(), g.b = c.in[1].as<const In>();
  g.a_row = p.a_row, g.a_step = p.a_step, g.b_row = p.b_row, g.b_step = p.b_step;
  g.out = c.out[0].as<Out>();
  g.out_row = p.out_row, g.out_step = p.out_step;
  g.bias = p.bias == nullptr ? nullptr : p.bias->as<const Out>();
  g.bias_step = p.bias == nullptr ? 0 : p.bias->strides[0];
  g.finish = p.finish;
  g.batch.ndim = p.batch.ndim;
  g.batch.count = static_cast<uint32_t>(p.count());
  for (int d = 0; d < p.batch.ndim; ++d) {
    g.batch.sizes[d] = FastDivide(static_cast<uint32_t>(max_of<int64_t>(1, p.batch.shape[d])));
    for (int k = 0; k < 3; ++k) g.batch.strides[k][d] = p.batch.strides[k][d];
  }
  return g;
}

dim3 grid_of(const Products& p, int tile) {
  return dim3(static_cast<unsigned>(ceil_div(p.m, tile)), static_cast<unsigned>(ceil_div(p.n, tile)),
              static_cast<unsigned>(min_of(p.count(), kMostProducts)));
}

GemmShape shape_of(const Call& c, const Products& p, bool tensor_cores) {
  return {p.m, p.n, p.k, p.count(), p.a_step == 1, p.b_step == 1, tensor_cores, context_of(c).multiprocessors};
}

// ---- simt

template <class T, int Tile, bool AlongA, bool AlongB>
void run_simt_factors(const Call& c, const Products& p) {
  // A thread's share of the next slices waits in registers, of which a large tile's sums take a quarter.
  constexpr int depth = sizeof(T) == 8 || Tile == 128 ? 8 : 16;
  const Gemm<T, T> g = gemm_of<T, T>(c, p);
  const StridedFactor<T, AlongA> a{g.a, g.m, g.a_row, g.k, g.a_step, 1};
  const StridedFactor<T, AlongB> b{g.b, g.n, g.b_step, g.k, g.b_row, 2};
  const StridedResult<T> out{g.out, g.m, g.n, g.out_row, g.out_step, g.bias, g.bias_step, g.finish};
  launch(c, gemm_simt<Tile, depth, StridedFactor<T, AlongA>, StridedFactor<T, AlongB>, StridedResult<T>>,
         grid_of(p, Tile), dim3(kSimtThreads), 0, g.k, a, b, out, g.batch);
}

template <class T, int Tile, bool AlongA>
void run_simt_tile(const Call& c, const Products& p) {
  if (p.b_row == 1)
    run_simt_factors<T, Tile, AlongA, true>(c, p);
  else
    run_simt_factors<T, Tile, AlongA, false>(c, p);
}

template <class T>
void run_simt(const Call& c, const Products& p) {
  // Integers and float64 have tiles of one size: their units, not their registers, are the bound.
  if constexpr (sizeof(T) == 4 && T(0.5) != T(0)) {
    if (choose_gemm(shape_of(c, p, false)).tile_m == 128) {
      if (p.a_step == 1) return run_simt_tile<T, 128, true>(c, p);
      return run_simt_tile<T, 128, false>(c, p);
    }
  }
  if (p.a_step == 1) return run_simt_tile<T, 64, true>(c, p);
  run_simt_tile<T, 64, false>(c, p);
}

// ---- sm80

/** 16 bytes at a time need a unit step, and lines that begin at multiples of 16 bytes in every product. */
template <class T>
Lies lies_of(const View& v, int64_t line_step, int64_t depth_step, const Products& p, int operand) {
  constexpr int64_t wide = static_cast<int64_t>(16 / sizeof(T));
  bool aligned = reinterpret_cast<uintptr_t>(v.data) % 16 == 0;
  for (int d = 0; d < p.batch.ndim; ++d) aligned = aligned && p.batch.strides[operand][d] % wide == 0;
  if (aligned && depth_step == 1 && line_step % wide == 0) return Lies::along;
  if (aligned && line_step == 1 && depth_step % wide == 0) return Lies::across;
  return Lies::anyhow;
}

template <class T, int Tile, Lies LA, Lies LB>
void run_sm80_tile(const Call& c, const Products& p) {
  constexpr int bytes = static_cast<int>(sizeof(MmaTiles<T, Tile, LA, LB>));
  const auto kernel = gemm_sm80<T, Tile, LA, LB>;
  allow_dynamic_shared(kernel, bytes);
  launch(c, kernel, grid_of(p, Tile), dim3(kMmaThreads), static_cast<size_t>(bytes), gemm_of<T, float>(c, p));
}

template <class T, int Tile, Lies LA>
void run_sm80_b(const Call& c, const Products& p, Lies b) {
  switch (b) {
    case Lies::along: return run_sm80_tile<T, Tile, LA, Lies::along>(c, p);
    case Lies::across: return run_sm80_tile<T, Tile, LA, Lies::across>(c, p);
    default: return run_sm80_tile<T, Tile, LA, Lies::anyhow>(c, p);
  }
}

template <class T, int Tile>
void run_sm80_lies(const Call& c, const Products& p) {
  const Lies a = lies_of<T>(c.in[0], p.a_row, p.a_step, p, 1), b = lies_of<T>(c.in[1], p.b_step, p.b_row, p, 2);
  switch (a) {
    case Lies::along: return run_sm80_b<T, Tile, Lies::along>(c, p, b);
    case Lies::across: return run_sm80_b<T, Tile, Lies::across>(c, p, b);
    default: return run_sm80_b<T, Tile, Lies::anyhow>(c, p, b);
  }
}

// ---- the lists

template <Products (*Of)(const Call&)>
bool fits_sm80(const Call& c) {
  if (c.in[0].dtype != DType::f32 || context_of(c).float32_precision != Float32Precision::tf32) return false;
  const Products p = Of(c);
  return p.count() > 0 && choose_gemm(shape_of(c, p, true)).family == GemmFamily::sm80;
}

template <Products (*Of)(const Call&)>
void run_sm80(const Call& c) {
  const Products p = Of(c);
  if (p.m == 0 || p.n == 0 || p.count() == 0) return;
  if (choose_gemm(shape_of(c, p, true)).tile_m == 128)
    run_sm80_lies<float, 128>(c, p);
  else
    run_sm80_lies<float, 64>(c, p);
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
  const bool known = with_numbers(
      c.in[0].dtype, [&](auto tag) { run_simt<typename Wrapping<typename decltype(tag)::type>::type>(c, p); });
  if (!known) refuse_dtype(c, c.in[0].dtype);
}

#define ATHANOR_PRODUCT_KERNELS(of)                                             \
  {                                                                             \
    {"sm80", fits_sm80<of>, run_sm80<of>}, { "simt", nullptr, run_general<of> } \
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
