import { context } from '../context.js';
import { defineOp, type Op, type RefArray } from '../define.js';
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

function forwardRef([x, w, h0, c0]: readonly RefArray[], walk: Walk): RefArray[] {
  const [steps, rows] = x.shape;
  const H = w.shape[1];
  const out = new Float64Array(steps * rows * H);
  const cells = new Float64Array(out.length);
  const gates = new Float64Array(4 * out.length);
  let h = initialRef(h0, rows * H);
  let c = initialRef(c0, rows * H);
  for (const t of timesOf(steps, walk)) {
    const [nextH, nextC] = [new Float64Array(rows * H), new Float64Array(rows * H)];
    for (let n = 0; n < rows; n++) {
      const at = (t * rows + n) * 4 * H;
      const p = timesRef(w, h, n * H).map((v, k) => v + x.data[at + k]);
      for (let u = 0; u < H; u++) {
        const [i, f, o] = [sigmoidRef(p[u]), sigmoidRef(p[u + H]), sigmoidRef(p[u + 3 * H])];
        const g = Math.tanh(p[u + 2 * H]);
        nextC[n * H + u] = f * c[n * H + u] + i * g;
        nextH[n * H + u] = o * Math.tanh(nextC[n * H + u]);
        [i, f, g, o].forEach((v, k) => {
          gates[at + k * H + u] = v;
        });
      }
    }
    [h, c] = [nextH, nextC];
    out.set(h, t * rows * H);
    cells.set(c, t * rows * H);
  }
  const shape = [steps, rows, H];
  return [
    { shape, data: out },
    { shape, data: cells },
    { shape: [steps, rows, 4 * H], data: gates },
  ];
}

function backwardRef(inputs: readonly RefArray[], walk: WalkBack): RefArray[] {
  const [gOut, gCells, gGates, cells, gates, w, c0] = inputs;
  const [steps, rows, H] = cells.shape;
  const d = new Float64Array(steps * rows * 4 * H);
  const dh = new Float64Array(rows * H);
  const dc = new Float64Array(rows * H);
  const times = timesOf(steps, walk);
  for (let s = steps - 1; s >= 0; s--) {
    const t = times[s];
    for (let n = 0; n < rows; n++) {
      const at = (t * rows + n) * 4 * H;
      for (let u = 0; u < H; u++) {
        const [i, f, g, o] = [0, 1, 2, 3].map((k) => gates.data[at + k * H + u]);
        const own = (t * rows + n) * H + u;
        const before = s === 0 ? valueAt(c0, n * H + u) : cells.data[(times[s - 1] * rows + n) * H + u];
        const tanh = Math.tanh(cells.data[own]);
        const gh = dh[n * H + u] + valueAt(gOut, own);
        const gc = dc[n * H + u] + valueAt(gCells, own) + gh * o * (1 - tanh * tanh);
        const more = [0, 1, 2, 3].map((k) => valueAt(gGates, at + k * H + u));
        d[at + u] = (gc * g + more[0]) * i * (1 - i);
        d[at + H + u] = (gc * before + more[1]) * f * (1 - f);
        d[at + 2 * H + u] = (gc * i + more[2]) * (1 - g * g);
        d[at + 3 * H + u] = (gh * tanh + more[3]) * o * (1 - o);
        dc[n * H + u] = gc * f;
      }
      dh.set(timesTransposedRef(w, d, at), n * H);
    }
  }
  const dx = { shape: gates.shape, data: d };
  if (!walk.initial) return [dx];
  return [dx, { shape: [rows, H], data: dh }, { shape: [rows, H], data: dc }];
}

/** in: the gradients of out, cells and gates (0 where there is none), cells, gates, w and c0. */
const lstmGradOp: Op<WalkBack> = defineOp<WalkBack>({
  name: 'lstmGrad',
  inputs: ['gOut', 'gCells', 'gGates', 'cells', 'gates', 'w', 'c0'],
  outputs: ['x', 'h0', 'c0'],
  infer: (inputs, { initial }) => {
    const [gOut, gCells, gGates, cells, gates, w, c0] = inputs;
    const { steps, rows, units } = sizesOf('lstmGrad', gates, w, 4);
    const shape = [steps, rows, units];
    checkShape('lstmGrad', 'cells', cells, shape);
    checkShape('lstmGrad', 'the gradient of out', gOut, shape);
    checkShape('lstmGrad', 'the gradient of cells', gCells, shape);
    checkShape('lstmGrad', 'the gradient of gates', gGates, gates.shape);
    checkShape('lstmGrad', 'c0', c0, [rows, units]);
    const dtype = checkDTypes('lstmGrad', 'floats', inputs);
    const state = { shape: [rows, units], dtype };
    return initial ? [{ shape: gates.shape, dtype }, state, state] : [{ shape: gates.shape, dtype }];
  },
  pack: ({ reverse }) => [Number(reverse)],
  vjp: ['none', 'none', 'none', 'none', 'none', 'none', 'none'],
  ref: backwardRef,
  cost: costOf(5, 40),
});

