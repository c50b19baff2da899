import { context } from '../context.js';
import { defineOp, type Meta, type Op, type RefArray } from '../define.js';
import { applyAll, type Operand } from '../dispatch.js';
import type { Tensor } from '../tensor.js';
import { concat, stack } from './join.js';
import { checkDTypes } from './make/operands.js';
import { matmul } from './matmul.js';
import {
  checkShape,
  costOf,
  initialRef,
  matrixGradient,
  orZero,
  sigmoidRef,
  sizesOf,
  stepOf,
  sumOf,
  timesOf,
  timesRef,
  timesTransposedRef,
  valueAt,
  type Walk,
  type WalkBack,
} from './recurrent.js';
import { split } from './split.js';

function forwardRef([x, w, bias, h0]: readonly RefArray[], walk: Walk): RefArray[] {
  const [steps, rows] = x.shape;
  const H = w.shape[1];
  const out = new Float64Array(steps * rows * H);
  const gates = new Float64Array(4 * out.length);
  let h = initialRef(h0, rows * H);
  for (const t of timesOf(steps, walk)) {
    const next = new Float64Array(rows * H);
    for (let n = 0; n < rows; n++) {
      const at = (t * rows + n) * 3 * H;
      const p = timesRef(w, h, n * H).map((v, k) => v + valueAt(bias, k));
      for (let u = 0; u < H; u++) {
        const r = sigmoidRef(x.data[at + u] + p[u]);
        const z = sigmoidRef(x.data[at + H + u] + p[u + H]);
        const q = p[u + 2 * H];
        const candidate = Math.tanh(x.data[at + 2 * H + u] + r * q);
        next[n * H + u] = (1 - z) * candidate + z * h[n * H + u];
        [r, z, candidate, q].forEach((v, k) => {
          gates[((t * rows + n) * 4 + k) * H + u] = v;
        });
      }
    }
    h = next;
    out.set(h, t * rows * H);
  }
  return [
    { shape: [steps, rows, H], data: out },
    { shape: [steps, rows, 4 * H], data: gates },
  ];
}

function backwardRef([gOut, gGates, out, gates, w, h0]: readonly RefArray[], walk: WalkBack): RefArray[] {
  const [steps, rows, H] = out.shape;
  const dx = new Float64Array(steps * rows * 3 * H);
  const dp = new Float64Array(dx.length);
  const dh = new Float64Array(rows * H);
  const times = timesOf(steps, walk);
  for (let s = steps - 1; s >= 0; s--) {
    const t = times[s];
    for (let n = 0; n < rows; n++) {
      const at = (t * rows + n) * 3 * H;
      const carry = new Float64Array(H);
      for (let u = 0; u < H; u++) {
        const gate = (k: number) => ((t * rows + n) * 4 + k) * H + u;
        const [r, z, candidate, q] = [0, 1, 2, 3].map((k) => gates.data[gate(k)]);
        const before = s === 0 ? valueAt(h0, n * H + u) : out.data[(times[s - 1] * rows + n) * H + u];
        const g = dh[n * H + u] + valueAt(gOut, (t * rows + n) * H + u);
        const dn = (g * (1 - z) + valueAt(gGates, gate(2))) * (1 - candidate * candidate);
        const dr = (dn * q + valueAt(gGates, gate(0))) * r * (1 - r);
        const dz = (g * (before - candidate) + valueAt(gGates, gate(1))) * z * (1 - z);
        [dr, dz, dn].forEach((v, k) => {
          dx[at + k * H + u] = v;
        });
        [dr, dz, dn * r + valueAt(gGates, gate(3))].forEach((v, k) => {
          dp[at + k * H + u] = v;
        });
        carry[u] = g * z;
      }
      dh.set(
        timesTransposedRef(w, dp, at).map((v, u) => v + carry[u]),
        n * H,
      );
    }
  }
  const shape = [steps, rows, 3 * H];
  const results = [
    { shape, data: dx },
    { shape, data: dp },
  ];
  return walk.initial ? [...results, { shape: [rows, H], data: dh }] : results;
}

