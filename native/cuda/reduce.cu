// Every REDUCE line of ops.def: a folder over its dtypes and a table entry. attrs: the axes as bits.
#include "cpu/dtypes.h"
#include "cuda/families.h"
#include "cuda/fold.h"
#include "math/functions.h"
#include "math/reductions.h"

namespace athanor {
namespace cuda {
namespace {

template <class F, class T>
struct Reduce {
  using In = T;
  using State = typename F::template Acc<T>;
  using Out = typename FoldResult<T, State>::type;

  __device__ __forceinline__ State start() const { return F::template start<State>(); }
  __device__ __forceinline__ void take(State& s, T x, int64_t) const { s = F::fold(s, F::of(static_cast<State>(x))); }
  static __device__ __forceinline__ void join(State& a, const State& b) { a = F::fold(a, b); }
  static __device__ __forceinline__ State shuffle(State s, int lanes) {
    return static_cast<State>(__shfl_xor_sync(kFullMask, s, lanes));
  }
  __device__ __forceinline__ void write(Out* out, State s, int64_t n) const {
    *out = static_cast<Out>(F::finish(s, static_cast<State>(n)));
  }
};

#define REDUCE(name, dtypes, Accumulator, start, of, fold, finish)               \
  void k_##name(const Call& c) {                                                 \
    if (!with_##dtypes(c.in[0].dtype, [&](auto tag) {                            \
          using T = typename Readable<typename decltype(tag)::type>::type;       \
          run_fold(c, static_cast<unsigned>(c.attrs[0]), Reduce<F_##name, T>{}); \
        }))                                                                      \
      refuse_dtype(c, c.in[0].dtype);                                            \
  }                                                                              \
  const Kernel kernels_##name[] = {{"fold", nullptr, k_##name}};
#include "ops.def"

}  // namespace

const OpKernels reduce[] = {
#define REDUCE(name, dtypes, Accumulator, start, of, fold, finish) {#name, kernels_##name, 1},
#include "ops.def"
    {nullptr, nullptr, 0}};

}  // namespace cuda
}  // namespace athanor
