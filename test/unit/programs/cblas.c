/* A CBLAS of three loops, which writes what it was asked for to the file that CBLAS_LOG names. */
#include <stdio.h>
#include <stdlib.h>

static void note(const char* what, int a, int b, int c) {
  FILE* file = fopen(getenv("CBLAS_LOG"), "a");
  fprintf(file, "%s %d %d %d\n", what, a, b, c);
  fclose(file);
}

void openblas_set_num_threads(int threads) { note("threads", threads, 0, 0); }

#define GEMM(name, T)                                                                                                \
  void name(int order, int how_a, int how_b, int m, int n, int k, T alpha, const T* a, int lda, const T* b, int ldb, \
            T beta, T* c, int ldc) {                                                                                 \
    const int wrong = order != 101 || lda < (how_a == 111 ? k : m) || ldb < (how_b == 111 ? n : k) || ldc < n;       \
    note(wrong ? "wrong" : #name, m, n, k);                                                                          \
    for (int i = 0; i < m; ++i)                                                                                      \
      for (int j = 0; j < n; ++j) {                                                                                  \
        T sum = beta == 0 ? 0 : beta * c[i * ldc + j];                                                               \
        for (int l = 0; l < k; ++l)                                                                                  \
          sum += alpha * (how_a == 111 ? a[i * lda + l] : a[l * lda + i]) *                                          \
                 (how_b == 111 ? b[l * ldb + j] : b[j * ldb + l]);                                                   \
        c[i * ldc + j] = sum;                                                                                        \
      }                                                                                                              \
  }

GEMM(cblas_sgemm, float)
GEMM(cblas_dgemm, double)
