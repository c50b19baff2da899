// The rules of the optimizers: what becomes of one element of a parameter, its gradient and its states. Host and device
// share them. Formulas and their order are PyTorch's (torch.optim, the single-tensor forms), so that a run can be
// compared step by step. Sums of products may be contracted to FMA.
//
// NAME_rules(attrs, all) reads a call's attributes and calls all.run<S>(rule_of) once: S states a parameter, and
// rule_of(k) is the rule with the constants of parameter k.
#pragma once
#include <math.h>

#include "core/dtype.h"

namespace athanor {
namespace ATHANOR_ISA {

/** One element on its way through a rule: parameter, gradient, states. */
template <class T>
struct Element {
  T p, g, a, b, c;
};

ATHANOR_ALWAYS_INLINE float root(float x) { return ::sqrtf(x); }
ATHANOR_ALWAYS_INLINE double root(double x) { return ::sqrt(x); }

/** The gradient a rule works with: turned round to climb, with L2 decay when there is one. */
template <bool kDecay, class T>
ATHANOR_ALWAYS_INLINE T effective(const Element<T>& x, T sign, T decay) {
  return kDecay ? sign * x.g + decay * x.p : sign * x.g;
}

/** x + weight * (to - x) as torch.lerp computes it: from the nearer end. */
template <class T>
ATHANOR_ALWAYS_INLINE T lerp(T x, T to, T weight) {
  return weight < T(0.5) ? x + weight * (to - x) : to - (to - x) * (T(1) - weight);
}

template <bool kValue>
struct Flag {
  static constexpr bool value = kValue;
};

/** f(flag) with the flag as a constant: an option costs the inner loop nothing. */
template <class F>
ATHANOR_HOST_INLINE void with_flag(bool flag, const F& f) {
  flag ? f(Flag<true>{}) : f(Flag<false>{});
}

// ---- SGD. a: momentum buffer. attrs: lr, momentum, weight decay, nesterov, maximize; for each parameter: the factor
// of the gradient in the buffer (1 on its first step, then 1 - dampening).

template <class T, bool kDecay>
struct Sgd {
  T lr, decay, sign;
  ATHANOR_INLINE_MEMBER void apply(Element<T>& x) const { x.p -= lr * effective<kDecay>(x, sign, decay); }
};

template <class T, bool kDecay, bool kNesterov>
struct SgdMomentum {
  T lr, momentum, decay, sign, share;
  ATHANOR_INLINE_MEMBER void apply(Element<T>& x) const {
    const T g = effective<kDecay>(x, sign, decay);
    x.a = momentum * x.a + share * g;
    x.p -= lr * (kNesterov ? g + momentum * x.a : x.a);
  }
};

template <class T, class All>
void sgd_rules(const double* at, const All& all) {
  const T lr = T(at[0]), momentum = T(at[1]), decay = T(at[2]), sign = at[4] != 0 ? T(-1) : T(1);
  with_flag(decay != 0, [&](auto decays) {
    constexpr bool kDecay = decltype(decays)::value;
    if (momentum == 0) return all.template run<0>([&](int) { return Sgd<T, kDecay>{lr, decay, sign}; });
    with_flag(at[3] != 0, [&](auto nesterov) {
      using Rule = SgdMomentum<T, kDecay, decltype(nesterov)::value>;
      all.template run<1>([&](int k) { return Rule{lr, momentum, decay, sign, T(at[5 + k])}; });
    });
  });
}

// ---- Adam and AdamW. a, b: averages of the gradient and of its square; c: the largest b so far (amsgrad). attrs:
// beta1, beta2, eps, L2 decay, what decoupled decay keeps (1 - lr * decay), maximize, amsgrad; for each parameter: the
// step size lr / (1 - beta1^t) and the square root of 1 - beta2^t.

template <class T, bool kDecay, bool kAmsgrad>
struct Adam {
  T weight1, beta2, weight2, eps, decay, keep, sign, size, correction;
  ATHANOR_INLINE_MEMBER void apply(Element<T>& x) const {
    const T g = effective<kDecay>(x, sign, decay);
    x.p *= keep;
    x.a = lerp(x.a, g, weight1);
    x.b = beta2 * x.b + weight2 * g * g;
    if (kAmsgrad) x.c = x.c > x.b ? x.c : x.b;
    x.p -= size * x.a / (root(kAmsgrad ? x.c : x.b) / correction + eps);
  }
};

template <class T, class All>
void adam_rules(const double* at, const All& all) {
  const T sign = at[5] != 0 ? T(-1) : T(1);
  with_flag(at[3] != 0, [&](auto decays) {
    with_flag(at[6] != 0, [&](auto amsgrad) {
      using Rule = Adam<T, decltype(decays)::value, decltype(amsgrad)::value>;
      all.template run<decltype(amsgrad)::value ? 3 : 2>([&](int k) {
        return Rule{T(1 - at[0]), T(at[1]), T(1 - at[1]),     T(at[2]),        T(at[3]),
                    T(at[4]),     sign,     T(at[7 + 2 * k]), T(at[8 + 2 * k])};
      });
    });
  });
}

// ---- RMSprop. a: average of the squared gradient; then the momentum buffer and the average of the gradient
// (centered), as far as they are used. attrs: lr, alpha, eps, weight decay, momentum, centered, maximize.

template <class T, bool kMomentum, bool kCentered>
struct Rmsprop {
  T lr, alpha, weight, eps, decay, momentum, sign;
  ATHANOR_INLINE_MEMBER void apply(Element<T>& x) const {
    const T g = effective<true>(x, sign, decay);
    x.a = alpha * x.a + weight * g * g;
    T variance = x.a;
    if (kCentered) {
      T& average = kMomentum ? x.c : x.b;
      average = lerp(average, g, weight);
      variance -= average * average;
    }
    const T step = g / (root(variance) + eps);
    if (kMomentum) x.b = momentum * x.b + step;
    x.p -= lr * (kMomentum ? x.b : step);
  }
};

template <class T, class All>
void rmsprop_rules(const double* at, const All& all) {
  const T sign = at[6] != 0 ? T(-1) : T(1);
  with_flag(at[4] != 0, [&](auto momentum) {
    with_flag(at[5] != 0, [&](auto centered) {
      constexpr bool kMomentum = decltype(momentum)::value, kCentered = decltype(centered)::value;
      all.template run<1 + kMomentum + kCentered>([&](int) {
        return Rmsprop<T, kMomentum, kCentered>{T(at[0]), T(at[1]), T(1 - at[1]), T(at[2]), T(at[3]), T(at[4]), sign};
      });
    });
  });
}

// ---- Adagrad. a: sum of the squared gradients. attrs: eps, weight decay, maximize; for each parameter: its decayed
// lr.

template <class T>
struct Adagrad {
  T eps, decay, sign, lr;
  ATHANOR_INLINE_MEMBER void apply(Element<T>& x) const {
    const T g = effective<true>(x, sign, decay);
    x.a += g * g;
    x.p -= lr * (g / (root(x.a) + eps));
  }
};

template <class T, class All>
void adagrad_rules(const double* at, const All& all) {
  const T sign = at[2] != 0 ? T(-1) : T(1);
  all.template run<1>([&](int k) { return Adagrad<T>{T(at[0]), T(at[1]), sign, T(at[3 + k])}; });
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