/** in: the gradients of out and gates (0 where there is none), out, gates, w and h0; out: those of x, W h + bias and h0. */
const gruGradOp: Op<WalkBack> = defineOp<WalkBack>({
  name: 'gruGrad',
  inputs: ['gOut', 'gGates', 'out', 'gates', 'w', 'h0'],
  outputs: ['x', 'products', 'h0'],
  infer: (inputs, { initial }) => {
    const [gOut, gGates, out, gates, w, h0] = inputs;
    const x: Meta = { ...out, shape: [...out.shape.slice(0, -1), w.shape[0]] };
    const { steps, rows, units } = sizesOf('gruGrad', x, w, 3);
    checkShape('gruGrad', 'gates', gates, [steps, rows, 4 * units]);
    checkShape('gruGrad', 'the gradient of out', gOut, [steps, rows, units]);
    checkShape('gruGrad', 'the gradient of gates', gGates, gates.shape);
    checkShape('gruGrad', 'h0', h0, [rows, units]);
    const dtype = checkDTypes('gruGrad', 'floats', inputs);
    const d = { shape: x.shape, dtype };
    return initial ? [d, d, { shape: [rows, units], dtype }] : [d, d];
  },
  pack: ({ reverse }) => [Number(reverse)],
  vjp: ['none', 'none', 'none', 'none', 'none', 'none'],
  ref: backwardRef,
  cost: costOf(4, 30),
});

interface Given {
  readonly gs: readonly (Tensor | null)[];
  readonly saved: Readonly<Record<string, Tensor>>;
}

/** The gradients of x, W h + bias and h0, of tensor ops. */
function composed({ gs: [gOut, gGates], saved }: Given, walk: Walk): Tensor[] {
  const { w, h0, out, gates } = saved;
  const times = timesOf(out.shape[0], walk);
  const H = w.shape[1];
  const dx: Tensor[] = new Array(times.length);
  const dp: Tensor[] = new Array(times.length);
  let dh: Tensor | null = null;
  for (let s = times.length - 1; s >= 0; s--) {
    const t = times[s];
    const [r, z, candidate, q] = split(gates.select(0, t), H, -1);
    const more = gGates === null ? [null, null, null, null] : split(gGates.select(0, t), H, -1);
    const before = s === 0 ? h0 : out.select(0, times[s - 1]);
    const g: Tensor = sumOf(dh, stepOf(gOut, t)) ?? r.mul(0);
    const slope = (y: Tensor) => y.mul(y.neg().add(1));
    const dn = (sumOf(g.mul(z.neg().add(1)), more[2]) as Tensor).mul(candidate.square().neg().add(1));
    const dr = (sumOf(dn.mul(q), more[0]) as Tensor).mul(slope(r));
    const dz = (sumOf(g.mul(candidate.neg().add(before)), more[1]) as Tensor).mul(slope(z));
    dx[t] = concat([dr, dz, dn], -1);
    dp[t] = concat([dr, dz, sumOf(dn.mul(r), more[3]) as Tensor], -1);
    dh = matmul(dp[t], w).add(g.mul(z));
  }
  return [stack(dx, 0), stack(dp, 0), dh as Tensor];
}

/** in: x [T, N, 3 H] in the order r, z, n, w [3 H, H], bias [3 H] or 0, h0 [N, H] or 0. */
const gruOp = defineOp<Walk>({
  name: 'gru',
  inputs: ['x', 'w', 'bias', 'h0'],
  outputs: ['out', 'gates'],
  infer: (inputs) => {
    const [x, w, bias, h0] = inputs;
    const { steps, rows, units } = sizesOf('gru', x, w, 3);
    checkShape('gru', 'bias', bias, [3 * units]);
    checkShape('gru', 'h0', h0, [rows, units]);
    const dtype = checkDTypes('gru', 'floats', inputs);
    return [
      { shape: [steps, rows, units], dtype },
      { shape: [steps, rows, 4 * units], dtype },
    ];
  },
  pack: ({ reverse }) => [Number(reverse)],
  save: ['w', 'h0', 'out', 'gates'],
  vjp: {
    joint: (_g, saved, { attrs, needs, gs }) => {
      const operands = [...gs.map(orZero), saved.out, saved.gates, saved.w, saved.h0];
      const [dx, dp, dh0] = context().grad
        ? composed({ gs, saved }, attrs)
        : applyAll(gruGradOp, operands, { ...attrs, initial: needs[3] });
      const dw = needs[1] ? matrixGradient(dp, saved.out, saved.h0, attrs) : null;
      return [dx, dw, needs[2] ? dp.sum([0, 1]) : null, needs[3] ? dh0 : null];
    },
  },
  ref: forwardRef,
  cost: costOf(1, 20),
});

/** The states of all steps, [T, N, H]. */
export function gruSteps(x: Tensor, w: Tensor, bias: Operand, h0: Operand, walk: Walk): Tensor {
  const [out, gates] = applyAll(gruOp, [x, w, bias, h0], walk);
  gates.dispose(); // what a gradient needs of it, it holds itself
  return out;
}
