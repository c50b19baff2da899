// matmul: out[..., M, N] = a[..., M, K] b[..., K, N], leading dimensions broadcast; linear: out[..., N] = x[..., K] W^T
// + bias, and linearActivation a function of that (its number is the attribute). Any strides: a transposed operand is
// read as it lies. Few large products are cut up among threads, many small ones are shared out whole. Bound by the
// multiply-add units for M, N, K of a few dozen and more (2 M N K FLOPs), by the bandwidth of the matrix where the
// other operand is a vector.
#include "cpu/dense.h"
#include "cpu/dtypes.h"
#include "cpu/families.h"
#include "cpu/gemm.h"
#include "cpu/gemm_blas.h"
#include "cpu/gemm_direct_block.h"
#include "cpu/gemm_dot.h"
#include "cpu/gemm_pairs.h"
#include "cpu/gemv.h"
#include "cpu/products.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

// ---- packed: two matrices

// A weight packed ahead: a line that says for which sizes, then what pack_factor writes. Numbers are below 2^24, which
// every float type holds exactly; a buffer of other numbers is never taken for weights.
constexpr int64_t kPackedLine = 16, kPackedMark = 7109376;

/** What lies behind the line, null where there is none, or another one. */
template <class T>
const T* prepacked(const Products& p) {
  if (p.packed == nullptr || numel(*p.packed) < kPackedLine + p.k * padded_columns<T>(p.n)) return nullptr;
  const T* const at = p.packed->as<const T>();
  const int64_t line[] = {kPackedMark, p.n, p.k};
  for (int i = 0; i < 3; ++i)
    if (at[i * p.packed->strides[0]] != static_cast<T>(line[i])) return nullptr;
  return is_contiguous(*p.packed) ? at + kPackedLine : nullptr;
}

template <class T>
void pack_ahead(const Call& c) {
  const View &w = c.in[0], &out = c.out[0];
  T* const to = out.as<T>();
  const int64_t n = w.shape[0], k = w.shape[1], line[] = {kPackedMark, n, k};
  for (int64_t i = 0; i < numel(out); ++i) to[i] = T(0);  // what panels do not fill is zeros too
  if (kPackedLine + k * padded_columns<T>(n) > numel(out))
    return c.ctx->fail(c.ctx, "there is too little room for the panels");
  for (int i = 0; i < 3; ++i) to[i] = static_cast<T>(line[i]);
  pack_factor(c.ctx, StridedFactor<T>{w.as<const T>(), w.strides[0], w.strides[1]}, n, k, to + kPackedLine);
}
ATHANOR_FLOAT_KERNEL(run_pack_ahead, pack_ahead<T>(c))

/** `depth` counts what is packed of a row, one by one or in pairs; `rest` are the factors' own last fields. */
template <class T, class Factor, class Rows, class... Rest>
void multiply_packed(const Call& c, const Products& p, int64_t depth, Rest... rest) {
  using E = typename Factor::Element;
  const T* bias = p.bias == nullptr ? nullptr : dense_vector<T>(c.ctx, *p.bias);
  const Begin<T> begin = {bias == nullptr ? Start::zero : Start::column_bias, bias};
  const SerialSteps<T> steps(p.m, p.n, depth);
  const bool many = p.count() > 1;
  const Slots<T> slots(c.ctx, many ? steps.elements() : 0);
  for_products<T>(c, p, [&](bool alone, const int64_t* at) {
    const Product<T, Factor, Factor, StridedResult<T>, Rows> one = {
        p.m,
        p.n,
        depth,
        {c.in[0].as<const E>() + at[1], p.a_row, p.a_step, rest...},
        {c.in[1].as<const E>() + at[2], p.b_step, p.b_row, rest...},
        {c.out[0].as<T>() + at[0], p.out_row, p.out_step},
        begin,
        finish_function<T>(p.finish),
        prepacked<T>(p)};
    if (!alone) return multiply(c.ctx, one);
    const auto slot = slots.take();
    multiply_serial(one, slot.data);
    slots.give_back(slot);
  });
}

// ---- direct: factors read where they lie

