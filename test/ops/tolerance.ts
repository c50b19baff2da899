// How close a result must come to the float64 reference: the one place where it is decided.
import type { Meta, Op } from '../../lib/define.js';
import type { DType } from '../../lib/dtype.js';
import { numel } from '../../lib/shape.js';

/** Distance between 1 and the next number. */
const epsilon = { float32: 2 ** -23, float64: 2 ** -52 } as const;

// A result may be off by this many roundings of its own size: a chain of a few operations, or a function's approximation.
const roundings = 8;

/** What a comparison allows: |result - expected| <= relative |expected| + absolute. Integers must be equal. */
export interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
}

/**
 * The tolerance for an output of an op. Adding up n terms of size m one after another passes through partial sums of
 * about sqrt(n) m, and rounds each of them: whatever they cancel to, n roundings of that size leave sqrt(n) times as much
 * again, n m epsilon / 4 at the ends of the distribution. n is taken from the row's own count of operations for each number
 * of this output (one output of a row may be a long sum, another not), m from the largest input; the root keeps a short
 * sum's few roundings apart.
 */
export function toleranceOf(
  op: Op<never>,
  attrs: never,
  inputs: readonly Meta[],
  outputs: readonly Meta[],
  output: Meta,
  largest: number,
): Tolerance {
  const dtype: DType =
    inputs.some((m) => m.dtype === 'float32') && output.dtype === 'float64' ? 'float32' : output.dtype;
  if (dtype !== 'float32' && dtype !== 'float64') return { relative: 0, absolute: 0 };
  const terms = Math.max(1, op.cost(inputs, outputs, attrs).flops / Math.max(1, numel(output.shape)));
  return {
    relative: roundings * epsilon[dtype],
    absolute: (2 * Math.sqrt(terms) + terms / 4) * largest * epsilon[dtype],
  };
}
