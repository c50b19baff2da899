// What a kernel sees: plain structs only, because kernel files are compiled once per instruction set and must not
// instantiate anything with external linkage that another level could be given at link time.
#pragma once
#include <cstdarg>

#include "core/dtype.h"

namespace athanor {

constexpr int kMaxDims = 8;

/** A strided window on memory. Strides count elements, may be 0 (expanded) or negative; the offset is in `data`. */
struct View {
  void* data;
  int64_t shape[kMaxDims];
  int64_t strides[kMaxDims];
  int32_t ndim;
  DType dtype;
  bool literal;  // a number that the call carries: `data` is host memory on every device. Set for devices only

  template <class T>
  __attribute__((always_inline)) T* as() const {
    return static_cast<T*>(data);
  }
};

/**
 * What a kernel may ask of the engine while it runs. The members are function pointers so that a kernel file links
 * against nothing but this struct.
 */
struct Context {
  const struct Blas* blas;  // the CBLAS in use, null where there is none

  int threads;  // chunks a parallel loop is cut into; results may depend on it, never on who runs a chunk

  /** Uninitialised 64-byte aligned memory that lives until the kernel returns. Throws OutOfMemory. Call it from the
   *  kernel's own thread only, never inside a parallel body. */
  void* (*scratch)(Context*, size_t bytes);
  size_t (*mark)(Context*);               // how much scratch memory there is now
  void (*rewind)(Context*, size_t mark);  // gives back what was asked for since

  /** Reports a failure that depends on the data (an index out of range). The first report wins; any thread may call. */
  void (*fail)(Context*, const char* format, ...) __attribute__((format(printf, 2, 3)));

  /** Runs body(closure, i) for i in [0, count), on up to `threads` threads, any order; returns when all have ended. */
  void (*parallel)(Context*, int64_t count, void* closure, void (*body)(void* closure, int64_t i));
};

/** One op call: inputs and outputs in the order of the op's row, attributes as the row packed them. */
struct Call {
  const View* in;
  const View* out;
  const double* attrs;
  int n_in;
  int n_out;
  int n_attrs;
  Context* ctx;
};

/** What a kernel takes for granted beside its instruction set level. */
enum class Needs : uint8_t {
  nothing,
  blas,      // a CBLAS is loaded
  bf16_dot,  // the processor has AVX512_BF16
};

/** One way to compute an op. An op's kernels are tried in order; the last one fits everything. */
struct Kernel {
  const char* name;
  bool (*fits)(const Call&);  // nullptr: always
  void (*run)(const Call&);
  Needs needs = Needs::nothing;  // where that is missing the kernel is not in the list at all
};

/** The kernels of one op at one instruction set. */
struct OpKernels {
  const char* op;
  const Kernel* kernels;
  int count;
};

ATHANOR_ALWAYS_INLINE int64_t numel(const View& v) {
  int64_t n = 1;
  for (int d = 0; d < v.ndim; ++d) n *= v.shape[d];
  return n;
}

ATHANOR_ALWAYS_INLINE bool is_contiguous(const View& v) {
  int64_t expect = 1;
  for (int d = v.ndim - 1; d >= 0; --d) {
    if (v.shape[d] == 1) continue;
    if (v.strides[d] != expect) return false;
    expect *= v.shape[d];
  }
  return true;
}

}  // namespace athanor
