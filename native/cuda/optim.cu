// Optimizer steps, each over all parameters at once; the rules are in math/optim_rules.h. Dense parameters go together:
// the arguments of one launch name sixteen of them, and each block takes a stretch of one, 16 bytes of each operand a
// thread. Bound by memory: item size * (3 + 2 * states) bytes per element against 2 to 14 FLOPs, Adam's with a square
// root and two divisions.
#include "cpu/dtypes.h"
#include "cpu/iterate.h"
#include "cuda/families.h"
#include "cuda/fast_divide.h"
#include "cuda/vector.h"
#include "math/optim_rules.h"

namespace athanor {
namespace cuda {
namespace {

constexpr int kStepThreads = 256;
constexpr int64_t kStretch = 4 * kStepThreads;  // elements of a block
constexpr int kTogether = 16;                   // parameters of a launch: its arguments must fit four kilobytes

template <class T, int S, class Rule>
struct StepJob {
  T* out[kTogether][1 + S];
  const T* in[kTogether][2 + S];
  int64_t elements[kTogether];
  uint32_t first_block[kTogether + 1];
  bool wide[kTogether];  // all operands lie at multiples of 16 bytes
  Rule rules[kTogether];
};

template <class T, int S, class Rule>
__device__ __forceinline__ void step_element(const Rule& rule, T* const* out, const T* const* in, const int64_t* to,
                                             const int64_t* from) {
  Element<T> x{};
  x.p = in[0][from[0]];
  x.g = in[1][from[1]];
  if constexpr (S > 0) x.a = in[2][from[2]];
  if constexpr (S > 1) x.b = in[3][from[3]];
  if constexpr (S > 2) x.c = in[4][from[4]];
  rule.apply(x);
  out[0][to[0]] = x.p;
  if constexpr (S > 0) out[1][to[1]] = x.a;
  if constexpr (S > 1) out[2][to[2]] = x.b;
  if constexpr (S > 2) out[3][to[3]] = x.c;
}

/** Neighbouring elements of a dense parameter: all operands are read before any is written. */
template <class T, int S, class Rule>
__device__ __forceinline__ void step_vector(const Rule& rule, T* const* out, const T* const* in, int64_t i) {
  constexpr int V = kVector<T>;
  Vector<T, V> x[2 + S];
#pragma unroll
  for (int o = 0; o < 2 + S; ++o) x[o] = load_vector<V>(in[o] + i);
#pragma unroll
  for (int v = 0; v < V; ++v) {
    T *to[1 + S], *from[2 + S];
    for (int o = 0; o < 2 + S; ++o) from[o] = &x[o].at[v];
    for (int o = 0; o < 1 + S; ++o) to[o] = from[o == 0 ? 0 : o + 1];
    constexpr int64_t here[2 + S] = {};
    step_element<T, S>(rule, to, from, here, here);
  }
#pragma unroll
  for (int o = 0; o < 1 + S; ++o) store_vector(out[o] + i, x[o == 0 ? 0 : o + 1]);
}

template <class T, int S, class Rule>
__global__ void __launch_bounds__(kStepThreads) step_flat(StepJob<T, S, Rule> job) {
  constexpr int V = kVector<T>;
  int k = 0;
  while (blockIdx.x >= job.first_block[k + 1]) ++k;
  const int64_t first = static_cast<int64_t>(blockIdx.x - job.first_block[k]) * kStretch;
#pragma unroll 1
  for (int u = 0; u < kStretch / (kStepThreads * V); ++u) {
    const int64_t i = first + (u * kStepThreads + static_cast<int64_t>(threadIdx.x)) * V;
    if (job.wide[k] && i + V <= job.elements[k]) {
      step_vector<T, S>(job.rules[k], job.out[k], job.in[k], i);
      continue;
    }
    for (int64_t j = i; j < i + V && j < job.elements[k]; ++j) {
      int64_t at[2 + S];
      for (int64_t& a : at) a = j;
      step_element<T, S>(job.rules[k], job.out[k], job.in[k], at, at);
    }
  }
}

/** One parameter of any layout. */
template <class T, int S>
struct StridedStep {
  T* out[1 + S];
  const T* in[2 + S];
  int ndim;
  uint32_t elements;
  FastDivide sizes[kMaxDims];
  int64_t to[kMaxDims][1 + S], from[kMaxDims][2 + S];
};

template <class T, int S, class Rule>
__global__ void __launch_bounds__(kStepThreads) step_strided(StridedStep<T, S> job, Rule rule) {
  uint32_t rest = blockIdx.x * kStepThreads + threadIdx.x;
  if (rest >= job.elements) return;
  int64_t to[1 + S] = {}, from[2 + S] = {};
  for (int d = job.ndim - 1; d >= 0; --d) {
    const uint32_t above = job.sizes[d].quotient(rest), index = rest - above * job.sizes[d].divisor;
    for (int o = 0; o < 1 + S; ++o) to[o] += index * job.to[d][o];
    for (int i = 0; i < 2 + S; ++i) from[i] += index * job.from[d][i];
    rest = above;
  }
  step_element<T, S>(rule, job.out, job.in, to, from);
}

/** Runs a rule over all parameters of a call. Operands come grouped by kind: in = parameters, gradients, first states,
 * ...; out = parameters, first states, ... */
template <class T>
struct Steps {
  const Call& call;

