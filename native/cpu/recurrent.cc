// rnn, lstm and gru: a layer of recurrent units over a whole sequence in one call, and the gradients of that.
// attrs: whether the sequence runs backwards; of rnn, whether it is relu in place of tanh; of gradients, whether those
// of the initial state are wanted (outputs that are absent otherwise). x already holds the input's share, input W_ih^T
// + bias of all steps at once, and the gradient of the recurrent matrix is one product over all steps: both are matrix
// products of their own. What is left is sequential: 2 N H G H FLOPs a step, bound by the multiply-add units for N of a
// dozen and more, by the matrix's way from cache below; the cells add 4 bytes moved for each of about 2 G + 3 arrays a
// unit.
#include "cpu/dtypes.h"
#include "cpu/families.h"
#include "cpu/recurrent_cells.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

/** The sizes of a call, and where step s of the walk lies in memory. */
struct Sizes {
  int64_t steps, rows, units;
  bool reverse;
  int64_t at(int64_t s) const { return reverse ? steps - 1 - s : s; }
};

Sizes sizes_of(const Call& c, const View& sequence, const View& matrix) {
  return {sequence.shape[0], sequence.shape[1], matrix.shape[1], c.attrs[0] != 0};
}

bool is_empty(const Sizes& z) { return z.steps * z.rows * z.units == 0; }

/** The matrix as a factor of state times its transpose, forward, and of gradients times itself, backward. */
template <class T>
StridedFactor<T> transposed(const View& w) {
  return {w.as<const T>(), w.strides[0], w.strides[1]};
}
template <class T>
StridedFactor<T> straight(const View& w) {
  return {w.as<const T>(), w.strides[1], w.strides[0]};
}

/** out or cells of a step, or the initial ones before the first. */
template <class T>
const T* before(const Sizes& z, int64_t s, const T* all, const Sequence<T>& initial, const Block& b, int64_t i) {
  const int64_t row = b.row + i;
  return (s == 0 ? initial.at(0, row) : all + (z.at(s - 1) * z.rows + row) * z.units) + b.unit;
}

template <class T, int Groups>
CellRow<T> cell_row(const Sizes& z, const Steps<T, Groups>& steps, const Block& b, const T* tiles, int64_t i) {
  using S = Steps<T, Groups>;
  return {b.units, z.units, tiles + i * S::width, S::tile_size, steps.group_apart(b)};
}

template <class T>
T* zeros(Context* ctx, int64_t count) {
  T* const out = scratch_array<T>(ctx, count);
  for (int64_t i = 0; i < count; ++i) out[i] = T(0);
  return out;
}

/** Gradient of a row of the initial state: what the last step's product and `carry` (absent: 0) come to. */
template <class T>
void initial_gradient(const Sizes& z, const Block& b, int64_t i, const T* tiles, const T* carry, T* to) {
  for (int u = 0; u < b.units; ++u) {
    const int64_t at = (b.row + i) * z.units + b.unit + u;
    to[at] = tiles[i * Tile<T>::width + u] + (carry == nullptr ? T(0) : carry[at]);
  }
}

// ---- rnn. in: x, w, h0; out: h

template <class T, bool Relu>
void rnn_forward(const Call& c) {
  const Sizes z = sizes_of(c, c.in[0], c.in[1]);
  if (is_empty(z)) return;
  const auto x = sequence_of<T>(c.ctx, c.in[0], z.units), h0 = sequence_of<T>(c.ctx, c.in[2], z.units);
  T* const h = c.out[0].as<T>();
  Steps<T, 1> steps(c.ctx, z.rows, z.units, 1, transposed<T>(c.in[1]));
  if (c.in[2].ndim > 0) steps.start(h0);
  const auto out = [&](int64_t s, int64_t row) { return h + (z.at(s) * z.rows + row) * z.units; };
  const auto touch = [&](int64_t s, const Block& b, int64_t i, Touched<T>& lines) {
    lines.read(x.at(z.at(s), b.row + i) + b.unit, b.units), lines.write(out(s, b.row + i) + b.unit, b.units);
  };
  steps.run(z.steps, touch, [&](int64_t s, const Block& b, int64_t i, const T* tiles, T* state) {
    const int64_t row = b.row + i;
    PlainCell<Relu>::forward(cell_row(z, steps, b, tiles, i), x.at(z.at(s), row) + b.unit, state);
    copy_row<T>(state, out(s, row) + b.unit, b.units);
  });
}

