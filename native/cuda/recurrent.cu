// rnn, lstm and gru: a layer of recurrent units over a whole sequence in one call, and the gradients of that.
// attrs: whether the sequence runs backwards; of rnn, whether it is relu in place of tanh; of gradients, whether those
// of the initial state are wanted (outputs that are absent otherwise). x already holds the input's share, and the
// gradient of the recurrent matrix is one product over all steps: both are matrix products of their own.
//
// A step is two launches: the product of the state with the matrix, [N, H] times [H, G H] forward and [N, G H] times
// [G H, H] backward, by the kernels of matmul, and the cells, a thread a unit, which read each array once. The states
// lie in the outputs, so nothing is copied between steps. 2 N H G H FLOPs a step; for small N and H bound by the time
// of two launches.
#include "cuda/recurrent.h"

#include "cpu/dtypes.h"
#include "cuda/each.h"
#include "math/cells.h"

namespace athanor {
namespace cuda {
namespace {

// ---- rnn. in: x, w, h0; out: h

template <class T, bool Relu>
struct PlainForward {
  GateProducts<T> products;
  Given<T> x;
  T* h;
  __device__ void operator()(uint32_t i) const {
    const auto p = products.place(i);
    h[i] = m::plain_cell<Relu>(x.at(p.n, p.u) + products.of(p, 0));
  }
};

template <class T, bool Relu>
void rnn_forward(const Call& c) {
  const SequenceSizes z(c, c.in[0], c.in[1]);
  if (z.empty()) return;
  T* const h = c.out[0].as<T>();
  const StepProducts<T> products(c, z, transposed(c.in[1]));
  for (int64_t s = 0; s < z.steps; ++s) {
    const int64_t t = z.at(s);
    for_each_number(
        c, z.cells(),
        PlainForward<T, Relu>{forward_products(products, z, s, h, c.in[2]), given<T>(c.in[0], t), h + t * z.cells()});
  }
}

// in: gradient of h, h, w; out: gradients of x and h0

template <class T, bool Relu>
struct PlainBackward {
  GateProducts<T> products;
  Given<T> g, h;
  T* d;
  __device__ void operator()(uint32_t i) const {
    const auto p = products.place(i);
    d[i] = m::plain_cell_back<Relu>(g.at(p.n, p.u) + products.of(p, 0), h.at(p.n, p.u));
  }
};

template <class T, bool Relu>
void rnn_backward(const Call& c) {
  const SequenceSizes z(c, c.in[1], c.in[2]);
  if (z.empty()) return;
  T* const d = c.out[0].as<T>();
  const StepProducts<T> products(c, z, c.in[2]);
  for (int64_t s = z.steps - 1; s >= 0; --s) {
    const int64_t t = z.at(s);
    for_each_number(c, z.cells(),
                    PlainBackward<T, Relu>{backward_products(products, z, s, d, c.in[2]), given<T>(c.in[0], t),
                                           given<T>(c.in[1], t), d + t * z.cells()});
  }
  if (c.n_out > 1) multiply(c, matrix_view(c.in[2], d + z.at(0) * z.cells(), z.rows, z.units), c.in[2], c.out[1]);
}

// ---- lstm. in: x, w, h0, c0; out: h, c, gates

template <class T>
struct LstmForward {
  GateProducts<T> products;
  Given<T> x, before;
  T *h, *cells, *gates;
  __device__ void operator()(uint32_t i) const {
    const auto p = products.place(i);
    const int64_t H = products.count();
    const auto gate = [&](int64_t k) { return x.at(p.n, p.u + k * H) + products.of(p, k); };
    const auto y = m::lstm_cell(gate(0), gate(1), gate(2), gate(3), before.at(p.n, p.u));
    T* const to = gates + p.n * 4 * H + p.u;
    to[0] = y.i, to[H] = y.f, to[2 * H] = y.g, to[3 * H] = y.o;
    cells[i] = y.c;
    h[i] = y.h;
  }
};

template <class T>
void lstm_forward(const Call& c) {
  const SequenceSizes z(c, c.in[0], c.in[1]);
  if (z.empty()) return;
  T *const h = c.out[0].as<T>(), *const cells = c.out[1].as<T>(), *const gates = c.out[2].as<T>();
  const StepProducts<T> products(c, z, transposed(c.in[1]));
  for (int64_t s = 0; s < z.steps; ++s) {
    const int64_t t = z.at(s), at = t * z.cells();
    for_each_number(c, z.cells(),
                    LstmForward<T>{forward_products(products, z, s, h, c.in[2]), given<T>(c.in[0], t),
                                   before<T>(z, s, cells, c.in[3]), h + at, cells + at, gates + 4 * at});
  }
}

// in: gradients of h, c and gates (0 where there is none), c, gates, w, c0; out: gradients of x, h0 and c0

template <class T>
struct LstmBackward {
  GateProducts<T> products;
  Given<T> g_out, g_cells, g_gates, cells, gates, before;
  bool first;  // nothing was handed down yet
  T *carry, *d;
  __device__ void operator()(uint32_t i) const {
    const auto p = products.place(i);
    const int64_t n = p.n, u = p.u, H = products.count();
    const auto four = [&](const Given<T>& v, T cell) -> m::LstmUnit<T> {
      return {v.at(n, u), v.at(n, u + H), v.at(n, u + 2 * H), v.at(n, u + 3 * H), cell, T(0)};
    };
    const T dc = (first ? T(0) : carry[i]) + g_cells.at(n, u);
    const auto s = m::lstm_cell_back(four(gates, cells.at(n, u)), before.at(n, u), g_out.at(n, u) + products.of(p, 0),
                                     dc, four(g_gates, T(0)));
    T* const to = d + n * 4 * H + u;
    to[0] = s.i, to[H] = s.f, to[2 * H] = s.g, to[3 * H] = s.o;
    carry[i] = s.before;
  }
};

template <class T>
void lstm_backward(const Call& c) {
  const SequenceSizes z(c, c.in[4], c.in[5]);
  if (z.empty()) return;
  T* const d = c.out[0].as<T>();
  T* const carry = c.n_out > 1 ? c.out[2].as<T>() : scratch_array<T>(c, z.cells());
  const StepProducts<T> products(c, z, c.in[5]);
  for (int64_t s = z.steps - 1; s >= 0; --s) {
    const int64_t t = z.at(s);
    for_each_number(
        c, z.cells(),
        LstmBackward<T>{backward_products(products, z, s, d, c.in[5]), given<T>(c.in[0], t), given<T>(c.in[1], t),
                        given<T>(c.in[2], t), given<T>(c.in[3], t), given<T>(c.in[4], t),
                        before<T>(z, s, c.in[3], c.in[6]), s == z.steps - 1, carry, d + t * 4 * z.cells()});
  }
  if (c.n_out > 1)
    multiply(c, matrix_view(c.in[5], d + z.at(0) * 4 * z.cells(), z.rows, 4 * z.units), c.in[5], c.out[1]);
}

// ---- gru. in: x, w, bias, h0; out: h, gates (r, z, n and what r scales)

template <class T>
struct GruForward {
  GateProducts<T> products;
  Given<T> x, bias, before;
  T *h, *gates;
  __device__ void operator()(uint32_t i) const {
    const auto p = products.place(i);
    const int64_t H = products.count();
    const auto input = [&](int64_t k) { return x.at(p.n, p.u + k * H); };
    const auto state = [&](int64_t k) { return products.of(p, k) + bias.at(0, p.u + k * H); };
    const auto y = m::gru_cell(input(0) + state(0), input(1) + state(1), input(2), state(2), before.at(p.n, p.u));
    T* const to = gates + p.n * 4 * H + p.u;
    to[0] = y.r, to[H] = y.z, to[2 * H] = y.n, to[3 * H] = y.q;
    h[i] = y.h;
  }
};

template <class T>
void gru_forward(const Call& c) {
  const SequenceSizes z(c, c.in[0], c.in[1]);
  if (z.empty()) return;
  T *const h = c.out[0].as<T>(), *const gates = c.out[1].as<T>();
  const StepProducts<T> products(c, z, transposed(c.in[1]));
  for (int64_t s = 0; s < z.steps; ++s) {
    const int64_t t = z.at(s), at = t * z.cells();
    for_each_number(c, z.cells(),
                    GruForward<T>{forward_products(products, z, s, h, c.in[3]), given<T>(c.in[0], t), given<T>(c.in[2]),
                                  before<T>(z, s, h, c.in[3]), h + at, gates + 4 * at});
  }
}

// in: gradients of h and gates (0 where there is none), h, gates, w, h0; out: gradients of x, of W h + bias, and of h0

template <class T>
struct GruBackward {
  GateProducts<T> products;
  Given<T> g_out, g_gates, gates, before;
  bool first;  // nothing was handed down yet
  T *carry, *dx, *dp;
  __device__ void operator()(uint32_t i) const {
    const auto p = products.place(i);
    const int64_t n = p.n, u = p.u, H = products.count();
    const auto four = [&](const Given<T>& v) -> m::GruUnit<T> {
      return {v.at(n, u), v.at(n, u + H), v.at(n, u + 2 * H), v.at(n, u + 3 * H), T(0)};
    };
    const T dh = (first ? T(0) : carry[i]) + g_out.at(n, u) + products.of(p, 0);
    const auto s = m::gru_cell_back(four(gates), before.at(n, u), dh, four(g_gates));
    T *const x = dx + n * 3 * H + u, *const q = dp + n * 3 * H + u;
    x[0] = s.r, x[H] = s.z, x[2 * H] = s.n;
    q[0] = s.r, q[H] = s.z, q[2 * H] = s.q;
    carry[i] = s.before;
  }
};

/** The gradient of the initial state: what the first step handed down past its products, and through them. */
template <class T>
struct GruInitial {
  GateProducts<T> products;
  const T* carry;
  T* out;
  __device__ void operator()(uint32_t i) const { out[i] = products.of(products.place(i), 0) + carry[i]; }
};

template <class T>
void gru_backward(const Call& c) {
  const SequenceSizes z(c, c.in[3], c.in[4]);
  if (z.empty()) return;
  T *const dx = c.out[0].as<T>(), *const dp = c.out[1].as<T>();
  T* const carry = scratch_array<T>(c, z.cells());
  const StepProducts<T> products(c, z, c.in[4]);
  for (int64_t s = z.steps - 1; s >= 0; --s) {
    const int64_t t = z.at(s), at = t * 3 * z.cells();
    for_each_number(c, z.cells(),
                    GruBackward<T>{backward_products(products, z, s, dp, c.in[4]), given<T>(c.in[0], t),
                                   given<T>(c.in[1], t), given<T>(c.in[3], t), before<T>(z, s, c.in[2], c.in[5]),
                                   s == z.steps - 1, carry, dx + at, dp + at});
  }
  if (c.n_out <= 2) return;
  const View last = matrix_view(c.in[4], dp + z.at(0) * 3 * z.cells(), z.rows, 3 * z.units);
  for_each_number(c, z.cells(), GruInitial<T>{products.of(last), carry, c.out[2].as<T>()});
}

// ---- the lists

#define ATHANOR_RECURRENT(name, ...)                               \
  void run_##name(const Call& c) {                                 \
    const bool known = with_floats(c.out[0].dtype, [&](auto tag) { \
      using T = typename decltype(tag)::type;                      \
      __VA_ARGS__;                                                 \
    });                                                            \
    if (!known) refuse_dtype(c, c.out[0].dtype);                   \
  }                                                                \
  const Kernel kernels_##name[] = {{"steps", nullptr, run_##name}}

ATHANOR_RECURRENT(rnn, c.attrs[1] != 0 ? rnn_forward<T, true>(c) : rnn_forward<T, false>(c));
ATHANOR_RECURRENT(rnnGrad, c.attrs[1] != 0 ? rnn_backward<T, true>(c) : rnn_backward<T, false>(c));
ATHANOR_RECURRENT(lstm, lstm_forward<T>(c));
ATHANOR_RECURRENT(lstmGrad, lstm_backward<T>(c));
ATHANOR_RECURRENT(gru, gru_forward<T>(c));
ATHANOR_RECURRENT(gruGrad, gru_backward<T>(c));
#undef ATHANOR_RECURRENT

}  // namespace

const OpKernels recurrent[] = {ATHANOR_OP(rnn, kernels_rnn),   ATHANOR_OP(rnnGrad, kernels_rnnGrad),
                               ATHANOR_OP(lstm, kernels_lstm), ATHANOR_OP(lstmGrad, kernels_lstmGrad),
                               ATHANOR_OP(gru, kernels_gru),   ATHANOR_OP(gruGrad, kernels_gruGrad),
                               {nullptr, nullptr, 0}};

}  // namespace cuda
}  // namespace athanor
