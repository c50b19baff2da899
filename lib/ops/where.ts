// Choosing between values, elementwise.
import { defineOp, type Op } from '../define.js';
import { apply, applyInto, type Operand } from '../dispatch.js';
import { type DType, dtypes } from '../dtype.js';
import { fail, show } from '../errors.js';
import { checkOptions } from '../options.js';
import { broadcastShapes, numel } from '../shape.js';
import { Tensor } from '../tensor.js';
import { checkTensor, costPerElement } from './axes.js';
import { filled } from './filled.js';
import { elementwiseRow, mapRef } from './make/elementwise.js';
import { accepted, checkDTypes, meetingDType } from './make/operands.js';

const whereOp = defineOp({
  name: 'where',
  inputs: ['condition', 'a', 'b'],
  save: ['condition'],
  infer: ([condition, a, b]) => {
    if (condition.dtype !== 'bool') fail('where', 'the condition must be bool; compare, or cast it', condition.dtype);
    const dtype = checkDTypes('where', 'all', [a, b]);
    const shape = broadcastShapes('where', broadcastShapes('where', condition.shape, a.shape), b.shape);
    return { shape, dtype };
  },
  vjp: ['none', (g, { condition }) => where(condition, g, 0), (g, { condition }) => where(condition, 0, g)],
  ref: (inputs) => mapRef('where', inputs, ([condition, a, b]) => (condition ? a : b)),
  cost: (inputs, outputs) => ({ ...costPerElement(0)(inputs, outputs), flops: numel(outputs[0].shape) }),
});

/**
 * a where the condition is true, else b: elementwise, all three broadcast. Numbers take the dtype of the other operand;
 * two numbers make float32. Throws when the condition is not a bool tensor, and when the shapes do not broadcast.
 */
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  checkTensor('where', condition, 'the condition');
  const both = typeof a === 'number' && typeof b === 'number';
  const dtype = both ? 'float32' : meetingDType('where', a, b);
  const operand = (x: Operand) => (x instanceof Tensor ? x.cast(dtype) : filled([], x, dtype, condition));
  return apply(whereOp, [condition, operand(a), operand(b)], undefined);
}

/** x with `value` wherever the bool tensor `mask`, which broadcasts against it, is true. Throws as {@link where} does. */
export function maskedFill(x: Tensor, mask: Tensor, value: number): Tensor {
  checkTensor('maskedFill', x);
  if (!(mask instanceof Tensor) || mask.dtype !== 'bool') fail('maskedFill', 'mask must be a bool tensor', show(mask));
  if (typeof value !== 'number') fail('maskedFill', 'value must be a number', show(value));
  return where(mask, value, x);
}

// ---- clamp

interface Bounds {
  readonly low: number;
  readonly high: number;
}

const limits: Readonly<Record<DType, readonly [number, number]>> = {
  float32: [-Infinity, Infinity],
  float64: [-Infinity, Infinity],
  bfloat16: [-Infinity, Infinity],
  int32: [-2147483648, 2147483647],
  uint8: [0, 255],
  bool: [0, 1],
};

/** Whole numbers have whole bounds within their range; what lies beyond it bounds nothing. */
function packBounds({ low, high }: Bounds, dtype: DType): number[] {
  const [least, most] = limits[dtype];
  return [low, high].map((v) => Math.min(Math.max(v, least), most));
}

const withinBounds = (x: number, { low, high }: Bounds) => {
  const raised = x < low ? low : x;
  return raised > high ? high : raised;
};

const clampOp = elementwiseRow<Bounds>('clamp', ['x'], {
  accepts: 'numbers',
  flops: 2,
  check: ({ low, high }, [x]) => {
    const fractional = [low, high].some((v) => Number.isFinite(v) && !Number.isInteger(v));
    if (!dtypes[x.dtype].isFloat && fractional) fail('clamp', 'integers need whole bounds', `${low} and ${high}`);
  },
  pack: (attrs, [x]) => packBounds(attrs, x.dtype),
  ref: ([x], bounds) => withinBounds(x, bounds),
  save: ['x'],
  vjp: [(g, { x }, { attrs }) => apply(clampGradOp, [g, x], attrs)],
});

const clampGradOp: Op<Bounds> = elementwiseRow<Bounds>('clampGrad', ['g', 'x'], {
  flops: 3,
  pack: ({ low, high }) => [low, high],
  ref: ([g, x], { low, high }) => (x >= low && x <= high ? g : 0),
  save: ['x'],
  vjp: [(g, { x }, { attrs }) => apply(clampGradOp, [g, x], attrs), 'zero'],
});

/** What {@link clamp} keeps elements within. */
export interface ClampOptions {
  /** The least value. Default: no bound. */
  readonly min?: number;
  /** The largest value; wins where it is below `min`. Default: no bound. */
  readonly max?: number;
}

/**
 * Elements held within [min, max]: min(max(x, min), max); nan stays. The gradient passes where x is within the bounds, both
 * included. An integer tensor with a fractional bound is computed in float32. Throws for bool, and for bounds that are no
 * numbers.
 */
export function clamp(x: Tensor, options: ClampOptions = {}): Tensor {
  accepted('clamp', 'numbers', x);
  const bounds = boundsOf('clamp', options);
  const whole = [bounds.low, bounds.high].every((v) => !Number.isFinite(v) || Number.isInteger(v));
  return apply(clampOp, [x.isFloat || whole ? x : x.cast('float32')], bounds);
}

/** {@link clamp} in the memory of x, which it returns. Throws for fractional bounds of whole numbers too. */
export function clamp_(x: Tensor, options: ClampOptions): Tensor {
  accepted('clamp_', 'numbers', x);
  applyInto(clampOp, [x], [x], boundsOf('clamp_', options), 'clamp_');
  return x;
}

function boundsOf(op: string, options: ClampOptions): Bounds {
  const { min, max } = checkOptions(op, options, ['min', 'max']);
  for (const bound of [min, max]) {
    if (bound === undefined) continue;
    if (typeof bound !== 'number' || Number.isNaN(bound)) fail(op, 'min and max must be numbers', show(bound));
  }
  if (min === undefined && max === undefined) fail(op, 'give min, max or both', 'neither');
  return { low: min ?? -Infinity, high: max ?? Infinity };
}