// in: gradient of h, h, w; out: gradients of x and h0
template <class T, bool Relu>
void rnn_backward(const Call& c) {
  const Sizes z = sizes_of(c, c.in[1], c.in[2]);
  if (is_empty(z)) return;
  const auto g = sequence_of<T>(c.ctx, c.in[0], z.units), h = sequence_of<T>(c.ctx, c.in[1], z.units);
  T* const d = c.out[0].as<T>();
  Steps<T, 1> steps(c.ctx, z.rows, z.units, 1, straight<T>(c.in[2]));
  const auto time = [&](int64_t s) { return z.at(z.steps - 1 - s); };
  const auto out = [&](int64_t s, int64_t row) { return d + (time(s) * z.rows + row) * z.units; };
  const auto touch = [&](int64_t s, const Block& b, int64_t i, Touched<T>& lines) {
    if (s == z.steps) return;
    lines.read(g.at(time(s), b.row + i) + b.unit, b.units), lines.read(h.at(time(s), b.row + i) + b.unit, b.units);
    lines.write(out(s, b.row + i) + b.unit, b.units);
  };
  steps.run(z.steps + (c.n_out > 1), touch, [&](int64_t s, const Block& b, int64_t i, const T* tiles, T* state) {
    if (s == z.steps) return initial_gradient<T>(z, b, i, tiles, nullptr, c.out[1].as<T>());
    const int64_t row = b.row + i;
    PlainCell<Relu>::backward(cell_row(z, steps, b, tiles, i), g.at(time(s), row) + b.unit, h.at(time(s), row) + b.unit,
                              state);
    copy_row<T>(state, out(s, row) + b.unit, b.units);
  });
}

// ---- lstm. in: x, w, h0, c0; out: h, c, gates

template <class T>
void lstm_forward(const Call& c) {
  const Sizes z = sizes_of(c, c.in[0], c.in[1]);
  if (is_empty(z)) return;
  const int64_t H = z.units;
  const auto x = sequence_of<T>(c.ctx, c.in[0], 4 * H);
  const auto h0 = sequence_of<T>(c.ctx, c.in[2], H), c0 = sequence_of<T>(c.ctx, c.in[3], H);
  T *const h = c.out[0].as<T>(), *const cells = c.out[1].as<T>(), *const gates = c.out[2].as<T>();
  Steps<T, 4> steps(c.ctx, z.rows, H, 1, transposed<T>(c.in[1]));
  if (c.in[2].ndim > 0) steps.start(h0);
  const auto line = [&](int64_t s, int64_t row) { return z.at(s) * z.rows + row; };
  const auto touch = [&](int64_t s, const Block& b, int64_t i, Touched<T>& lines) {
    const int64_t row = b.row + i, at = line(s, row) * H + b.unit;
    const T* const from = x.at(z.at(s), row) + b.unit;
    T* const to = gates + line(s, row) * 4 * H + b.unit;
    for (int g = 0; g < 4; ++g) lines.read(from + g * H, b.units), lines.write(to + g * H, b.units);
    lines.write(cells + at, b.units), lines.write(h + at, b.units);
  };
  steps.run(z.steps, touch, [&](int64_t s, const Block& b, int64_t i, const T* tiles, T* state) {
    const int64_t row = b.row + i, at = line(s, row) * H + b.unit;
    LstmCell::forward(cell_row(z, steps, b, tiles, i), x.at(z.at(s), row) + b.unit, before<T>(z, s, cells, c0, b, i),
                      gates + line(s, row) * 4 * H + b.unit, cells + at, state);
    copy_row<T>(state, h + at, b.units);
  });
}

