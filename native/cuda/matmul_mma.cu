// Products on tensor cores: factors as they lie where these lines begin at multiples of 16 bytes, else a copy that does
// (one pass over a factor, of m n k / (m + n) / 2 times as much arithmetic), then the kernels of gemm_sm80.h.
#include "cuda/matmul_mma.h"

#include "cuda/gemm_sm80.h"
#include "cuda/pack.h"

namespace athanor {
namespace cuda {
namespace {

/** A factor's lines (rows of a, columns of b) and their steps, in a batch. */
template <class T>
struct Operand {
  const T* data;
  int64_t lines, line_step, depth, depth_step;
  int ndim;
  int64_t sizes[kMaxDims], strides[kMaxDims];  // of the batch

  bool across() const { return depth > 1 && depth_step != 1 && line_step == 1; }
  bool ready() const {
    constexpr int64_t wide = SliceOf<T>::wide;
    bool aligned = reinterpret_cast<uintptr_t>(data) % kChunkBytes == 0;
    for (int d = 0; d < ndim; ++d) aligned = aligned && strides[d] % wide == 0;
    if (across()) return aligned && depth_step % wide == 0;
    return aligned && line_step % wide == 0 && (depth == 1 || depth_step == 1);
  }
  /** From line to line, or across: from place to place of the depth. */
  int64_t step() const { return across() ? depth_step : line_step; }

  /** Packs it; matrices that repeat along the batch are packed once. */
  void pack(const Call& c) {
    View v{};
    v.data = const_cast<T*>(data);
    v.ndim = ndim + 2;
    const bool turned = across();
    v.shape[ndim] = turned ? depth : lines, v.strides[ndim] = turned ? depth_step : line_step;
    v.shape[ndim + 1] = turned ? lines : depth, v.strides[ndim + 1] = turned ? line_step : depth_step;
    const int64_t length = packed_length<T>(v.shape[ndim + 1]);
    int64_t next = v.shape[ndim] * length;
    for (int d = ndim - 1; d >= 0; --d) {
      v.shape[d] = strides[d] == 0 ? 1 : sizes[d];
      v.strides[d] = strides[d];
      if (strides[d] != 0) strides[d] = next;
      next *= v.shape[d];
    }
    data = packed_lines<T>(c, v);
    (turned ? depth_step : line_step) = length;
    (turned ? line_step : depth_step) = 1;
  }
};

template <class T>
Operand<T> operand_of(const Call& c, const Products& p, int which) {
  const bool a = which == 0;
  Operand<T> o{c.in[which].as<const T>(),
               a ? p.m : p.n,
               a ? p.a_row : p.b_step,
               p.k,
               a ? p.a_step : p.b_row,
               p.batch.ndim,
               {},
               {}};
  for (int d = 0; d < o.ndim; ++d) o.sizes[d] = p.batch.shape[d], o.strides[d] = p.batch.strides[1 + which][d];
  if (!o.ready()) o.pack(c);
  return o;
}

template <class T, bool AcrossA, bool AcrossB>
void run_factors(const Call& c, const Products& p, const Operand<T>& a, const Operand<T>& b) {
  Batch batch = batch_of(p);
  for (int d = 0; d < batch.ndim; ++d) batch.strides[1][d] = a.strides[d], batch.strides[2][d] = b.strides[d];
  // Where both factors are read number by number, the widest tile's sums leave too few registers for their addresses.
  constexpr bool narrow = AcrossA && AcrossB && sizeof(T) == 4;
  const GemmPlan plan =
      choose_gemm({p.m, p.n, p.k, p.count(), arithmetic_of(c), context_of(c).multiprocessors, narrow ? 128 : 256});
  const auto work = work_of<float>(c, plan, p.m, p.n, p.k, batch);
  const StridedResult<float> out{c.out[0].as<float>(),
                                 p.out_row,
                                 p.out_step,
                                 p.bias == nullptr ? nullptr : p.bias->as<const float>(),
                                 p.bias == nullptr ? 0 : p.bias->strides[0],
                                 p.finish};
  const LinedFactor<T, AcrossA> lined_a{a.data, p.m, a.step(), 1};
  const LinedFactor<T, AcrossB> lined_b{b.data, p.n, b.step(), 2};
  if constexpr (narrow)
    run_gemm_sm80<MmaTile128, MmaTileNarrow, MmaTile64>(c, plan, work, lined_a, lined_b, out);
  else
    run_gemm_sm80<MmaTile256, MmaTile128, MmaTileNarrow, MmaTile64>(c, plan, work, lined_a, lined_b, out);
}

template <class T>
void run_factors(const Call& c, const Products& p) {
  const Operand<T> a = operand_of<T>(c, p, 0), b = operand_of<T>(c, p, 1);
  if (a.across()) return b.across() ? run_factors<T, true, true>(c, p, a, b) : run_factors<T, true, false>(c, p, a, b);
  b.across() ? run_factors<T, false, true>(c, p, a, b) : run_factors<T, false, false>(c, p, a, b);
}

}  // namespace

Arithmetic arithmetic_of(const Call& c) {
  switch (c.in[0].dtype) {
    case DType::bf16: return Arithmetic::bfloat16;
    case DType::f32:
      return context_of(c).float32_precision == Float32Precision::tf32 ? Arithmetic::tf32 : Arithmetic::exact;
    default: return Arithmetic::wide;
  }
}

Batch batch_of(const Products& p) {
  Batch batch{};
  batch.ndim = p.batch.ndim;
  batch.count = static_cast<uint32_t>(p.count());
  for (int d = 0; d < p.batch.ndim; ++d) {
    batch.sizes[d] = FastDivide(static_cast<uint32_t>(max_of<int64_t>(1, p.batch.shape[d])));
    for (int k = 0; k < 3; ++k) batch.strides[k][d] = p.batch.strides[k][d];
  }
  return batch;
}

bool fits_mma(const Call& c, const Products& p) {
  const Arithmetic arithmetic = arithmetic_of(c);
  if (arithmetic != Arithmetic::tf32 && arithmetic != Arithmetic::bfloat16) return false;
  return p.count() > 0 && fills_tensor_cores(p.m, p.n);
}

void run_mma(const Call& c, const Products& p) {
  if (p.m == 0 || p.n == 0 || p.count() == 0) return;
  if (c.in[0].dtype == DType::bf16) return run_factors<BFloat16>(c, p);
  run_factors<float>(c, p);
}

}  // namespace cuda
}  // namespace athanor
