// A CBLAS that takes over large products of matrices: the library that ATHANOR_BLAS names, loaded while the addon
// starts. Without the variable nothing is loaded, and athanor's own kernels do all the work.
#pragma once

namespace athanor {

/** What kernels call of the library. Its integers must be of 32 bits (LP64), as they are unless one asks otherwise. */
struct Blas {
  // The numbers that every cblas.h gives these names.
  static constexpr int row_major = 101, plain = 111, transposed = 112;

  /** (order, how A is stored, how B is stored, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc): C = alpha A B + beta C */
  void (*sgemm)(int, int, int, int, int, int, float, const float*, int, const float*, int, float, float*, int);
  void (*dgemm)(int, int, int, int, int, int, double, const double*, int, const double*, int, double, double*, int);
  /** The number of threads of the calls to come. Does nothing where the library has no known function for it. */
  void (*use_threads)(int threads);
  /** The library's file, or the name under which it was found. */
  const char* name;
};

/** The library in use, null without ATHANOR_BLAS; loaded once, on the first call. Throws Error when it cannot be. */
const Blas* blas();

}  // namespace athanor
