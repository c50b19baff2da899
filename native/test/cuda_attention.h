// Attention in tiles by hand: a problem, what float64 makes of it, and how far results are from that. A file that
// includes this gives ATHANOR_ATTENTION_FILE a name, and has kernels of its own, which a fault may be planted in by a
// macro: an unnamed namespace would not do, since the compiler shares what is made of a template of templates.
#pragma once
#include <cmath>

#include "cuda/attention_backward.h"
#include "cuda/attention_exact.h"
#include "cuda/attention_forward.h"
#include "cuda/attention_tf32.h"
#include "test/cuda_calls.h"
#include "test/kernels.h"

namespace athanor {
namespace test {
namespace ATHANOR_ATTENTION_FILE {

// Arithmetics of this file's own, so that what is made of them is too.
template <int Rows>
struct Exact : cuda::ExactRows<Rows> {};
template <int Rows>
struct Tf32 : cuda::Tf32Rows<Rows> {};

struct AttentionSizes {
  int64_t batch, queries, keys, heads, width, value_width;
  bool causal, masked;
};

using Numbers = std::vector<double>;

/** Operands, results of both directions, and what they should be. */
struct AttentionProblem {
  AttentionSizes z;
  Array<float> q, k, v, mask, g, g_log_sums, out, log_sums, gq, gk, gv;
  Numbers right_out, right_log_sums, right_gq, right_gk, right_gv;
  double attrs[2];

  explicit AttentionProblem(const AttentionSizes& sizes)
      : z(sizes),
        q(Array<float>::random({z.batch, z.queries, z.heads, z.width}, 1)),
        k(Array<float>::random({z.batch, z.keys, z.heads, z.width}, 2)),
        v(Array<float>::random({z.batch, z.keys, z.heads, z.value_width}, 3)),
        mask(Array<float>::random({z.batch, z.heads, z.queries, z.keys}, 4)),
        g(Array<float>::random({z.batch, z.queries, z.heads, z.value_width}, 5)),
        g_log_sums(Array<float>::random({z.batch, z.heads, z.queries}, 6)),
        out(g.shape, NAN),
        log_sums(g_log_sums.shape, NAN),
        gq(q.shape, NAN),
        gk(k.shape, NAN),
        gv(v.shape, NAN),
        attrs{0.3, static_cast<double>(z.causal)} {
    // Every third query sees the first keys alone, and the second nothing.
    for (int64_t i = 0; i < z.batch * z.heads * z.queries; ++i)
      for (int64_t s = 0; s < z.keys; ++s) {
        float& m = mask.data[static_cast<size_t>(i * z.keys + s)];
        if (!z.masked) m = 0;
        if (z.masked && ((i % 3 == 0 && s > 5) || i == 1)) m = -HUGE_VALF;
      }
    solve();
  }

  cuda::Attention<float> call_of(const Call& c) {
    View one = mask.view();
    if (!z.masked) one.ndim = 0;
    return cuda::Attention<float>(c, q.view(), k.view(), v.view(), one);
  }
  Call call(CudaContext& context) { return Call{nullptr, nullptr, attrs, 0, 0, 2, &context}; }

  template <template <int> class Rows>
  void attend(CudaContext& context) {
    const Call c = call(context);
    cuda::run_attend_tiles<Rows>(c, call_of(c), {cuda::Heads<float>(out.view()), log_sums.data.data()});
    context.synchronize();
  }
  /** From the results of float64. */
  template <template <int> class Rows>
  void differentiate(CudaContext& context) {
    const Call c = call(context);
    for (size_t i = 0; i < out.data.size(); ++i) out.data[i] = static_cast<float>(right_out[i]);
    for (size_t i = 0; i < log_sums.data.size(); ++i) log_sums.data[i] = static_cast<float>(right_log_sums[i]);
    const cuda::Incoming<float> in{cuda::Heads<const float>(g.view()), cuda::Heads<const float>(out.view()),
                                   cuda::Scores<float>(log_sums.view()), cuda::Scores<float>(g_log_sums.view())};
    cuda::run_gradient_tiles<Rows>(
        c, call_of(c), in,
        {cuda::Heads<float>(gq.view()), cuda::Heads<float>(gk.view()), cuda::Heads<float>(gv.view())});
    context.synchronize();
  }

