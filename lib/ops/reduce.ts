// Reductions: sums, means, products, extremes and logical folds over any axes.
import { defineOp, type Meta, type Op, type RefArray, type Row, type Vjp } from '../define.js';
import { apply } from '../dispatch.js';
import { checkDType, type DType } from '../dtype.js';
import { fail } from '../errors.js';
import type { Tensor } from '../tensor.js';
import {
  type Axes,
  asFloat,
  axesOf,
  checkNotEmpty,
  checkTensor,
  costPerElement,
  foldedCount,
  foldRef,
  type KeepDims,
  packAxes,
  reducedMeta,
  spread,
} from './axes.js';
import { checkDTypes } from './make/operands.js';
import { place } from './window.js';

/** How a sum or product is taken. */
export interface SumOptions extends KeepDims {
  /** Convert the elements first: float64 for more digits, int32 to count. Default: as they are. */
  readonly dtype?: DType;
}

const sumOptions = ['keepDims', 'dtype'] as const;

interface DTypes {
  /** The result's dtype. Default: the input's. */
  readonly result: (dtype: DType) => DType;
  /** Checks the input beyond its axes. */
  readonly check: (x: Meta, attrs: Axes) => void;
}

/** A reduction to one value for each combination of the remaining indices. */
function reduction(
  name: string,
  fold: (values: Float64Array) => number,
  { result = (dtype) => dtype, check, ...rest }: Pick<Row<Axes>, 'vjp' | 'save'> & Partial<DTypes>,
): Op<Axes> {
  return defineOp<Axes>({
    name,
    inputs: ['x'],
    infer: ([x], attrs) => {
      check?.(x, attrs);
      return reducedMeta(name, x, attrs, result(x.dtype));
    },
    pack: packAxes,
    ref: ([x]: readonly RefArray[], attrs: Axes) => foldRef(x, attrs, fold),
    cost: costPerElement(1),
    ...rest,
  });
}

const total = (values: Float64Array) => values.reduce((a, b) => a + b, 0);
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
  const attrs = axesOf('sum', x, axis, options, sumOptions);
  return apply(sumOp, [options.dtype === undefined ? x : x.cast(checkDType('sum', options.dtype))], attrs);
}

const meanOp = reduction('mean', (values) => total(values) / values.length, {
  check: (x) => checkDTypes('mean', 'floats', [x]),
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
    return place(kept, { shape: t.shape, starts, steps: t.shape.map(() => 1), value: 1 });
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
  const attrs = axesOf('prod', x, axis, options, sumOptions);
  return apply(prodOp, [options.dtype === undefined ? x : x.cast(checkDType('prod', options.dtype))], attrs);
}

/** The gradient of an extreme: shared evenly by all elements that are equal to it. */
const sharedByTies: Vjp<Axes> = (g, { x, out }, { attrs: { axes } }) => {
  const ties = x.eq(spread(out, x.shape, axes)).cast(x.dtype);
  return spread(g, x.shape, axes).mul(ties.div(ties.sum(axes, { keepDims: true })));
};

const largest = (a: number, b: number) => (a > b || Number.isNaN(a) ? a : b);
const smallest = (a: number, b: number) => (a < b || Number.isNaN(a) ? a : b);

const maxOp = reduction('max', (values) => values.reduce(largest), {
  check: (x, { axes }) => checkNotEmpty('max', x, axes),
  save: ['x', 'out'],
  vjp: [sharedByTies],
});
const minOp = reduction('min', (values) => values.reduce(smallest), {
  check: (x, { axes }) => checkNotEmpty('min', x, axes),
  save: ['x', 'out'],
  vjp: [sharedByTies],
});

/**
 * The largest element along the given axes (all, when absent); nan where there is one. Equal largest elements share the
 * gradient evenly. `argmax` says where it is. Throws when there is no such axis, or no element.
 */
export function max(x: Tensor, axis?: number | readonly number[], options: KeepDims = {}): Tensor {
  return apply(maxOp, [x], axesOf('max', x, axis, options));
}

/**
 * The smallest element along the given axes (all, when absent); nan where there is one. Equal smallest elements share the
 * gradient evenly. `argmin` says where it is. Throws when there is no such axis, or no element.
 */
export function min(x: Tensor, axis?: number | readonly number[], options: KeepDims = {}): Tensor {
  return apply(minOp, [x], axesOf('min', x, axis, options));
}

const checkBool = (name: string) => (x: Meta) => {
  if (x.dtype !== 'bool') fail(name, 'the row takes bool only', x.dtype);
};

const anyOp = reduction('any', (values) => Number(values.some((v) => v !== 0)), {
  check: checkBool('any'),
  vjp: ['none'],
});
const allOp = reduction('all', (values) => Number(values.every((v) => v !== 0)), {
  check: checkBool('all'),
  vjp: ['none'],
});

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