// in: gradients of h, c and gates (0 where there is none), c, gates, w, c0; out: gradients of x, h0 and c0
template <class T>
void lstm_backward(const Call& c) {
  const Sizes z = sizes_of(c, c.in[4], c.in[5]);
  if (is_empty(z)) return;
  const int64_t H = z.units;
  const auto g_out = sequence_of<T>(c.ctx, c.in[0], H), g_cells = sequence_of<T>(c.ctx, c.in[1], H);
  const auto g_gates = sequence_of<T>(c.ctx, c.in[2], 4 * H);
  const auto cells = sequence_of<T>(c.ctx, c.in[3], H), gates = sequence_of<T>(c.ctx, c.in[4], 4 * H);
  const auto c0 = sequence_of<T>(c.ctx, c.in[6], H);
  T* const d = c.out[0].as<T>();
  T* const carry = zeros<T>(c.ctx, z.rows * H);
  Steps<T, 1> steps(c.ctx, z.rows, H, 4, straight<T>(c.in[5]));
  const auto time = [&](int64_t s) { return z.at(z.steps - 1 - s); };
  const auto out = [&](int64_t s, int64_t row) { return d + (time(s) * z.rows + row) * 4 * H; };
  const auto last = [&](int64_t s, int64_t row) {
    return s == z.steps - 1 ? c0.at(0, row) : cells.at(time(s + 1), row);
  };
  const auto touch = [&](int64_t s, const Block& b, int64_t i, Touched<T>& lines) {
    if (s == z.steps) return;
    const int64_t row = b.row + i;
    lines.read(g_out.at(time(s), row) + b.unit, b.units), lines.read(last(s, row) + b.unit, b.units);
    for (int g = 0; g < 4; ++g) {
      lines.read(gates.at(time(s), row) + b.unit + g * H, b.units);
      lines.write(out(s, row) + b.unit + g * H, b.units);
    }
  };
  steps.run(z.steps + (c.n_out > 1), touch, [&](int64_t s, const Block& b, int64_t i, const T* tiles, T* state) {
    if (s == z.steps) return initial_gradient<T>(z, b, i, tiles, nullptr, c.out[1].as<T>());
    const int64_t row = b.row + i;
    const auto at = [&](const Sequence<T>& q) { return q.at(time(s), row) + b.unit; };
    LstmCell::backward(cell_row(z, steps, b, tiles, i),
                       {at(g_out), at(g_cells), at(g_gates), at(gates), at(cells), last(s, row) + b.unit},
                       carry + row * H + b.unit, state);
    for (int g = 0; g < 4; ++g) copy_row<T>(state + g * steps.group_apart(b), out(s, row) + g * H + b.unit, b.units);
  });
  if (c.n_out > 1)
    for (int64_t i = 0; i < z.rows * H; ++i) c.out[2].as<T>()[i] = carry[i];
}

// ---- gru. in: x, w, bias, h0; out: h, gates (r, z, n and what r scales)

template <class T>
void gru_forward(const Call& c) {
  const Sizes z = sizes_of(c, c.in[0], c.in[1]);
  if (is_empty(z)) return;
  const int64_t H = z.units;
  const auto x = sequence_of<T>(c.ctx, c.in[0], 3 * H), h0 = sequence_of<T>(c.ctx, c.in[3], H);
  const T* const bias =
      c.in[2].ndim == 0 ? sequence_of<T>(c.ctx, c.in[2], 3 * H).data : dense_vector<T>(c.ctx, c.in[2]);
  T *const h = c.out[0].as<T>(), *const gates = c.out[1].as<T>();
  Steps<T, 3> steps(c.ctx, z.rows, H, 1, transposed<T>(c.in[1]));
  if (c.in[3].ndim > 0) steps.start(h0);
  const auto line = [&](int64_t s, int64_t row) { return z.at(s) * z.rows + row; };
  const auto touch = [&](int64_t s, const Block& b, int64_t i, Touched<T>& lines) {
    const int64_t row = b.row + i;
    for (int g = 0; g < 3; ++g) lines.read(x.at(z.at(s), row) + g * H + b.unit, b.units);
    for (int g = 0; g < 4; ++g) lines.write(gates + (line(s, row) * 4 + g) * H + b.unit, b.units);
    lines.write(h + line(s, row) * H + b.unit, b.units);
  };
  steps.run(z.steps, touch, [&](int64_t s, const Block& b, int64_t i, const T* tiles, T* state) {
    const int64_t row = b.row + i;
    GruCell::forward(cell_row(z, steps, b, tiles, i), x.at(z.at(s), row) + b.unit, bias + b.unit,
                     before<T>(z, s, h, h0, b, i), gates + line(s, row) * 4 * H + b.unit, state);
    copy_row<T>(state, h + line(s, row) * H + b.unit, b.units);
  });
}

