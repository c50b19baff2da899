// The loop behind every optimizer step: one pass over the memory of all parameters in one call. A rule sees one element
// of a parameter, its gradient and its states, and is inlined into a vector loop. Operands come grouped by kind: in =
// parameters, gradients, first states, second states, ...; out = parameters, first states, ..., usually the same
// memory. Work is cut evenly over the elements of all parameters together.
#pragma once
#include "cpu/dtypes.h"
#include "cpu/segments.h"
#include "math/optim_rules.h"

namespace athanor {
namespace ATHANOR_ISA {

// `dense` is a constant at each call site, so that a dense loop keeps no strides.
template <class T, int S, class Rule>
ATHANOR_ALWAYS_INLINE void step_row(const Rule& rule, int64_t n, T* const* out, const T* const* in,
                                    const int64_t* strides, bool dense) {
  const auto out_step = [&](int k) { return dense ? int64_t{1} : strides[k]; };
  const auto in_step = [&](int k) { return dense ? int64_t{1} : strides[1 + S + k]; };
  // Each element is read before it is written and read by nobody else, also where an output is its own input.
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    Element<T> x{};
    x.p = in[0][i * in_step(0)];
    x.g = in[1][i * in_step(1)];
    if (S > 0) x.a = in[S > 0 ? 2 : 0][i * in_step(S > 0 ? 2 : 0)];
    if (S > 1) x.b = in[S > 1 ? 3 : 0][i * in_step(S > 1 ? 3 : 0)];
    if (S > 2) x.c = in[S > 2 ? 4 : 0][i * in_step(S > 2 ? 4 : 0)];
    rule.apply(x);
    out[0][i * out_step(0)] = x.p;
    if (S > 0) out[S > 0 ? 1 : 0][i * out_step(S > 0 ? 1 : 0)] = x.a;
    if (S > 1) out[S > 1 ? 2 : 0][i * out_step(S > 1 ? 2 : 0)] = x.b;
    if (S > 2) out[S > 2 ? 3 : 0][i * out_step(S > 2 ? 3 : 0)] = x.c;
  }
}

/** Runs a rule of S states over all parameters; rule_of(k) is the rule with the constants of parameter k. */
template <class T, int S, class RuleOf>
ATHANOR_ALWAYS_INLINE void step_all(const Call& c, const RuleOf& rule_of) {
  constexpr int kOut = 1 + S, kAll = kOut + 2 + S;
  const int count = c.n_out / kOut;
  auto* walks = static_cast<Walk<kAll>*>(c.ctx->scratch(c.ctx, static_cast<size_t>(count) * sizeof(Walk<kAll>)));
  for (int k = 0; k < count; ++k) {
    const View* views[kAll];
    for (int o = 0; o < kOut; ++o) views[o] = &c.out[o * count + k];
    for (int i = 0; i < 2 + S; ++i) views[kOut + i] = &c.in[i * count + k];
    walks[k] = make_walk<kAll>(views);
  }
  const auto length = [&](int k) { return walks[k].elements(); };
  parallel_segments(c.ctx, count, kCut, kGrain, length, [&](int k, int64_t begin, int64_t end) {
    const Walk<kAll>& w = walks[k];
    const auto rule = rule_of(k);
    int64_t strides[kAll];
    bool dense = true;
    for (int v = 0; v < kAll; ++v) {
      strides[v] = w.strides[v][w.ndim - 1];
      dense = dense && strides[v] == 1;
    }
    rows_between(w, begin, end, [&](int64_t n, const int64_t* at) {
      T* out[kOut];
      const T* in[2 + S];
      for (int o = 0; o < kOut; ++o) out[o] = static_cast<T*>(w.data[o]) + at[o];
      for (int i = 0; i < 2 + S; ++i) in[i] = static_cast<const T*>(w.data[kOut + i]) + at[kOut + i];
      if (dense)
        step_row<T, S>(rule, n, out, in, strides, true);
      else
        step_row<T, S>(rule, n, out, in, strides, false);
    });
  });
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
