/* Calls a CBLAS many times over and says how long it took: a call from Python costs as much as a small product. */
#include <dlfcn.h>
#include <stdint.h>
#include <time.h>

typedef void (*Sgemm)(int, int, int, int, int, int, float, const float*, int, const float*, int, float, float*, int);
typedef void (*Dgemm)(int, int, int, int, int, int, double, const double*, int, const double*, int, double, double*, int);
typedef void (*Sgemv)(int, int, int, int, float, const float*, int, const float*, int, float, float*, int);
typedef void (*Threads)(int);
typedef const char* (*Config)(void);

enum { kRows = 101, kNormal = 111, kTransposed = 112 };

static void* library;

/* 1 when the library can be loaded and has what is called. */
int blas_open(const char* name) {
  library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  return library != 0 && dlsym(library, "cblas_sgemm") != 0 && dlsym(library, "cblas_dgemm") != 0;
}

void blas_threads(int n) {
  const char* names[] = {"openblas_set_num_threads", "bli_thread_set_num_threads", "MKL_Set_Num_Threads"};
  for (int i = 0; i < 3; ++i) {
    Threads set = (Threads)dlsym(library, names[i]);
    if (set != 0) set(n);
  }
}

const char* blas_version(void) {
  Config config = (Config)dlsym(library, "openblas_get_config");
  return config != 0 ? config() : "";
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* c[i] = a[i] b[i] for a batch of row-major products; ta and tb: an operand lies transposed. Seconds of all calls. */
double blas_gemm(int64_t calls, int batch, int is_double, int ta, int tb, int m, int n, int k, const void* a, const void* b,
                 void* c) {
  Sgemm sgemm = (Sgemm)dlsym(library, "cblas_sgemm");
  Dgemm dgemm = (Dgemm)dlsym(library, "cblas_dgemm");
  Sgemv sgemv = (Sgemv)dlsym(library, "cblas_sgemv");
  const int lda = ta ? m : k, ldb = tb ? k : n;
  const int oa = ta ? kTransposed : kNormal, ob = tb ? kTransposed : kNormal;
  const double start = now();
  for (int64_t call = 0; call < calls; ++call) {
    for (int64_t i = 0; i < batch; ++i) {
      const int64_t at = i * m * k, bt = i * k * n, ct = i * m * n;
      if (is_double) {
        dgemm(kRows, oa, ob, m, n, k, 1, (const double*)a + at, lda, (const double*)b + bt, ldb, 0, (double*)c + ct, n);
      } else if (m == 1 && sgemv != 0) { /* its best form for a vector */
        sgemv(kRows, tb ? kNormal : kTransposed, tb ? n : k, tb ? k : n, 1, (const float*)b + bt, ldb,
              (const float*)a + at, 1, 0, (float*)c + ct, 1);
      } else if (n == 1 && sgemv != 0) {
        sgemv(kRows, oa, ta ? k : m, ta ? m : k, 1, (const float*)a + at, lda, (const float*)b + bt, 1, 0,
              (float*)c + ct, 1);
      } else {
        sgemm(kRows, oa, ob, m, n, k, 1, (const float*)a + at, lda, (const float*)b + bt, ldb, 0, (float*)c + ct, n);
      }
    }
  }
  return now() - start;
}
