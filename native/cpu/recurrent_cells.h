// The cells of the recurrent layers: what one block of a step makes of its products, forward and backward, in one pass.
// LSTM: 5 exponentials and about 30 FLOPs a unit forward, 1 and about 35 backward; GRU 3 and 20, 0 and 25. Every array
// is read or written once.
#pragma once
#include "cpu/recurrent.h"
#include "math/functions.h"

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
    for (int u = 0; u < n; ++u) {
      const T v = x[u] + p[u];
      h[u] = Relu ? (v < 0 ? T(0) : v) : m::tanh(v);
    }
  }
  /** d: the gradient of what was activated. */
  template <class T>
  static void backward(const CellRow<T>& r, const T* g, const T* h, T* d) {
    const T* const p = r.products;
    const int n = r.n;
#pragma omp simd
    for (int u = 0; u < n; ++u) {
      const T dh = g[u] + p[u];
      d[u] = Relu ? (h[u] > 0 ? dh : T(0)) : dh * m::tanh_slope(h[u]);
    }
  }
};

/** i, f, o = sigmoid, g = tanh of x + W h; c = f c' + i g; h = o tanh(c). */
struct LstmCell {
  template <class T>
  static void forward(const CellRow<T>& r, const T* x, const T* before, T* gates, T* c, T* h) {
    const T *const pi = r.products, *const pf = pi + r.apart, *const pg = pf + r.apart, *const po = pg + r.apart;
    const int64_t H = r.units;
    const int n = r.n;
#pragma omp simd
    for (int u = 0; u < n; ++u) {
      const T i = m::sigmoid(x[u] + pi[u]), f = m::sigmoid(x[u + H] + pf[u]);
      const T g = m::tanh(x[u + 2 * H] + pg[u]), o = m::sigmoid(x[u + 3 * H] + po[u]);
      gates[u] = i, gates[u + H] = f, gates[u + 2 * H] = g, gates[u + 3 * H] = o;
      const T cell = f * before[u] + i * g;
      c[u] = cell;
      h[u] = o * m::tanh(cell);
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
      const T i = a.gates[u], f = a.gates[u + H], g = a.gates[u + 2 * H], o = a.gates[u + 3 * H];
      const T t = m::tanh(a.cell[u]), dh = a.g_out[u] + p[u];
      const T dc = carry[u] + a.g_cell[u] + dh * o * m::tanh_slope(t);
      d[u] = (dc * g + a.g_gates[u]) * i * (1 - i);
      d[u + D] = (dc * a.before[u] + a.g_gates[u + H]) * f * (1 - f);
      d[u + 2 * D] = (dc * i + a.g_gates[u + 2 * H]) * m::tanh_slope(g);
      d[u + 3 * D] = (dh * t + a.g_gates[u + 3 * H]) * o * (1 - o);
      carry[u] = dc * f;
    }
  }
};

/** r, z = sigmoid(x + W h + b); q = W h + b and n = tanh(x + r q) of the third gate; h = (1 - z) n + z h'. */
struct GruCell {
  template <class T>
  static void forward(const CellRow<T>& row, const T* x, const T* bias, const T* before, T* gates, T* h) {
    const T *const pr = row.products, *const pz = pr + row.apart, *const pn = pz + row.apart;
    const int64_t H = row.units;
    const int count = row.n;
#pragma omp simd
    for (int u = 0; u < count; ++u) {
      const T r = m::sigmoid(x[u] + (pr[u] + bias[u])), z = m::sigmoid(x[u + H] + (pz[u] + bias[u + H]));
      const T q = pn[u] + bias[u + 2 * H], n = m::tanh(x[u + 2 * H] + r * q);
      gates[u] = r, gates[u + H] = z, gates[u + 2 * H] = n, gates[u + 3 * H] = q;
      h[u] = n + z * (before[u] - n);
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
      const T r = a.gates[u], z = a.gates[u + H], n = a.gates[u + 2 * H], q = a.gates[u + 3 * H];
      const T dh = carry[u] + a.g_out[u] + p[u];
      const T dn = (dh * (1 - z) + a.g_gates[u + 2 * H]) * m::tanh_slope(n);
      const T dr = (dn * q + a.g_gates[u]) * r * (1 - r);
      const T dz = (dh * (a.before[u] - n) + a.g_gates[u + H]) * z * (1 - z);
      dx[u] = dr, dx[u + H] = dz, dx[u + 2 * H] = dn;
      dp[u] = dr, dp[u + D] = dz, dp[u + 2 * D] = dn * r + a.g_gates[u + 3 * H];
      carry[u] = dh * z;
    }
  }
};

}  // namespace ATHANOR_ISA
}  // namespace athanor
