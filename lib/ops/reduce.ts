// Reductions: sums, means, products and logical folds over any axes.
import { defineOp, type Op, type RefArray, type Row } from '../define.js';
import { apply } from '../dispatch.js';
import { checkDType, type DType } from '../dtype.js';
import { reducedShape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import {
  type Axes,
  asFloat,
  axesOf,
  checkKind,
  checkTensor,
  costPerElement,
  foldedCount,
  foldRef,
  type KeepDims,
  packAxes,
  spread,
} from './axes.js';

/** How a sum or product is taken. */
export interface SumOptions extends KeepDims {
  /** Convert the elements first: float64 for more digits, int32 to count. Default: as they are. */
  readonly dtype?: DType;
}

interface DTypes {
  /** The result's dtype. Default: the input's. */
  readonly result: (dtype: DType) => DType;
  /** Default: all. */
  readonly takes: readonly DType[];
}

/** A reduction to one value for each combination of the remaining indices. */
function reduction(
  name: string,
  fold: (values: Float64Array) => number,
  { result = (dtype) => dtype, takes, ...rest }: Pick<Row<Axes>, 'vjp' | 'save'> & Partial<DTypes>,
): Op<Axes> {
  return defineOp<Axes>({
    name,
    inputs: ['x'],
    infer: ([x], { axes, keepDims }) => {
      if (takes !== undefined) checkKind(name, x, 'x', takes);
      return { shape: reducedShape(x.shape, axes, keepDims), dtype: result(x.dtype) };
    },
    pack: packAxes,
    ref: ([x]: readonly RefArray[], attrs: Axes) => foldRef(x, attrs, fold),
    cost: costPerElement(1),
    ...rest,
  });
}

const total = (values: Float64Array) => values.reduce((a, b) => a + b, 0);
const floats: readonly DType[] = ['float32', 'float64'];
const wholeSums = (dtype: DType): DType => (dtype === 'float64' || dtype === 'float32' ? dtype : 'int32');

const sumOp = reduction('sum', total, {
  result: wholeSums,
  vjp: [(g, _saved, { attrs, inputs }) => spread(g, inputs[0].shape, attrs.axes)],
});

/**
 * The sum of the elements along the given axes (all, when absent): `out = sum_i x_i`; 0 where there are none. Integers and
 * booleans add up to int32, which wraps around; float32 elements are added up in float64 and rounded once. Throws when there is no such axis, or when one is named twice.
 */
export function sum(x: Tensor, axis?: number | readonly number[], options: SumOptions = {}): Tensor {
  const attrs = axesOf('sum', x, axis, options);
  return apply(sumOp, [options.dtype === undefined ? x : x.cast(checkDType('sum', options.dtype))], attrs);
}

const meanOp = reduction('mean', (values) => total(values) / values.length, {
  takes: floats,
  vjp: [
    (g, _saved, { attrs, inputs }) =>
      spread(g.mul(1 / foldedCount(inputs[0].shape, attrs.axes)), inputs[0].shape, attrs.axes),
  ],
});

/**
 * The arithmetic mean of the elements along the given axes (all, when absent): `out = sum_i x_i / n`; nan where there are
 * none. Integers and booleans are converted to float32. Throws when there is no such axis, or when one is named twice.
 */
export function mean(x: Tensor, axis?: number | readonly number[], options: KeepDims = {}): Tensor {
  const attrs = axesOf('mean', x, axis, options);
  return apply(meanOp, [asFloat(x)], attrs);
}

/**
 * For each element the product of all others along `axis`. Built of shifted products alone, it is right where elements are
 * 0 (dividing the product by the element would not be) and differentiates again.
 */
function productOfOthers(x: Tensor, axis: number): Tensor {
  const n = x.shape[axis];
  // Elements moved by `by` places along the axis; ones move in.
  const moved = (t: Tensor, by: number): Tensor => {
    const starts = t.shape.map((_, d) => (d === axis ? Math.max(by, 0) : 0));
    const kept = t.narrow(axis, Math.max(-by, 0), n - Math.min(Math.abs(by), n));
    return kept.place({ shape: t.shape, starts, steps: t.shape.map(() => 1), value: 1 });
  };
  // Products of all elements before each one, and of all after it, over runs that double in length.
  let before = moved(x, 1);
  let after = moved(x, -1);
  for (let run = 1; run < n; run *= 2) {
    before = before.mul(moved(before, run));
    after = after.mul(moved(after, -run));
  }
  return before.mul(after);
}

const prodOp = reduction('prod', (values) => values.reduce((a, b) => a * b, 1), {
  result: wholeSums,
  save: ['x'],
  vjp: [
    (g, { x }, { attrs: { axes } }) => {
      const kept = x.shape.map((_, d) => d).filter((d) => !axes.includes(d));
      const order = [...kept, ...axes];
      const back = x.shape.map((_, d) => order.indexOf(d));
      const moved = x.permute(order);
      const others = productOfOthers(
        moved.reshape([...kept.map((d) => x.shape[d]), foldedCount(x.shape, axes)]),
        kept.length,
      );
      return spread(g, x.shape, axes).mul(others.reshape(moved.shape).permute(back));
    },
  ],
});

/**
 * The product of the elements along the given axes (all, when absent): `out = prod_i x_i`; 1 where there are none. Integers
 * and booleans multiply to int32, which wraps around. Throws when there is no such axis, or when one is named twice.
 */
export function prod(x: Tensor, axis?: number | readonly number[], options: SumOptions = {}): Tensor {
  const attrs = axesOf('prod', x, axis, options);
  return apply(prodOp, [options.dtype === undefined ? x : x.cast(checkDType('prod', options.dtype))], attrs);
}

const anyOp = reduction('any', (values) => Number(values.some((v) => v !== 0)), { takes: ['bool'], vjp: ['none'] });
const allOp = reduction('all', (values) => Number(values.every((v) => v !== 0)), { takes: ['bool'], vjp: ['none'] });

/**
 * Whether any element along the given axes (all, when absent) is true, or not 0; false where there are none. Returns bool.
 * Throws when there is no such axis, or when one is named twice.
 */
export function any(x: Tensor, axis?: number | readonly number[], options: KeepDims = {}): Tensor {
  return apply(anyOp, [checkTensor('any', x).cast('bool')], axesOf('any', x, axis, options));
}

/**
 * Whether every element along the given axes (all, when absent) is true, or not 0; true where there are none. Returns bool.
 * Throws when there is no such axis, or when one is named twice.
 */
export function all(x: Tensor, axis?: number | readonly number[], options: KeepDims = {}): Tensor {
  return apply(allOp, [checkTensor('all', x).cast('bool')], axesOf('all', x, axis, options));
}