template <class T>
void multiply_direct(const Call& c, const Products& p) {
  const T* bias = p.bias == nullptr ? nullptr : dense_vector<T>(c.ctx, *p.bias);
  DirectProduct<T> one = {p.m,
                          p.n,
                          p.k,
                          {c.in[0].as<const T>(), p.a_row, p.a_step},
                          {c.in[1].as<const T>(), p.b_step, p.b_row},
                          c.out[0].as<T>(),
                          p.out_row,
                          {bias == nullptr ? Start::zero : Start::column_bias, bias},
                          finish_function<T>(p.finish)};
  const int64_t count = p.count(), work = p.m * p.n * p.k;
  if (count == 0 || p.m == 0 || p.n == 0) return;
  const bool shared = count < 4 * c.ctx->threads && work >= Blocking<T>::worth_sharing;
  const DirectSteps<T> steps(one, shared ? c.ctx->threads : 1);
  constexpr int64_t few = 16 * 1024 / static_cast<int64_t>(sizeof(T));  // small products need no allocation
  if (count == 1 && !shared && steps.elements() <= few) {
    alignas(64) T workspace[few];
    return multiply_direct_part(one, steps, Part(0, p.m), Part(0, steps.vectors), workspace);
  }
  const auto product = [&](int64_t i) {
    int64_t at[3];
    offsets_of(p.batch, i, at);
    DirectProduct<T> mine = one;
    mine.c += at[0], mine.a.data += at[1], mine.b.data += at[2];
    return mine;
  };
  if (steps.depth_items > 1) {
    for (int64_t i = 0; i < count; ++i) multiply_direct_depth(c.ctx, product(i), steps);
    return;
  }
  const Slots<T> slots(c.ctx, steps.elements());
  const int64_t each = steps.items();
  const auto items = [&](int64_t from, int64_t to) {
    const auto slot = slots.take();
    for (int64_t i = from; i < to; ++i) {
      const int64_t item = i % each;
      multiply_direct_part(product(i / each), steps, Part(p.m, steps.row_items, item / steps.column_items),
                           Part(steps.vectors, steps.column_items, item % steps.column_items), slot.data);
    }
    slots.give_back(slot);
  };
  if (each > 1) return parallel_each(c.ctx, count * each, [&](int64_t i) { items(i, i + 1); });
  parallel_for(c.ctx, count, ceil_div(Blocking<T>::worth_sharing, max_of<int64_t>(1, work)), items);
}

// ---- dots: few rows, and both factors lie along the depth (a small batch through a layer of weights)

template <class T>
void multiply_dots(const Call& c, const Products& p) {
  const T* bias = p.bias == nullptr ? nullptr : dense_vector<T>(c.ctx, *p.bias);
  constexpr int64_t width = DotTile::columns;
  const int64_t groups = ceil_div(p.n, width), panels = ceil_div(p.m, DotTile::rows);
  // A panel of A and four rows of B of this depth are 40 KiB or less: they stay in the first-level cache.
  const int64_t parts = max_of<int64_t>(1, ceil_div(p.k, Blocking<T>::depth * 2));
  const int64_t offsets[width] = {0, p.b_step, 2 * p.b_step, 3 * p.b_step};
  const auto some = [&](const int64_t* at, int64_t from, int64_t to) {
    T* const out = c.out[0].as<T>() + at[0];
    for (int64_t i = 0; i < p.m; ++i)
      for (int64_t j = from * width; j < min_of(p.n, to * width); ++j)
        out[i * p.out_row + j] = bias == nullptr ? T(0) : bias[j];
    for (int64_t part = 0; part < parts; ++part) {
      const Part k(p.k, parts, part);
      for (int64_t group = from; group < to; ++group) {
        const int64_t j = group * width;
        for (int64_t panel = 0; panel < panels; ++panel) {
          const Part rows(p.m, panels, panel);
          const DotPiece<T> piece = {c.in[0].as<const T>() + at[1] + rows.from * p.a_row + k.from,
                                     c.in[1].as<const T>() + at[2] + j * p.b_step + k.from, k.size()};
          dot_function<T>(static_cast<int>(rows.size()), static_cast<int>(min_of(width, p.n - j)))(
              {&piece, 1, p.a_row, offsets, out + rows.from * p.out_row + j, p.out_row});
        }
      }
    }
    if (const Finish<T> finish = finish_function<T>(p.finish))
      for (int64_t i = 0; i < p.m; ++i)
        finish(out + i * p.out_row + from * width, min_of(p.n, to * width) - from * width);
  };
  for_products<T>(c, p, [&](bool alone, const int64_t* at) {
    if (alone) return some(at, 0, groups);
    parallel_for(c.ctx, groups, ceil_div(kGrain, max_of<int64_t>(1, p.k * width)),
                 [&](int64_t from, int64_t to) { some(at, from, to); });
  });
}

