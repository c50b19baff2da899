// Variance, standard deviation and norms over any axes.
import { defineOp, type Op, type Vjp } from '../define.js';
import { apply } from '../dispatch.js';
import { fail, show } from '../errors.js';
import type { Tensor } from '../tensor.js';
import {
  type Axes,
  asFloat,
  axesOf,
  costPerElement,
  foldedCount,
  foldRef,
  type KeepDims,
  packAxes,
  reducedMeta,
  spread,
} from './axes.js';
import { checkDTypes } from './make/operands.js';

/** How a variance is taken. */
export interface VarianceOptions extends KeepDims {
  /** What is taken off the count before dividing: 1 (the default) estimates from a sample, 0 describes all there is. */
  readonly correction?: number;
}

interface Corrected extends Axes {
  readonly correction: number;
}

function spreadRow(name: string, finish: (variance: number) => number, vjp: Vjp<Corrected>): Op<Corrected> {
  return defineOp<Corrected>({
    name,
    inputs: ['x'],
    infer: ([x], attrs) => reducedMeta(name, x, attrs, checkDTypes(name, 'floats', [x])),
    pack: (attrs) => [...packAxes(attrs), attrs.correction],
    save: ['x', 'out'],
    vjp: [vjp],
    ref: ([x], attrs) =>
      foldRef(x, attrs, (values) => {
        const n = values.length;
        const mean = values.reduce((a, b) => a + b, 0) / n;
        return finish(values.reduce((a, b) => a + (b - mean) ** 2, 0) / Math.max(0, n - attrs.correction));
      }),
    cost: costPerElement(5),
  });
}

/** scale times g times the deviation of each element from the mean of its group. */
function deviations(x: Tensor, { axes, correction }: Corrected, g: Tensor, scale: number): Tensor {
  const each = g.mul(scale / Math.max(0, foldedCount(x.shape, axes) - correction)); // a number a group
  return x.sub(x.mean(axes, { keepDims: true })).mul(spread(each, x.shape, axes));
}

/** g / y, but 0 where y is 0: a norm that does not change has no slope. */
function divideUnlessZero(g: Tensor, y: Tensor): Tensor {
  const flat = y.eq(0);
  return g.div(y.maskedFill(flat, 1)).maskedFill(flat, 0);
}

const varianceOp = spreadRow(
  'variance',
  (variance) => variance,
  (g, { x }, { attrs }) => deviations(x, attrs, g, 2),
);
const stdOp = spreadRow('std', Math.sqrt, (g, { x, out }, { attrs }) =>
  deviations(x, attrs, divideUnlessZero(g, out), 1),
);

function corrected(
  op: string,
  x: Tensor,
  axis: number | readonly number[] | undefined,
  options: VarianceOptions,
): Corrected {
  const axes = axesOf(op, x, axis, options, ['keepDims', 'correction']);
  const { correction = 1 } = options;
  if (!Number.isFinite(correction)) fail(op, 'correction must be a finite number', show(correction));
  return { ...axes, correction };
}

/**
 * The variance of the elements along the given axes (all, when absent): `out = sum_i (x_i - mean)^2 / max(0, n - correction)`,
 * nan where that divides 0 by 0. Integers are computed in float32. Throws when there is no such axis, or for a correction
 * that is not a finite number. Pieces are joined as in Chan, Golub and LeVeque (1979), so no digits cancel.
 */
export function variance(x: Tensor, axis?: number | readonly number[], options: VarianceOptions = {}): Tensor {
  const attrs = corrected('variance', x, axis, options);
  return apply(varianceOp, [asFloat(x)], attrs);
}

/**
 * The standard deviation of the elements along the given axes (all, when absent): the square root of their
 * {@link variance}. Where it is 0 its gradient is taken as 0. Throws as {@link variance} does.
 */
export function std(x: Tensor, axis?: number | readonly number[], options: VarianceOptions = {}): Tensor {
  const attrs = corrected('std', x, axis, options);
  return apply(stdOp, [asFloat(x)], attrs);
}

const normOp = defineOp<Axes>({
  name: 'norm',
  inputs: ['x'],
  infer: ([x], attrs) => reducedMeta('norm', x, attrs, checkDTypes('norm', 'floats', [x])),
  pack: packAxes,
  save: ['x', 'out'],
  vjp: [(g, { x, out }, { attrs: { axes } }) => spread(divideUnlessZero(g, out), x.shape, axes).mul(x)],
  ref: ([x], attrs) => foldRef(x, attrs, (values) => Math.sqrt(values.reduce((a, b) => a + b * b, 0))),
  cost: costPerElement(2),
});

/** Which norm. */
export interface NormOptions extends KeepDims {
  /** The order: 2 (the default) is Euclid's, 1 sums magnitudes, Infinity takes the largest, 0 counts what is not 0. */
  readonly p?: number;
}

/**
 * The norm of the elements along the given axes (all, when absent): `out = (sum_i |x_i|^p)^(1/p)`; for p = Infinity the
 * largest magnitude, for -Infinity the smallest, for 0 the number of elements that are not 0. Its gradient at 0 is taken as
 * 0. Integers are computed in float32. Throws when there is no such axis, or when p is no number.
 */
export function norm(x: Tensor, axis?: number | readonly number[], options: NormOptions = {}): Tensor {
  const attrs = axesOf('norm', x, axis, options, ['keepDims', 'p']);
  const { p = 2 } = options;
  if (typeof p !== 'number' || Number.isNaN(p)) fail('norm', 'p must be a number', show(p));
  const values = asFloat(x);
  const { axes, keepDims } = attrs;
  if (p === 2) return apply(normOp, [values], attrs);
  if (p === 0) return values.ne(0).cast(values.dtype).sum(axes, { keepDims });
  if (p === 1) return values.abs().sum(axes, { keepDims });
  if (p === Infinity) return values.abs().max(axes, { keepDims });
  if (p === -Infinity) return values.abs().min(axes, { keepDims });
  return values
    .abs()
    .pow(p)
    .sum(axes, { keepDims })
    .pow(1 / p);
}
