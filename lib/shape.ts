import { fail, show } from './errors.js';

/** Sizes of a tensor's dimensions, outermost first. */
export type Shape = readonly number[];

/** At most this many dimensions: native views have room for no more. */
export const maxDims = 8;

/** Elements of a tensor of this shape: the product of its sizes, 1 for a scalar. */
export function numel(shape: Shape): number {
  let n = 1;
  for (let d = 0; d < shape.length; d++) n *= shape[d];
  return n;
}

/** Strides, in elements, of a contiguous tensor of this shape. */
export function contiguousStrides(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    strides[d] = step;
    step *= shape[d];
  }
  return strides;
}

/** Whether elements of these strides lie in row-major order without gaps; sizes of 1 may have any stride. */
export function isContiguous(shape: Shape, strides: readonly number[]): boolean {
  let expect = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    if (shape[d] === 0) return true;
    if (shape[d] === 1) continue;
    if (strides[d] !== expect) return false;
    expect *= shape[d];
  }
  return true;
}

export function sameShape(a: Shape, b: Shape): boolean {
  if (a.length !== b.length) return false;
  for (let d = 0; d < a.length; d++) if (a[d] !== b[d]) return false;
  return true;
}

/** `[2, 3]`, as messages show shapes. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/** Checks sizes given by a caller: at most 8 whole numbers, none negative. Throws naming `op`. */
export function checkShape(op: string, shape: unknown): Shape {
  if (!Array.isArray(shape)) return fail(op, 'shape must be an array of sizes', show(shape));
  if (shape.length > maxDims) return fail(op, `a tensor has at most ${maxDims} dimensions`, formatShape(shape));
  for (const size of shape) {
    if (!Number.isInteger(size) || size < 0) fail(op, 'sizes must be whole numbers, 0 or more', show(shape));
  }
  if (numel(shape) > Number.MAX_SAFE_INTEGER) fail(op, 'more elements than can be counted', formatShape(shape));
  return shape as number[];
}

/** Checks one whole number in [min, max]; `what` names it in the message. */
export function checkInteger(op: string, what: string, value: unknown, min = 0, max = Number.MAX_SAFE_INTEGER): number {
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return value as number;
  const range = max === Number.MAX_SAFE_INTEGER ? `of ${min} or more` : `from ${min} to ${max}`;
  return fail(op, `${what} must be a whole number ${range}`, show(value));
}

/** An axis as an index from the front; negative ones count from the back. Throws when there is no such axis. */
export function checkAxis(op: string, axis: unknown, ndim: number): number {
  const low = -ndim;
  if (!Number.isInteger(axis) || (axis as number) < low || (axis as number) >= ndim) {
    const range = ndim === 0 ? 'a scalar has no axes' : `axis must be a whole number from ${low} to ${ndim - 1}`;
    fail(op, range, show(axis));
  }
  return (axis as number) < 0 ? (axis as number) + ndim : (axis as number);
}

/** Axes (one, several, or all when absent) as a sorted list of indices without repeats. Throws on a repeated one. */
export function checkAxes(op: string, axes: number | readonly number[] | undefined, ndim: number): number[] {
  if (axes === undefined || axes === null) return Array.from({ length: ndim }, (_, d) => d);
  const list = (Array.isArray(axes) ? axes : [axes]).map((a) => checkAxis(op, a, ndim));
  list.sort((a, b) => a - b);
  for (let i = 1; i < list.length; i++) if (list[i] === list[i - 1]) fail(op, 'an axis is named twice', show(axes));
  return list;
}

/** The shape two operands broadcast to: aligned from the back, sizes equal or 1. Throws naming both shapes. */
export function broadcastShapes(op: string, a: Shape, b: Shape): Shape {
  if (sameShape(a, b)) return a;
  const ndim = Math.max(a.length, b.length);
  const out = new Array<number>(ndim);
  for (let d = 1; d <= ndim; d++) {
    const m = d <= a.length ? a[a.length - d] : 1;
    const n = d <= b.length ? b[b.length - d] : 1;
    if (m !== n && m !== 1 && n !== 1) {
      fail(op, 'shapes do not broadcast', `a is ${formatShape(a)}, b is ${formatShape(b)}`);
    }
    out[ndim - d] = m === 1 ? n : m;
  }
  return out;
}

/** A shape with the given axes of `shape` taken out, or set to 1. */
export function reducedShape(shape: Shape, axes: readonly number[], keepDims: boolean): number[] {
  const out: number[] = [];
  for (let d = 0; d < shape.length; d++) {
    if (!axes.includes(d)) out.push(shape[d]);
    else if (keepDims) out.push(1);
  }
  return out;
}