// ---- vector: one of the operands is a vector

template <class T, class E>
void multiply_vector(const Call& c, const Products& p) {
  const T* bias = p.bias == nullptr ? nullptr : dense_vector<T>(c.ctx, *p.bias);
  const bool row = p.m == 1;  // a is the vector, and out a row: transpose the product
  const int64_t x_step = row ? p.a_step : p.b_row;
  const bool copies = x_step != 1 || sizeof(E) != sizeof(T);
  const Slots<T> slots(c.ctx, copies ? p.k : 0);
  for_products<T>(c, p, [&](bool alone, const int64_t* at) {
    const E* a = c.in[0].as<const E>() + at[1];
    const E* b = c.in[1].as<const E>() + at[2];
    const E* x = row ? a : b;
    const auto slot = slots.take();
    if (copies)
      for (int64_t i = 0; i < p.k; ++i) slot.data[i] = number_as<T>(x[i * x_step]);
    MatrixVector<T, E> one;
    one.m = row ? p.n : p.m;
    one.k = p.k;
    one.a = row ? b : a;
    one.across = row ? p.b_step : p.a_row;
    one.along = row ? p.b_row : p.a_step;
    one.x = copies ? slot.data : reinterpret_cast<const T*>(x);
    one.y = c.out[0].as<T>() + at[0];
    one.y_stride = row ? p.out_step : p.out_row;
    one.bias = bias;
    one.bias_stride = row ? 1 : 0;
    if (alone)
      matrix_vector_serial(one, 0, one.m);
    else
      matrix_vector(c.ctx, one);
    if (const Finish<T> finish = finish_function<T>(p.finish)) {
      if (one.y_stride == 1)
        finish(one.y, one.m);
      else
        for (int64_t i = 0; i < one.m; ++i) finish(one.y + i * one.y_stride, 1);
    }
    slots.give_back(slot);
  });
}

// ---- plain: any numbers, integers with exact wraparound

/** The unsigned type in which the arithmetic of T wraps as it should. */
template <class T>
struct Wrapping {
  using type = T;
};
template <>
struct Wrapping<int32_t> {
  using type = uint32_t;
};

/** One product for numbers of any kind, seen as what wraps. */
template <class U>
struct PlainProduct {
  const U *a, *b, *bias;  // bias: null if there is none
  U* out;
  int64_t bias_step;
};

/** Rows of out in pieces that stay in the first-level cache while the depth goes by. */
template <class U>
void multiply_plain_rows(const Products& p, const PlainProduct<U>& one, int64_t from, int64_t to) {
  constexpr int64_t piece = 1024;
  U sums[piece];
  for (int64_t j0 = 0; j0 < p.n; j0 += piece) {
    const int64_t n = min_of(piece, p.n - j0);
    for (int64_t row = from; row < to; ++row) {
      if (one.bias == nullptr)
        for (int64_t j = 0; j < n; ++j) sums[j] = U(0);
      else
        for (int64_t j = 0; j < n; ++j) sums[j] = one.bias[(j0 + j) * one.bias_step];
      for (int64_t k = 0; k < p.k; ++k) {
        const U x = one.a[row * p.a_row + k * p.a_step];
        const U* const y = one.b + k * p.b_row + j0 * p.b_step;
        if (p.b_step == 1)
          for (int64_t j = 0; j < n; ++j) sums[j] = static_cast<U>(sums[j] + x * y[j]);
        else
          for (int64_t j = 0; j < n; ++j) sums[j] = static_cast<U>(sums[j] + x * y[j * p.b_step]);
      }
      for (int64_t j = 0; j < n; ++j) one.out[row * p.out_row + (j0 + j) * p.out_step] = sums[j];
    }
  }
}

