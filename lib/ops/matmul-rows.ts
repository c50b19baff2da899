// The row of the matrix product, and what linear layers share with it.
import { defineOp, type Meta, type Op, type RefArray } from '../define.js';
import { apply } from '../dispatch.js';
import { promote } from '../dtype.js';
import { fail, show } from '../errors.js';
import { broadcastShapes, formatShape, numel, type Shape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { checkTensor } from './axes.js';
import { bytesOf } from './cost.js';

/** The shapes of both operands, as messages show them. */
export const shapes = (a: Shape, b: Shape) => `a is ${formatShape(a)}, b is ${formatShape(b)}`;

/** Throws unless all operands are numbers of one dtype. */
export function checkDTypes(op: string, metas: readonly Meta[]): void {
  for (const m of metas) {
    if (m.dtype === 'bool') fail(op, 'operands must be numbers; cast bool first', show(metas.map((x) => x.dtype)));
    if (m.dtype !== metas[0].dtype) fail(op, 'operands differ in dtype', show(metas.map((x) => x.dtype)));
  }
}

/** The operands as tensors of one dtype, the one that they meet at. */
export function meet(op: string, tensors: readonly unknown[], names: readonly string[]): Tensor[] {
  const given = tensors.map((t, i) => checkTensor(op, t, names[i]));
  const dtype = given.map((t) => t.dtype).reduce(promote);
  return given.map((t) => t.cast(dtype));
}

/** Index of the operand's matrix that belongs to matrix `index` of the broadcast leading dimensions. */
function matrixAt(shape: Shape, lead: Shape, index: number): number {
  let rest = index;
  let at = 0;
  let step = 1;
  for (let d = lead.length - 1; d >= 0; d--) {
    const own = d - (lead.length - (shape.length - 2));
    if (own >= 0) {
      if (shape[own] !== 1) at += (rest % lead[d]) * step;
      step *= shape[own];
    }
    rest = Math.floor(rest / lead[d]);
  }
  return at;
}

function matmulRef(a: RefArray, b: RefArray): RefArray {
  const [m, k] = a.shape.slice(-2);
  const n = b.shape[b.shape.length - 1];
  const lead = broadcastShapes('matmul', a.shape.slice(0, -2), b.shape.slice(0, -2));
  const shape = [...lead, m, n];
  const data = new Float64Array(numel(shape));
  for (let i = 0; i < numel(lead); i++) {
    const atA = matrixAt(a.shape, lead, i) * m * k;
    const atB = matrixAt(b.shape, lead, i) * k * n;
    for (let row = 0; row < m; row++) {
      for (let column = 0; column < n; column++) {
        let sum = 0;
        for (let l = 0; l < k; l++) sum += a.data[atA + row * k + l] * b.data[atB + l * n + column];
        data[(i * m + row) * n + column] = sum;
      }
    }
  }
  return { shape, data };
}

/** Throws unless the sizes that are summed over agree. */
export function checkInner(op: string, a: Shape, b: Shape): void {
  if (a.length === 0 || b.length === 0) fail(op, 'operands need a dimension to sum over; use mul', shapes(a, b));
  if (a[a.length - 1] !== b[Math.max(b.length - 2, 0)]) fail(op, 'inner sizes differ', shapes(a, b));
}

function checkLeading(a: Shape, b: Shape): Shape {
  const [x, y] = [a.slice(0, -2), b.slice(0, -2)];
  for (let d = 1; d <= Math.min(x.length, y.length); d++) {
    const [m, n] = [x[x.length - d], y[y.length - d]];
    if (m !== n && m !== 1 && n !== 1) fail('matmul', 'leading sizes do not broadcast', shapes(a, b));
  }
  return broadcastShapes('matmul', x, y);
}

/** a b of two tensors that are known to fit. */
export const product = (a: Tensor, b: Tensor): Tensor => apply(matmulOp, [a, b], undefined);

/** x^T y for x [..., R, M] and y [..., R, N], all leading dimensions summed over: the gradient of a shared matrix. */
export function sharedGradient(x: Tensor, y: Tensor): Tensor {
  const [m, n] = [x.shape[x.ndim - 1], y.shape[y.ndim - 1]];
  const rows = numel(y.shape.slice(0, -1));
  return product(x.reshape([rows, m]).transpose(), y.reshape([rows, n]));
}

/** [..., M, K] times [..., K, N]. */
export const matmulOp: Op<undefined> = defineOp<undefined>({
  name: 'matmul',
  inputs: ['a', 'b'],
  infer: ([a, b]) => {
    if (a.shape.length < 2 || b.shape.length < 2) fail('matmul', 'operands must be matrices', shapes(a.shape, b.shape));
    checkDTypes('matmul', [a, b]);
    checkInner('matmul', a.shape, b.shape);
    const lead = checkLeading(a.shape, b.shape);
    return { shape: [...lead, a.shape[a.shape.length - 2], b.shape[b.shape.length - 1]], dtype: a.dtype };
  },
  save: ['a', 'b'],
  vjp: [
    (g, { b }) => product(g, b.transpose()),
    (g, { a, b }) => (b.ndim === 2 && a.ndim > 2 ? sharedGradient(a, g) : product(a.transpose(), g)),
  ],
  ref: ([a, b]) => matmulRef(a, b),
  cost: ([a, b], [out]) => ({
    flops: 2 * numel(out.shape) * a.shape[a.shape.length - 1],
    bytes: bytesOf([a, b, out]),
  }),
});