interface Given {
  readonly gs: readonly (Tensor | null)[];
  readonly saved: Readonly<Record<string, Tensor>>;
}

/** The gradients of x, h0 and c0, of tensor ops. */
function composed({ gs: [gOut, gCells, gGates], saved }: Given, walk: Walk): Tensor[] {
  const { w, c0, cells, gates } = saved;
  const times = timesOf(cells.shape[0], walk);
  const H = w.shape[1];
  const dx: Tensor[] = new Array(times.length);
  let dh: Tensor | null = null;
  let dc: Tensor | null = null;
  for (let s = times.length - 1; s >= 0; s--) {
    const t = times[s];
    const [i, f, g, o] = split(gates.select(0, t), H, -1);
    const more = gGates === null ? [null, null, null, null] : split(gGates.select(0, t), H, -1);
    const before = s === 0 ? c0 : cells.select(0, times[s - 1]);
    const tanh = cells.select(0, t).tanh();
    const gh: Tensor = sumOf(dh, stepOf(gOut, t)) ?? i.mul(0);
    const through = gh.mul(o).mul(tanh.square().neg().add(1));
    const gc: Tensor = sumOf(dc, stepOf(gCells, t), through) as Tensor;
    const slope = (y: Tensor) => y.mul(y.neg().add(1));
    const parts = [
      sumOf(gc.mul(g), more[0])?.mul(slope(i)),
      sumOf(gc.mul(before), more[1])?.mul(slope(f)),
      sumOf(gc.mul(i), more[2])?.mul(g.square().neg().add(1)),
      sumOf(gh.mul(tanh), more[3])?.mul(slope(o)),
    ];
    dx[t] = concat(parts as Tensor[], -1);
    dh = matmul(dx[t], w);
    dc = gc.mul(f);
  }
  return [stack(dx, 0), dh as Tensor, dc as Tensor];
}

/** in: x [T, N, 4 H] in the order i, f, g, o, w [4 H, H], h0 and c0 [N, H] or 0. */
const lstmOp = defineOp<Walk>({
  name: 'lstm',
  inputs: ['x', 'w', 'h0', 'c0'],
  outputs: ['out', 'cells', 'gates'],
  infer: (inputs) => {
    const [x, w, h0, c0] = inputs;
    const { steps, rows, units } = sizesOf('lstm', x, w, 4);
    checkShape('lstm', 'h0', h0, [rows, units]);
    checkShape('lstm', 'c0', c0, [rows, units]);
    const dtype = checkDTypes('lstm', 'floats', inputs);
    const all = { shape: [steps, rows, units], dtype };
    return [all, all, { shape: x.shape, dtype }];
  },
  pack: ({ reverse }) => [Number(reverse)],
  save: ['w', 'h0', 'c0', 'out', 'cells', 'gates'],
  vjp: {
    joint: (_g, saved, { attrs, needs, gs }) => {
      const initial = needs[2] || needs[3];
      const operands = [...gs.map(orZero), saved.cells, saved.gates, saved.w, saved.c0];
      const [dx, dh0, dc0] = context().grad
        ? composed({ gs, saved }, attrs)
        : applyAll(lstmGradOp, operands, { ...attrs, initial });
      const dw = needs[1] ? matrixGradient(dx, saved.out, saved.h0, attrs) : null;
      return [dx, dw, needs[2] ? dh0 : null, needs[3] ? dc0 : null];
    },
  },
  ref: forwardRef,
  cost: costOf(1, 30),
});

/** The states and cells of all steps, each [T, N, H]. */
export function lstmSteps(x: Tensor, w: Tensor, h0: Operand, c0: Operand, walk: Walk): [out: Tensor, cells: Tensor] {
  const [out, cells, gates] = applyAll(lstmOp, [x, w, h0, c0], walk);
  gates.dispose(); // what a gradient needs of it, it holds itself
  return [out, cells];
}