template <class U>
void multiply_plain(const Call& c, const Products& p) {
  const int64_t grain = ceil_div(kGrain, max_of<int64_t>(1, p.n * p.k));
  for (int64_t i = 0; i < p.count(); ++i) {
    int64_t at[3];
    offsets_of(p.batch, i, at);
    const PlainProduct<U> one = {c.in[0].as<const U>() + at[1], c.in[1].as<const U>() + at[2],
                                 p.bias == nullptr ? nullptr : p.bias->as<const U>(), c.out[0].as<U>() + at[0],
                                 p.bias == nullptr ? 0 : p.bias->strides[0]};
    parallel_for(c.ctx, p.m, grain, [&](int64_t from, int64_t to) {
      multiply_plain_rows(p, one, from, to);
      if constexpr (U(0.5) != U(0)) {  // only numbers with fractions have activations
        if (const Finish<U> finish = finish_function<U>(p.finish))
          for (int64_t i = from; i < to; ++i)
            for (int64_t j = 0; j < p.n; ++j) finish(one.out + i * p.out_row + j * p.out_step, 1);
      }
    });
  }
}

// ---- the lists

bool is_float(const Call& c) { return c.in[0].dtype == DType::f32 || c.in[0].dtype == DType::f64; }
bool is_bf16(const Call& c) { return c.in[0].dtype == DType::bf16; }

/** The call with bfloat16 factors in float32; their views are put into `in`. A bias is float32 already. */
Call widened_call(const Call& c, View (&in)[3]) {
  if (!is_bf16(c)) return c;
  for (int i = 0; i < c.n_in; ++i) in[i] = i < 2 ? widened(c, c.in[i]) : c.in[i];
  Call wide = c;
  wide.in = in;
  return wide;
}

template <Products (*Of)(const Call&)>
bool fits_blas(const Call& c) {
  return c.ctx->blas != nullptr && is_float(c) && fits_blas_call(Of(c));
}

template <Products (*Of)(const Call&)>
bool fits_vector(const Call& c) {
  if (!is_float(c) && !is_bf16(c)) return false;
  const Products p = Of(c);
  return p.m == 1 || p.n == 1;
}

/** Dots need no copies, but add up lanes at their end: worth it for a few panels of rows, and sums of some length. */
template <Products (*Of)(const Call&)>
bool fits_dots(const Call& c) {
  if (!is_float(c)) return false;
  const Products p = Of(c);
  return p.m <= 5 * DotTile::rows && p.k >= 16 * 1024 / kVectorBytes && p.a_step == 1 && p.b_row == 1 &&
         p.out_step == 1;
}

/** Above, packing costs less than what strided reads of B, and of a transposed A, lose in caches and page tables. */
template <Products (*Of)(const Call&)>
bool fits_direct(const Call& c) {
  // Wide vectors use more of each row of B that they fetch. Bytes for A and B, columns, rows.
  constexpr int64_t near_b = 64 * 1024 * kVectorBytes, near_a = near_b / 2, narrow = 64, low = 2 * kVectorBytes;
  if (!is_float(c)) return false;
  const Products p = Of(c);
  if (p.out_step != 1) return false;
  if (p.n <= narrow || p.m <= low) return true;
  const int64_t size = static_cast<int64_t>(item_size(c.in[0].dtype));
  return p.n * p.k * size <= near_b && (p.a_step == 1 || p.m * p.k * size <= near_a);
}

