// What the rows of the recurrent layers share: T steps, N rows (the batch), H units, G gates. Each takes the input's
// share of all steps at once, x [T, N, G H], and does what is sequential: x_t + W h_(t-1), the gates, the new state.
//
// A fused gradient call serves the first derivative. Where the backward pass is itself recorded, the same gradient is
// made of tensor ops, step by step, which differentiate again.
import type { Cost, Meta, RefArray } from '../define.js';
import type { Operand } from '../dispatch.js';
import { fail } from '../errors.js';
import { formatShape, type Shape, sameShape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { bytesOf } from './cost.js';
import { matmul } from './matmul.js';

/** How a row walks through the sequence. */
export interface Walk {
  /** From the last step to the first. */
  readonly reverse: boolean;
}
/** How a gradient row does. */
export interface WalkBack extends Walk {
  /** Whether the gradient of the initial state is an output too. */
  readonly initial: boolean;
}

/** The times in the order in which they are visited. */
export function timesOf(steps: number, { reverse }: Walk): number[] {
  return Array.from({ length: steps }, (_, s) => (reverse ? steps - 1 - s : s));
}

/** Sizes of a call. Throws unless x is [T, N, G H] and w [G H, H]. */
export function sizesOf(op: string, x: Meta, w: Meta, gates: number): { steps: number; rows: number; units: number } {
  const given = `x is ${formatShape(x.shape)}, w is ${formatShape(w.shape)}`;
  if (x.shape.length !== 3 || w.shape.length !== 2) fail(op, 'x must be [T, N, gates] and w [gates, units]', given);
  const [steps, rows, width] = x.shape;
  const units = w.shape[1];
  if (units === 0 || width !== gates * units || w.shape[0] !== width) {
    fail(op, `x and w must have ${gates} times as many gates as units`, given);
  }
  if (steps === 0) fail(op, 'a sequence has at least one step', given);
  return { steps, rows, units };
}

/** Throws unless an operand is a number or has the shape. */
export function checkShape(op: string, what: string, m: Meta, shape: Shape): void {
  if (m.shape.length > 0 && !sameShape(m.shape, shape)) {
    fail(op, `${what} must be ${formatShape(shape)}`, formatShape(m.shape));
  }
}

/** FLOPs of the products, with the matrix at `matrix` among the inputs, and of the cells; bytes of all operands. */
export function costOf(matrix: number, perUnit: number): (inputs: readonly Meta[], outputs: readonly Meta[]) => Cost {
  return (inputs, outputs) => {
    const [gates, units] = inputs[matrix].shape;
    const rows = outputs[0].shape[0] * outputs[0].shape[1];
    return { flops: rows * units * (2 * gates + perUnit), bytes: bytesOf([...inputs, ...outputs]) };
  };
}

/** The state before each step, summed against the gradient `d` [T, N, G H] of what it was multiplied to: [G H, H]. */
export function matrixGradient(d: Tensor, out: Tensor, initial: Tensor, { reverse }: Walk): Tensor {
  const steps = d.shape[0];
  const parts: Tensor[] = [];
  if (steps > 1) {
    const later = d.narrow(0, reverse ? 0 : 1, steps - 1).flatten(0, 1);
    const earlier = out.narrow(0, reverse ? 1 : 0, steps - 1).flatten(0, 1);
    parts.push(matmul(later.transpose(), earlier));
  }
  // A scalar stands for no initial state.
  if (steps === 1 || initial.ndim > 0) {
    const first = d.select(0, reverse ? steps - 1 : 0);
    parts.push(matmul(first.transpose(), initial.expand(out.shape.slice(1))));
  }
  return sumOf(...parts) as Tensor;
}

/** Step t of a gradient, or null. */
export function stepOf(g: Tensor | null, t: number): Tensor | null {
  return g === null ? null : g.select(0, t);
}

/** The sum of those that are there. */
export function sumOf(...terms: readonly (Tensor | null)[]): Tensor | null {
  return terms.reduce((sum, x) => (sum === null ? x : x === null ? sum : sum.add(x)), null);
}

/** A gradient as a row takes it. */
export function orZero(g: Tensor | null): Operand {
  return g ?? 0;
}

// ---- references

/** An operand that may be one number, read at an index. */
export const valueAt = (x: RefArray, i: number): number => (x.shape.length === 0 ? x.data[0] : x.data[i]);

export const sigmoidRef = (x: number): number => 1 / (1 + Math.exp(-x));

/** w [M, K] times v [K] from `at` on: M numbers. */
export function timesRef(w: RefArray, v: Float64Array, at: number): Float64Array {
  const [m, k] = w.shape;
  const out = new Float64Array(m);
  for (let i = 0; i < m; i++) for (let j = 0; j < k; j++) out[i] += w.data[i * k + j] * v[at + j];
  return out;
}

/** w^T [K, M] times v [M] from `at` on: K numbers. */
export function timesTransposedRef(w: RefArray, v: Float64Array, at: number): Float64Array {
  const [m, k] = w.shape;
  const out = new Float64Array(k);
  for (let i = 0; i < m; i++) for (let j = 0; j < k; j++) out[j] += w.data[i * k + j] * v[at + i];
  return out;
}

/** An initial state as a dense array. */
export function initialRef(x: RefArray, count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => valueAt(x, i));
}
