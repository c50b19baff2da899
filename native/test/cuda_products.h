// Products of matrices through the CUDA kernels, compared with float64.
#pragma once
#include <cmath>
#include <random>
#include <vector>

#include "math/bfloat16.h"
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

/** How a product is asked for. */
struct Asked {
  DType dtype = DType::f32;
  Float32Precision precision = Float32Precision::exact;
  int multiprocessors = 4;
  int device = 0;
};

/** The numbers of a matrix as bfloat16, cut off; the matrix keeps what is left of them. Where it has gaps there is NaN.
 */
inline std::vector<cuda::BFloat16> cut_to_bfloat16(Matrix& m) {
  std::vector<cuda::BFloat16> bits(m.data.size());
  for (size_t i = 0; i < m.data.size(); ++i) {
    uint32_t word;
    std::memcpy(&word, &m.data[i], 4);
    bits[i].bits = static_cast<uint16_t>(word >> 16);
    word &= 0xffff0000u;
    std::memcpy(&m.data[i], &word, 4);
  }
  return bits;
}

/** One product through each of the table's kernels that takes it; `layout` chooses those of a and b, three each. */
inline void product_is_right(Sizes size, int layout, const Asked& asked) {
  std::mt19937 random(static_cast<unsigned>(size.m * 31 + size.n * 7 + size.k + layout));
  Matrix a(size.m, size.k, layout / 3), b(size.k, size.n, layout % 3), out(size.m, size.n, layout % 2 * 2);
  a.draw(random);
  b.draw(random);
  CudaContext context(asked.device);
  context.float32_precision = asked.precision;
  context.multiprocessors = asked.multiprocessors;
  View in[2] = {a.view(), b.view()};
  const View to = out.view();
  std::vector<cuda::BFloat16> bits[2];
  if (asked.dtype == DType::bf16) {
    Matrix* const factors[2] = {&a, &b};
    for (int i = 0; i < 2; ++i) {
      bits[i] = cut_to_bfloat16(*factors[i]);
      in[i].data = bits[i].data();
      in[i].dtype = DType::bf16;
    }
  }
  const Call call{in, &to, nullptr, 2, 1, 0, &context};
  const OpKernels& kernels = cuda_kernels(cuda::matmul, "matmul");
  for (int k = 0; k < kernels.count; ++k) {
    const Kernel& kernel = kernels.kernels[k];
    if (kernel.fits != nullptr && !kernel.fits(call)) continue;
    std::fill(out.data.begin(), out.data.end(), NAN);
    kernel.run(call);
    context.synchronize();
    const bool exact = std::string(kernel.name) == "simt" || asked.dtype == DType::bf16;
    compare_product(out, a, b, exact ? 0 : 0x1p-11, std::string(kernel.name) + ", layout " + std::to_string(layout));
  }
}

}  // namespace test
}  // namespace athanor
