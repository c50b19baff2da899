// The row of the matrix product, and what linear layers share with it.
import { defineOp, type Meta, type Op, type RefArray } from '../define.js';
import { apply } from '../dispatch.js';
import { checkDType, type DType, promote } from '../dtype.js';
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

/** The dtype of products of two factors: those of bfloat16 stay in float32, in which they are added up. */
export const productDType = (factors: DType): DType => (factors === 'bfloat16' ? 'float32' : factors);

/** What a product may be given beside its operands. */
export interface ProductOptions {
  /** The dtype of the result. Default: that of the operands; float32 for bfloat16 ones, in which they are added up. */
  readonly outDtype?: DType;
}

/** The keys of {@link ProductOptions}. */
export const productOptions = ['outDtype'] as const;

/** A product in the dtype that was asked for. */
export function delivered(op: string, out: Tensor, { outDtype }: ProductOptions): Tensor {
  return outDtype === undefined ? out : out.cast(checkDType(op, outDtype));
}

/**
 * Two factors, and perhaps a term to add, as tensors of the dtypes that they meet at: all the same, but for the term beside
 * bfloat16 factors, which is float32. Throws when one factor alone is bfloat16: it would be widened with every call, which
 * is slower than both in float32.
 */
export function meet(op: string, tensors: readonly unknown[], names: readonly string[]): Tensor[] {
  const given = tensors.map((t, i) => checkTensor(op, t, names[i]));
  const [a, b, term] = given;
  if (a.isFloat && b.isFloat && (a.dtype === 'bfloat16') !== (b.dtype === 'bfloat16')) {
    const given = `${names[0]} is ${a.describe()}, ${names[1]} is ${b.describe()}`;
    fail(op, 'bfloat16 is multiplied by bfloat16 alone; use to("bfloat16") or to("float32")', given);
  }
  const factors = promote(a.dtype, b.dtype);
  const dtype = term === undefined ? productDType(factors) : promote(productDType(factors), term.dtype);
  const own = dtype === productDType(factors) ? factors : dtype;
  return given.map((t, i) => t.cast(i < 2 ? own : dtype));
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
  bfloat16: true,
  inputs: ['a', 'b'],
  infer: ([a, b]) => {
    if (a.shape.length < 2 || b.shape.length < 2) fail('matmul', 'operands must be matrices', shapes(a.shape, b.shape));
    checkDTypes('matmul', [a, b]);
    checkInner('matmul', a.shape, b.shape);
    const lead = checkLeading(a.shape, b.shape);
    const shape = [...lead, a.shape[a.shape.length - 2], b.shape[b.shape.length - 1]];
    return { shape, dtype: productDType(a.dtype) };
  },
  save: ['a', 'b'],
  vjp: [
    // Gradients are products of the same kind: in bfloat16 what comes in is rounded to it first.
    (g, { b }) => product(g.cast(b.dtype), b.transpose()),
    (g, { a, b }) => {
      const factor = g.cast(a.dtype);
      return b.ndim === 2 && a.ndim > 2 ? sharedGradient(a, factor) : product(a.transpose(), factor);
    },
  ],
  ref: ([a, b]) => matmulRef(a, b),
  cost: ([a, b], [out]) => ({
    flops: 2 * numel(out.shape) * a.shape[a.shape.length - 1],
    bytes: bytesOf([a, b, out]),
  }),
});
