// The cells of the recurrent layers: what one block of a step makes of its products, forward and backward, in one pass;
// the formulas are in math/cells.h.
// LSTM: 5 exponentials and about 30 FLOPs a unit forward, 1 and about 35 backward; GRU 3 and 20, 0 and 25. Every array
// is read or written once.
#pragma once
#include "cpu/recurrent.h"
#include "math/cells.h"

namespace athanor {
namespace ATHANOR_ISA {

/** One row of a block: `n` units, the products of each gate, and the other arrays at the row's first unit. */
template <class T>
struct CellRow {
  int n;
  int64_t units;      // H: from one gate's array to the next one's
  const T* products;  // gate g at products + g * apart
  int64_t apart;
  int64_t state_apart;  // from one group of what the next step multiplies to the next group
};

/** h = activation(x + W h). in: x; out: h. */
template <bool Relu>
struct PlainCell {
  template <class T>
  static void forward(const CellRow<T>& r, const T* x, T* h) {
    const T* const p = r.products;
    const int n = r.n;
#pragma omp simd
    for (int u = 0; u < n; ++u) h[u] = m::plain_cell<Relu>(x[u] + p[u]);
  }
  /** d: the gradient of what was activated. */
  template <class T>
  static void backward(const CellRow<T>& r, const T* g, const T* h, T* d) {
    const T* const p = r.products;
    const int n = r.n;
#pragma omp simd
    for (int u = 0; u < n; ++u) d[u] = m::plain_cell_back<Relu>(g[u] + p[u], h[u]);
  }
};

struct LstmCell {
  template <class T>
  static void forward(const CellRow<T>& r, const T* x, const T* before, T* gates, T* c, T* h) {
    const T *const pi = r.products, *const pf = pi + r.apart, *const pg = pf + r.apart, *const po = pg + r.apart;
    const int64_t H = r.units;
    const int n = r.n;
#pragma omp simd
    for (int u = 0; u < n; ++u) {
      const auto y =
          m::lstm_cell(x[u] + pi[u], x[u + H] + pf[u], x[u + 2 * H] + pg[u], x[u + 3 * H] + po[u], before[u]);
      gates[u] = y.i, gates[u + H] = y.f, gates[u + 2 * H] = y.g, gates[u + 3 * H] = y.o;
      c[u] = y.c, h[u] = y.h;
    }
  }

  /** What a row's gradient reads: of the outputs, and the outputs themselves. */
  template <class T>
  struct Given {
    const T *g_out, *g_cell, *g_gates;
    const T *gates, *cell, *before;
  };
  /** carry: the gradient of the cell that the step hands down; d: what is multiplied, groups state_apart apart. */
  template <class T>
  static void backward(const CellRow<T>& r, const Given<T>& in, T* carry, T* d) {
    const T* const p = r.products;
    const Given<T> a = in;
    const int64_t H = r.units, D = r.state_apart;
    const int n = r.n;
#pragma omp simd
    for (int u = 0; u < n; ++u) {
      const m::LstmUnit<T> y = {a.gates[u], a.gates[u + H], a.gates[u + 2 * H], a.gates[u + 3 * H], a.cell[u], T(0)};
      const m::LstmUnit<T> g = {a.g_gates[u], a.g_gates[u + H], a.g_gates[u + 2 * H], a.g_gates[u + 3 * H], T(0), T(0)};
      const auto s = m::lstm_cell_back(y, a.before[u], a.g_out[u] + p[u], carry[u] + a.g_cell[u], g);
      d[u] = s.i, d[u + D] = s.f, d[u + 2 * D] = s.g, d[u + 3 * D] = s.o;
      carry[u] = s.before;
    }
  }
};

struct GruCell {
  template <class T>
  static void forward(const CellRow<T>& row, const T* x, const T* bias, const T* before, T* gates, T* h) {
    const T *const pr = row.products, *const pz = pr + row.apart, *const pn = pz + row.apart;
    const int64_t H = row.units;
    const int count = row.n;
#pragma omp simd
    for (int u = 0; u < count; ++u) {
      const auto y = m::gru_cell(x[u] + (pr[u] + bias[u]), x[u + H] + (pz[u] + bias[u + H]), x[u + 2 * H],
                                 pn[u] + bias[u + 2 * H], before[u]);
      gates[u] = y.r, gates[u + H] = y.z, gates[u + 2 * H] = y.n, gates[u + 3 * H] = y.q;
      h[u] = y.h;
    }
  }

  template <class T>
  struct Given {
    const T *g_out, *g_gates;
    const T *gates, *before;
  };
  /** dx and dp: the gradients of x and of W h + b; carry: that of h' past the product. */
  template <class T>
  static void backward(const CellRow<T>& row, const Given<T>& in, T* carry, T* dx, T* dp) {
    const T* const p = row.products;
    const Given<T> a = in;
    const int64_t H = row.units, D = row.state_apart;
    const int count = row.n;
#pragma omp simd
    for (int u = 0; u < count; ++u) {
      const m::GruUnit<T> y = {a.gates[u], a.gates[u + H], a.gates[u + 2 * H], a.gates[u + 3 * H], T(0)};
      const m::GruUnit<T> g = {a.g_gates[u], a.g_gates[u + H], a.g_gates[u + 2 * H], a.g_gates[u + 3 * H], T(0)};
      const auto s = m::gru_cell_back(y, a.before[u], carry[u] + a.g_out[u] + p[u], g);
      dx[u] = s.r, dx[u + H] = s.z, dx[u + 2 * H] = s.n;
      dp[u] = s.r, dp[u + D] = s.z, dp[u + 2 * D] = s.q;
      carry[u] = s.before;
    }
  }
};

}  // namespace ATHANOR_ISA
}  // namespace athanor