 private:
  void solve() {
    right_out.assign(out.data.size(), 0), right_log_sums.assign(log_sums.data.size(), 0);
    right_gq.assign(gq.data.size(), 0), right_gk.assign(gk.data.size(), 0), right_gv.assign(gv.data.size(), 0);
    const auto width = static_cast<size_t>(z.width), value_width = static_cast<size_t>(z.value_width);
    for (int64_t n = 0; n < z.batch; ++n)
      for (int64_t h = 0; h < z.heads; ++h)
        for (int64_t l = 0; l < z.queries; ++l) {
          const auto row = static_cast<size_t>((n * z.queries + l) * z.heads + h);
          const auto at = static_cast<size_t>((n * z.heads + h) * z.queries + l);
          const auto key = [&](size_t s) {
            return (static_cast<size_t>(n * z.keys) + s) * static_cast<size_t>(z.heads) + static_cast<size_t>(h);
          };
          Numbers p(static_cast<size_t>(z.causal ? std::min(l + 1, z.keys) : z.keys));
          double top = -HUGE_VAL, sum = 0, delta = -static_cast<double>(g_log_sums.data[at]);
          for (size_t s = 0; s < p.size(); ++s) {
            for (size_t e = 0; e < width; ++e) p[s] += double{q.data[row * width + e]} * k.data[key(s) * width + e];
            p[s] = p[s] * attrs[0] + mask.data[at * static_cast<size_t>(z.keys) + s];
            top = std::max(top, p[s]);
          }
          for (double& x : p) sum += x = top == -HUGE_VAL ? 0 : std::exp(x - top);
          right_log_sums[at] = sum == 0 ? HUGE_VAL : top + std::log(sum);
          for (double& x : p) x = sum == 0 ? 0 : x / sum;
          for (size_t d = 0; d < value_width; ++d) {
            double& to = right_out[row * value_width + d];
            for (size_t s = 0; s < p.size(); ++s) to += p[s] * v.data[key(s) * value_width + d];
            delta += to * g.data[row * value_width + d];
          }
          for (size_t s = 0; s < p.size(); ++s) {
            double slope = -delta;
            for (size_t d = 0; d < value_width; ++d) {
              slope += double{g.data[row * value_width + d]} * v.data[key(s) * value_width + d];
              right_gv[key(s) * value_width + d] += p[s] * g.data[row * value_width + d];
            }
            for (size_t e = 0; e < width; ++e) {
              right_gq[row * width + e] += p[s] * slope * attrs[0] * k.data[key(s) * width + e];
              right_gk[key(s) * width + e] += p[s] * slope * attrs[0] * q.data[row * width + e];
            }
          }
        }
  }
};

/** The largest difference, as a part of the largest number; 1 where something is not a number. */
inline double distance(const Array<float>& found, const Numbers& right) {
  double most = 0, largest = 1e-30;
  for (size_t i = 0; i < right.size(); ++i) {
    if (std::isinf(right[i]) && found.data[i] == right[i]) continue;
    if (!std::isfinite(found.data[i])) return 1;
    most = std::max(most, std::fabs(found.data[i] - right[i]));
    largest = std::max(largest, std::fabs(right[i]));
  }
  return most / largest;
}

/** How many schedules run(context) does not survive: those after which wrong() is further from right than a few
 *  roundings. */
template <class Run, class Far>
int wrong_schedules(const Run& run, const Far& far) {
  int wrong = 0;
  simulator::each_schedule([&] {
    CudaContext context;
    run(context);
    if (far() > 5e-3) ++wrong;
  });
  return wrong;
}

/** Several tiles of each kernel, with rows to spare and to share. */
constexpr AttentionSizes kSeveralTiles = {1, 150, 140, 1, 24, 32, false, false};

/** Schedules that the forward kernel does not survive. */
template <template <int> class Rows>
int wrong_results() {
  AttentionProblem p(kSeveralTiles);
  return wrong_schedules(
      [&](CudaContext& context) { p.template attend<Rows>(context); },
      [&] { return std::max(distance(p.out, p.right_out), distance(p.log_sums, p.right_log_sums)); });
}

/** Schedules that the gradients of queries (0) or of keys and values (1) do not survive. */
template <template <int> class Rows>
int wrong_gradients(int of_keys) {
  AttentionProblem p(kSeveralTiles);
  return wrong_schedules([&](CudaContext& context) { p.template differentiate<Rows>(context); },
                         [&] {
                           return of_keys ? std::max(distance(p.gk, p.right_gk), distance(p.gv, p.right_gv))
                                          : distance(p.gq, p.right_gq);
                         });
}

}  // namespace ATHANOR_ATTENTION_FILE
}  // namespace test
}  // namespace athanor