template <Products (*Of)(const Call&)>
void run_blas(const Call& c) {
  const Products p = Of(c);
  with_floats(c.in[0].dtype, [&](auto tag) { multiply_blas<typename decltype(tag)::type>(c, p); });
}
template <Products (*Of)(const Call&)>
void run_vector(const Call& c) {
  const Products p = Of(c);
  if (is_bf16(c)) return multiply_vector<float, BFloat16>(c, p);
  with_floats(c.in[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    multiply_vector<T, T>(c, p);
  });
}
template <Products (*Of)(const Call&)>
void run_dots(const Call& c) {
  const Products p = Of(c);
  with_floats(c.in[0].dtype, [&](auto tag) { multiply_dots<typename decltype(tag)::type>(c, p); });
}
template <Products (*Of)(const Call&)>
void run_direct(const Call& c) {
  const Products p = Of(c);
  with_floats(c.in[0].dtype, [&](auto tag) { multiply_direct<typename decltype(tag)::type>(c, p); });
}
template <Products (*Of)(const Call&)>
void run_packed(const Call& c) {
  const Products p = Of(c);
  with_floats(c.in[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    multiply_packed<T, StridedFactor<T>, StepRows>(c, p, p.k);
  });
}
template <Products (*Of)(const Call&)>
void run_plain(const Call& given) {
  View in[3];
  const Call c = widened_call(given, in);
  const Products p = Of(c);
  if (!with_numbers(c.in[0].dtype,
                    [&](auto tag) { multiply_plain<typename Wrapping<typename decltype(tag)::type>::type>(c, p); }))
    refuse_dtype(c, c.in[0].dtype);
}

// ---- bfloat16: where the processor has no products of pairs, the factors are widened and float32's kernels take over

#if defined(__AVX512F__)
bool fits_pairs(const Call& c) { return is_bf16(c); }

template <Products (*Of)(const Call&)>
void run_pairs(const Call& c) {
  const Products p = Of(c);
  multiply_packed<float, PairFactor, PairRows>(c, p, ceil_div(p.k, 2), p.k);
}
#define ATHANOR_PAIRS_KERNEL(of) {"pairs", fits_pairs, run_pairs<of>, Needs::bf16_dot},
#else
#define ATHANOR_PAIRS_KERNEL(of)
#endif

template <Products (*Of)(const Call&)>
void run_widened(const Call& given) {
  View in[3];
  const Call c = widened_call(given, in);
  if (fits_blas<Of>(c)) return run_blas<Of>(c);
  if (fits_dots<Of>(c)) return run_dots<Of>(c);
  if (fits_direct<Of>(c)) return run_direct<Of>(c);
  run_packed<Of>(c);
}

const Kernel kernels_linearPacked[] = {
    {"vector", fits_vector<products_of_prepacked>, run_vector<products_of_prepacked>},
    {"packed", nullptr, run_packed<products_of_prepacked>}};
const Kernel kernels_pack[] = {{"panels", nullptr, run_pack_ahead}};

#define ATHANOR_PRODUCT_KERNELS(of)                                  \
  {                                                                  \
      {"blas", fits_blas<of>, run_blas<of>, Needs::blas},            \
      {"vector", fits_vector<of>, run_vector<of>},                   \
      {"dots", fits_dots<of>, run_dots<of>},                         \
      {"direct", fits_direct<of>, run_direct<of>},                   \
      {"packed", is_float, run_packed<of>},                          \
      ATHANOR_PAIRS_KERNEL(of){"widened", is_bf16, run_widened<of>}, \
      {"plain", nullptr, run_plain<of>},                             \
  }

const Kernel kernels_matmul[] = ATHANOR_PRODUCT_KERNELS(products_of_matmul);
const Kernel kernels_linear[] = ATHANOR_PRODUCT_KERNELS(products_of_linear);
const Kernel kernels_linearActivation[] = ATHANOR_PRODUCT_KERNELS(products_of_activation);

}  // namespace

const OpKernels matmul[] = {ATHANOR_OP(matmul, kernels_matmul),
                            ATHANOR_OP(linear, kernels_linear),
                            ATHANOR_OP(linearActivation, kernels_linearActivation),
                            ATHANOR_OP(linearPacked, kernels_linearPacked),
                            ATHANOR_OP(linearPack, kernels_pack),
                            {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
