// argmax, argmin: where along one axis the largest (smallest) element is; the first one where several are, and the
// first nan where there is one. attrs: the axis, as a bit. Rows are folded to their extreme and then searched for it,
// which mostly ends early; columns carry value and place along. Item size bytes and 1 to 2 comparisons per element:
// bound by read bandwidth.
#include "cpu/families.h"
#include "cpu/fold.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

struct Larger {
  using F = F_max;
  template <class T>
  ATHANOR_ALWAYS_INLINE bool better(T a, T b) {
    return a > b;
  }
};
struct Smaller {
  using F = F_min;
  template <class T>
  ATHANOR_ALWAYS_INLINE bool better(T a, T b) {
    return a < b;
  }
};

template <class Order, class T>
struct Place {
  struct State {
    T value;
    int32_t index;
  };
  static constexpr int64_t kColumns = 512, kShortRow = 0;

  ATHANOR_ALWAYS_INLINE State start() { return {Order::F::template start<T>(), 0}; }
  /** Strictly better, or the first nan. */
  ATHANOR_ALWAYS_INLINE bool beats(T a, T b) { return Order::better(a, b) | ((a != a) & (b == b)); }
  ATHANOR_ALWAYS_INLINE State merge(State a, State b, int64_t first) {
    b.index += static_cast<int32_t>(first);
    return beats(b.value, a.value) ? b : a;
  }

  static State row(const T* x, int64_t n, int64_t step) {
    const T value = Fold<typename Order::F, T>::row(x, n, step);
    constexpr int64_t kBlock = 64;  // a loop that may stop is no vector loop: blocks are, and only the last is searched
    int64_t i = 0;
    for (; step == 1 && i + kBlock <= n; i += kBlock) {
      int found = 0;
      for (int64_t j = i; j < i + kBlock; ++j) found |= (x[j] == value) | (x[j] != x[j]);
      if (found) break;
    }
    while (i < n && !(x[i * step] == value || x[i * step] != x[i * step])) ++i;
    return {value, static_cast<int32_t>(i)};
  }

  static void columns(const FoldPlan& p, const T* x, int64_t n, int64_t step, State* out) {
    T value[kColumns], dense[kColumns];
    int32_t index[kColumns];
    for (int64_t c = 0; c < n; ++c) value[c] = x[c * step], index[c] = 0;
    const FoldDim rows = p.n_folded > 0 ? p.folded[0] : FoldDim{1, 0, 0};
    for (int32_t r = 1; r < rows.size; ++r) {
      const T* from = x + r * rows.in;
      if (step != 1) lay_dense(&from, 1, n, step, dense);
      take(from, n, r, value, index);
    }
    for (int64_t c = 0; c < n; ++c) out[c] = {value[c], index[c]};
  }
  ATHANOR_ALWAYS_INLINE void take(const T* x, int64_t n, int32_t r, T* value, int32_t* index) {
#pragma omp simd
    for (int64_t c = 0; c < n; ++c) {
      const T v = x[c];
      const bool wins = beats(v, value[c]);
      value[c] = wins ? v : value[c];
      index[c] = wins ? r : index[c];
    }
  }
};

template <class K, class T>
void run_places(const Call& c) {
  const FoldPlan p = make_fold_plan(c.in[0], c.out[0], static_cast<unsigned>(c.attrs[0]));
  int32_t* out = c.out[0].as<int32_t>();
  run_fold<K>(c.ctx, p, c.in[0].as<const T>(), kGrain,
              [&](int64_t at, int64_t step, const typename K::State* s, int64_t n) {
                for (int64_t i = 0; i < n; ++i) out[at + i * step] = s[i].index;
              });
}

template <class Order>
void place_of(const Call& c) {
  const bool known = with_all(c.in[0].dtype, [&](auto tag) {
    using T = typename Readable<typename decltype(tag)::type>::type;
    run_places<Place<Order, T>, T>(c);
  });
  if (!known) refuse_dtype(c, c.in[0].dtype);
}

const Kernel kernels_argmax[] = {{"fold", nullptr, place_of<Larger>}};
const Kernel kernels_argmin[] = {{"fold", nullptr, place_of<Smaller>}};

}  // namespace

const OpKernels argmax[] = {
    ATHANOR_OP(argmax, kernels_argmax), ATHANOR_OP(argmin, kernels_argmin), {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
