// Pooling over windows of the last two axes: x is [N, C, H, W], or [C, H, W].
import { context } from '../context.js';
import type { Op } from '../define.js';
import { applyAll } from '../dispatch.js';
import { fail, show } from '../errors.js';
import { checkFlag, checkOptions } from '../options.js';
import { checkInteger } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { asFloat, checkTensor } from './axes.js';
import type { Pair } from './conv.js';
import { adaptiveAvgPoolOp, avgPoolOp, maxPoolOp, maxPoolValuesOp, type Windows } from './pool-rows.js';

/** How windows lie on the input. */
interface WindowOptions {
  /** Steps between windows. Default: the window's size, so that windows touch. */
  readonly stride?: Pair;
  /** Places around the input, at most half of the window. Default 0. */
  readonly padding?: Pair;
  /** Let a last window reach past the end. Default false. */
  readonly ceilMode?: boolean;
}

/** Options of {@link maxPool2d}. */
export interface MaxPoolOptions extends WindowOptions {
  /** Steps between the places of one window. Default 1. */
  readonly dilation?: Pair;
}

/** Options of {@link avgPool2d}. */
export interface AvgPoolOptions extends WindowOptions {
  /** Count the padding among the divided. Default true. */
  readonly countIncludePad?: boolean;
  /** Divide by this number instead of the window's size. */
  readonly divisorOverride?: number;
}

function pair(op: string, what: string, value: Pair, min: number): number[] {
  const list = Array.isArray(value) ? [...value] : [value, value];
  if (list.length !== 2) fail(op, `${what} must be a number or a pair`, show(value));
  return list.map((size) => checkInteger(op, what, size, min));
}

type PoolOptions = MaxPoolOptions & AvgPoolOptions;

const windowOptions = ['stride', 'padding', 'ceilMode'] as const;
const maxOptions = [...windowOptions, 'dilation'] as const;
const avgOptions = [...windowOptions, 'countIncludePad', 'divisorOverride'] as const;

function windows(op: string, kernel: Pair, options: PoolOptions, known: readonly (keyof PoolOptions)[]): Windows {
  checkOptions(op, options, known);
  const size = pair(op, 'the window', kernel, 1);
  const padding = pair(op, 'padding', options.padding ?? 0, 0);
  size.forEach((k, d) => {
    if (2 * padding[d] > k)
      fail(op, 'padding must be at most half of the window', `${show(padding)}, window ${show(size)}`);
  });
  return {
    kernel: size,
    stride: options.stride === undefined ? size : pair(op, 'stride', options.stride, 1),
    padding,
    dilation: pair(op, 'dilation', options.dilation ?? 1, 1),
    ceilMode: checkFlag(op, 'ceilMode', options.ceilMode ?? false),
    countIncludePad: checkFlag(op, 'countIncludePad', options.countIncludePad ?? true),
    divisor:
      options.divisorOverride === undefined ? 0 : checkInteger(op, 'divisorOverride', options.divisorOverride, 1),
  };
}

/** The outputs of a row for x with a batch axis, which is put in and taken out again where x has none. */
function pooledAll<A>(op: Op<A>, x: Tensor, attrs: A): Tensor[] {
  const floats = asFloat(x);
  const outputs = applyAll(op, [x.ndim === 3 ? floats.unsqueeze(0) : floats], attrs);
  return x.ndim === 3 ? outputs.map((t) => t.squeeze(0)) : outputs;
}

function pooled<A>(op: Op<A>, x: Tensor, attrs: A): Tensor {
  checkTensor(op.name, x);
  const [out, ...rest] = pooledAll(op, x, attrs);
  for (const t of rest) t.dispose(); // a graph that needs them holds them itself
  return out;
}

/**
 * The largest value of each window: out[n, c, i, j] = max of x[n, c, i stride - padding + k dilation, ...]. Its gradient goes
 * to the first place that holds it. NaN is larger than all. Padding never wins.
 * Throws when the window does not fit, or padding is more than half of it. As PyTorch's `max_pool2d`.
 */
export function maxPool2d(x: Tensor, kernel: Pair, options: MaxPoolOptions = {}): Tensor {
  checkTensor('maxPool2d', x);
  const recorded = x.requiresGrad && context().grad;
  return pooled(recorded ? maxPoolOp : maxPoolValuesOp, x, windows('maxPool2d', kernel, options, maxOptions));
}

/**
 * As {@link maxPool2d}, with the place of each maximum: `[values, indices]`, both [N, C, H', W'] (or [C, H', W']), indices
 * int32 numbers h W + w of places in their plane. Gradients flow through the values. Throws as maxPool2d does. As
 * PyTorch's `max_pool2d_with_indices`.
 */
export function maxPool2dWithIndices(x: Tensor, kernel: Pair, options: MaxPoolOptions = {}): [Tensor, Tensor] {
  checkTensor('maxPool2dWithIndices', x);
  const [values, indices] = pooledAll(maxPoolOp, x, windows('maxPool2dWithIndices', kernel, options, maxOptions));
  return [values, indices];
}

/**
 * The mean of each window. Throws when the window does not fit, or padding is more than half of it. As PyTorch's
 * `avg_pool2d`.
 */
export function avgPool2d(x: Tensor, kernel: Pair, options: AvgPoolOptions = {}): Tensor {
  return pooled(avgPoolOp, x, windows('avgPool2d', kernel, options, avgOptions));
}

/**
 * Means over windows that spread the input evenly over an output of the given size: output i covers floor(i H / size) to
 * ceil((i + 1) H / size). `adaptiveAvgPool2d(x, 1)` is the mean of each plane. Throws on a size below 1.
 */
export function adaptiveAvgPool2d(x: Tensor, size: Pair): Tensor {
  return pooled(adaptiveAvgPoolOp, x, { size: pair('adaptiveAvgPool2d', 'size', size, 1) });
}
