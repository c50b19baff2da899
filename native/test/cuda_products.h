// Products of matrices through the CUDA kernels, compared with float64.
#pragma once
#include <cmath>
#include <random>
#include <vector>

#include "cuda/gemm_sm80.h"
#include "test/cuda_calls.h"

namespace athanor {
namespace test {

struct Sizes {
  int64_t m, n, k;
};

/** A matrix in one of three layouts: rows one after another, columns one after another, or with gaps everywhere. */
struct Matrix {
  int64_t rows, columns, row, step;
  std::vector<float> data;

  Matrix(int64_t r, int64_t c, int layout) : rows(r), columns(c) {
    row = layout == 0 ? c : layout == 1 ? 1 : 2 * c + 3;
    step = layout == 0 ? 1 : layout == 1 ? r : 2;
    data.assign(static_cast<size_t>(std::max<int64_t>(1, (r - 1) * row + (c - 1) * step + 1)), NAN);
  }
  float& at(int64_t i, int64_t j) { return data[static_cast<size_t>(i * row + j * step)]; }
  void draw(std::mt19937& random) {
    std::uniform_real_distribution<float> between(-1, 1);
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j) at(i, j) = between(random);
  }
  View view() {
    View v{};
    v.data = data.data();
    v.shape[0] = rows, v.shape[1] = columns;
    v.strides[0] = row, v.strides[1] = step;
    v.ndim = 2;
    v.dtype = DType::f32;
    return v;
  }
};

/** Throws unless `out` is a b within the roundings of its kind: `unit` is that of a factor. */
inline void compare_product(Matrix& out, Matrix& a, Matrix& b, double unit, const std::string& what) {
  for (int64_t i = 0; i < out.rows; ++i)
    for (int64_t j = 0; j < out.columns; ++j) {
      double expected = 0, size = 0;
      for (int64_t k = 0; k < a.columns; ++k) {
        const double term = static_cast<double>(a.at(i, k)) * b.at(k, j);
        expected += term;
        size += std::fabs(term);
      }
      // Both factors rounded, and each of the sums.
      const double allowed = size * (2.01 * unit + static_cast<double>(a.columns) * 0x1p-24);
      const double found = out.at(i, j);
      if (!(std::fabs(found - expected) <= allowed))
        throw CheckFailed(what + ": [" + std::to_string(i) + ", " + std::to_string(j) + "] is " +
                          std::to_string(found) + ", expected " + std::to_string(expected));
    }
}

/** One product through the table's kernels; `layout` chooses those of a and b, three each. */
inline void product_is_right(Sizes size, int layout, Float32Precision precision) {
  std::mt19937 random(static_cast<unsigned>(size.m * 31 + size.n * 7 + size.k + layout));
  Matrix a(size.m, size.k, layout / 3), b(size.k, size.n, layout % 3), out(size.m, size.n, layout % 2 * 2);
  a.draw(random);
  b.draw(random);
  CudaContext context;
  context.float32_precision = precision;
  const View in[2] = {a.view(), b.view()}, to = out.view();
  const Call call{in, &to, nullptr, 2, 1, 0, &context};
  const OpKernels& kernels = cuda_kernels(cuda::matmul, "matmul");
  for (int k = 0; k < kernels.count; ++k) {
    const Kernel& kernel = kernels.kernels[k];
    if (kernel.fits != nullptr && !kernel.fits(call)) continue;
    kernel.run(call);
    context.synchronize();
    const bool exact = std::string(kernel.name) == "simt";
    compare_product(out, a, b, exact ? 0 : 0x1p-11, std::string(kernel.name) + ", layout " + std::to_string(layout));
  }
}

/** A product of bfloat16 factors that lie as said. */
template <cuda::Lies LA, cuda::Lies LB>
void bfloat16_product_is_right(Sizes size) {
  using cuda::BFloat16;
  using cuda::Lies;
  constexpr int tile = 64;
  std::mt19937 random(3);
  Matrix a(size.m, size.k, LA == Lies::across ? 1 : 0), b(size.k, size.n, LB == Lies::across ? 0 : 1);
  Matrix out(size.m, size.n, 0);
  a.draw(random);
  b.draw(random);
  const auto rounded = [](Matrix& m) {
    std::vector<BFloat16> bits(m.data.size() + 8);
    for (size_t i = 0; i < m.data.size(); ++i) {
      uint32_t word;
      std::memcpy(&word, &m.data[i], 4);
      bits[i].bits = static_cast<uint16_t>(word >> 16);
      word &= 0xffff0000u;
      std::memcpy(&m.data[i], &word, 4);
    }
    return bits;
  };
  const auto a_bits = rounded(a), b_bits = rounded(b);
  cuda::Gemm<BFloat16, float> g{};
  g.m = size.m, g.n = size.n, g.k = size.k;
  g.a = a_bits.data(), g.b = b_bits.data(), g.out = out.data.data();
  g.a_row = a.row, g.a_step = a.step, g.b_row = b.row, g.b_step = b.step, g.out_row = out.row, g.out_step = out.step;
  g.batch.count = 1;
  CudaContext context;
  const Call call{nullptr, nullptr, nullptr, 0, 0, 0, &context};
  const dim3 grid(static_cast<unsigned>((size.m + tile - 1) / tile), static_cast<unsigned>((size.n + tile - 1) / tile));
  cuda::launch(call, cuda::gemm_sm80<BFloat16, tile, LA, LB>, grid, dim3(cuda::kMmaThreads),
               sizeof(cuda::MmaTiles<BFloat16, tile, LA, LB>), g);
  context.synchronize();
  compare_product(out, a, b, 0, "bfloat16");
}

}  // namespace test
}  // namespace athanor
