import { context } from '../context.js';
import { defineOp, type Op, type RefArray } from '../define.js';
import { apply, applyAll, type Operand } from '../dispatch.js';
import type { Tensor } from '../tensor.js';
import { stack } from './join.js';
import { checkDTypes } from './make/operands.js';
import { matmul } from './matmul.js';
import {
  checkShape,
  costOf,
  initialRef,
  matrixGradient,
  orZero,
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

/** What the units do with their sum. */
export type Nonlinearity = 'tanh' | 'relu';

interface RnnWalk extends Walk {
  readonly nonlinearity: Nonlinearity;
}

const pack = ({ reverse, nonlinearity }: RnnWalk) => [Number(reverse), Number(nonlinearity === 'relu')];

function forwardRef([x, w, h0]: readonly RefArray[], walk: RnnWalk): RefArray {
  const [steps, rows, H] = x.shape;
  const data = new Float64Array(x.data.length);
  let h = initialRef(h0, rows * H);
  for (const t of timesOf(steps, walk)) {
    const next = new Float64Array(rows * H);
    for (let n = 0; n < rows; n++) {
      timesRef(w, h, n * H).forEach((p, u) => {
        const sum = x.data[(t * rows + n) * H + u] + p;
        next[n * H + u] = walk.nonlinearity === 'relu' ? Math.max(sum, 0) : Math.tanh(sum);
      });
    }
    h = next;
    data.set(h, t * rows * H);
  }
  return { shape: x.shape, data };
}

function backwardRef([g, out, w]: readonly RefArray[], walk: RnnWalk & WalkBack): RefArray[] {
  const [steps, rows, H] = out.shape;
  const d = new Float64Array(out.data.length);
  const dh = new Float64Array(rows * H);
  for (const t of timesOf(steps, walk).reverse()) {
    for (let n = 0; n < rows; n++) {
      const at = (t * rows + n) * H;
      for (let u = 0; u < H; u++) {
        const y = out.data[at + u];
        const slope = walk.nonlinearity === 'relu' ? Number(y > 0) : 1 - y * y;
        d[at + u] = (dh[n * H + u] + valueAt(g, at + u)) * slope;
      }
      dh.set(timesTransposedRef(w, d, at), n * H);
    }
  }
  const dx = { shape: out.shape, data: d };
  return walk.initial ? [dx, { shape: [rows, H], data: dh }] : [dx];
}

/** in: the gradient of out (0 where there is none), out, w. */
const rnnGradOp: Op<RnnWalk & WalkBack> = defineOp<RnnWalk & WalkBack>({
  name: 'rnnGrad',
  inputs: ['g', 'out', 'w'],
  outputs: ['x', 'h0'],
  infer: (inputs, { initial }) => {
    const [g, out, w] = inputs;
    const { rows, units } = sizesOf('rnnGrad', out, w, 1);
    checkShape('rnnGrad', 'the gradient of out', g, out.shape);
    const dtype = checkDTypes('rnnGrad', 'floats', inputs);
    const dx = { shape: out.shape, dtype };
    return initial ? [dx, { shape: [rows, units], dtype }] : [dx];
  },
  pack,
  vjp: ['none', 'none', 'none'],
  ref: backwardRef,
  cost: costOf(2, 10),
});

/** The gradients of x and h0, of tensor ops. */
function composed(g: Tensor, out: Tensor, w: Tensor, walk: RnnWalk): Tensor[] {
  const dx: Tensor[] = new Array(out.shape[0]);
  let dh: Tensor | null = null;
  for (const t of timesOf(out.shape[0], walk).reverse()) {
    const y = out.select(0, t);
    const slope = walk.nonlinearity === 'relu' ? y.gt(0).cast(y.dtype) : y.square().neg().add(1);
    dx[t] = (sumOf(dh, stepOf(g, t)) as Tensor).mul(slope);
    dh = matmul(dx[t], w);
  }
  return [stack(dx, 0), dh as Tensor];
}

/** in: x [T, N, H], w [H, H], h0 [N, H] or 0. */
const rnnOp = defineOp<RnnWalk>({
  name: 'rnn',
  inputs: ['x', 'w', 'h0'],
  infer: (inputs) => {
    const [x, w, h0] = inputs;
    const { rows, units } = sizesOf('rnn', x, w, 1);
    checkShape('rnn', 'h0', h0, [rows, units]);
    return { shape: x.shape, dtype: checkDTypes('rnn', 'floats', inputs) };
  },
  pack,
  save: ['w', 'h0', 'out'],
  vjp: {
    joint: (g, { w, h0, out }, { attrs, needs }) => {
      const [dx, dh0] = context().grad
        ? composed(g, out, w, attrs)
        : applyAll(rnnGradOp, [orZero(g), out, w], { ...attrs, initial: needs[2] });
      return [dx, needs[1] ? matrixGradient(dx, out, h0, attrs) : null, needs[2] ? dh0 : null];
    },
  },
  ref: forwardRef,
  cost: costOf(1, 8),
});

/** The states of all steps, [T, N, H]. */
export function rnnSteps(x: Tensor, w: Tensor, h0: Operand, walk: RnnWalk): Tensor {
  return apply(rnnOp, [x, w, h0], walk);
}