  template <int S, class RuleOf>
  void run(const RuleOf& rule_of) const {
    constexpr int outs = 1 + S, all = outs + 2 + S;
    using Rule = decltype(rule_of(0));
    const int count = call.n_out / outs;
    StepJob<T, S, Rule> job;
    int together = 0;
    job.first_block[0] = 0;
    const auto start = [&] {
      if (together == 0) return;
      for (int k = together; k < kTogether; ++k) job.first_block[k + 1] = UINT32_MAX;
      launch(call, step_flat<T, S, Rule>, dim3(job.first_block[together]), dim3(kStepThreads), 0, job);
      together = 0;
    };
    for (int k = 0; k < count; ++k) {
      const View* views[all];
      for (int o = 0; o < outs; ++o) views[o] = &call.out[o * count + k];
      for (int i = 0; i < 2 + S; ++i) views[outs + i] = &call.in[i * count + k];
      const Walk<all> w = make_walk<all>(views);
      const int64_t n = w.elements();
      if (n == 0) continue;
      bool flat = w.ndim == 1, wide = true;
      for (int v = 0; v < all; ++v) {
        flat = flat && (w.strides[v][0] == 1 || n == 1);
        wide = wide && aligned(w.data[v], kVectorBytes);
      }
      if (!flat) {
        run_strided<S>(w, rule_of(k));
        continue;
      }
      for (int o = 0; o < outs; ++o) job.out[together][o] = static_cast<T*>(w.data[o]);
      for (int i = 0; i < 2 + S; ++i) job.in[together][i] = static_cast<const T*>(w.data[outs + i]);
      job.elements[together] = n;
      job.wide[together] = wide;
      job.rules[together] = rule_of(k);
      const int64_t blocks = (n + kStretch - 1) / kStretch;
      job.first_block[together + 1] = job.first_block[together] + static_cast<uint32_t>(blocks);
      if (++together == kTogether) start();
    }
    start();
  }

 private:
  template <int S, int All, class Rule>
  void run_strided(const Walk<All>& w, const Rule& rule) const {
    StridedStep<T, S> job;
    if (w.elements() >= int64_t{1} << 31) {
      call.ctx->fail(call.ctx, "2^31 elements or more in one parameter that is not dense");
      return;
    }
    job.ndim = w.ndim;
    job.elements = static_cast<uint32_t>(w.elements());
    for (int d = 0; d < w.ndim; ++d) {
      job.sizes[d] = FastDivide(static_cast<uint32_t>(w.shape[d]));
      for (int o = 0; o < 1 + S; ++o) job.to[d][o] = w.strides[o][d];
      for (int i = 0; i < 2 + S; ++i) job.from[d][i] = w.strides[1 + S + i][d];
    }
    for (int o = 0; o < 1 + S; ++o) job.out[o] = static_cast<T*>(w.data[o]);
    for (int i = 0; i < 2 + S; ++i) job.in[i] = static_cast<const T*>(w.data[1 + S + i]);
    launch(call, step_strided<T, S, Rule>, dim3((job.elements + kStepThreads - 1) / kStepThreads), dim3(kStepThreads),
           0, job, rule);
  }
};

#define STEP(name)                                \
  void name##_step(const Call& c) {               \
    const DType t = c.out[0].dtype;               \
    if (!with_floats(t, [&](auto tag) {           \
          using T = typename decltype(tag)::type; \
          name##_rules<T>(c.attrs, Steps<T>{c});  \
        }))                                       \
      refuse_dtype(c, t);                         \
  }                                               \
  const Kernel kernels_##name[] = {{"fused", nullptr, name##_step}};
STEP(sgd)
STEP(adam)
STEP(rmsprop)
STEP(adagrad)
#undef STEP

}  // namespace

const OpKernels optim[] = {ATHANOR_OP(sgdStep, kernels_sgd),
                           ATHANOR_OP(adamStep, kernels_adam),
                           ATHANOR_OP(rmspropStep, kernels_rmsprop),
                           ATHANOR_OP(adagradStep, kernels_adagrad),
                           {nullptr, nullptr, 0}};

}  // namespace cuda
}  // namespace athanor