// in: gradients of h and gates (0 where there is none), h, gates, w, h0; out: gradients of x, of W h + bias, and of h0
template <class T>
void gru_backward(const Call& c) {
  const Sizes z = sizes_of(c, c.in[3], c.in[4]);
  if (is_empty(z)) return;
  const int64_t H = z.units;
  const auto g_out = sequence_of<T>(c.ctx, c.in[0], H), g_gates = sequence_of<T>(c.ctx, c.in[1], 4 * H);
  const auto h = sequence_of<T>(c.ctx, c.in[2], H), gates = sequence_of<T>(c.ctx, c.in[3], 4 * H);
  const auto h0 = sequence_of<T>(c.ctx, c.in[5], H);
  T *const dx = c.out[0].as<T>(), *const dp = c.out[1].as<T>();
  T* const carry = zeros<T>(c.ctx, z.rows * H);
  Steps<T, 1> steps(c.ctx, z.rows, H, 3, straight<T>(c.in[4]));
  const auto time = [&](int64_t s) { return z.at(z.steps - 1 - s); };
  const auto line = [&](int64_t s, int64_t row) { return (time(s) * z.rows + row) * 3 * H; };
  const auto last = [&](int64_t s, int64_t row) { return s == z.steps - 1 ? h0.at(0, row) : h.at(time(s + 1), row); };
  const auto touch = [&](int64_t s, const Block& b, int64_t i, Touched<T>& lines) {
    if (s == z.steps) return;
    const int64_t row = b.row + i, at = line(s, row) + b.unit;
    lines.read(g_out.at(time(s), row) + b.unit, b.units), lines.read(last(s, row) + b.unit, b.units);
    for (int g = 0; g < 4; ++g) lines.read(gates.at(time(s), row) + g * H + b.unit, b.units);
    for (int g = 0; g < 3; ++g) lines.write(dx + at + g * H, b.units), lines.write(dp + at + g * H, b.units);
  };
  steps.run(z.steps + (c.n_out > 2), touch, [&](int64_t s, const Block& b, int64_t i, const T* tiles, T* state) {
    if (s == z.steps) return initial_gradient<T>(z, b, i, tiles, carry, c.out[2].as<T>());
    const int64_t row = b.row + i, at = line(s, row) + b.unit;
    const auto of = [&](const Sequence<T>& q) { return q.at(time(s), row) + b.unit; };
    GruCell::backward(cell_row(z, steps, b, tiles, i), {of(g_out), of(g_gates), of(gates), last(s, row) + b.unit},
                      carry + row * H + b.unit, dx + at, state);
    for (int g = 0; g < 3; ++g) copy_row<T>(state + g * steps.group_apart(b), dp + at + g * H, b.units);
  });
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

}  // namespace

const OpKernels recurrent[] = {ATHANOR_OP(rnn, kernels_rnn),   ATHANOR_OP(rnnGrad, kernels_rnnGrad),
                               ATHANOR_OP(lstm, kernels_lstm), ATHANOR_OP(lstmGrad, kernels_lstmGrad),
                               ATHANOR_OP(gru, kernels_gru),   ATHANOR_OP(gruGrad, kernels_gruGrad),
                               {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
