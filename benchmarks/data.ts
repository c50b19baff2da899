// The data of a case: a hash of seed and index, so that every peer makes the same numbers without any being sent.
// peers/data.py is the same in Python.
import type { Input } from './case.js';

/** What is passed on as an input's elements. */
export type Elements = Float32Array | Float64Array | Int32Array | Uint8Array;

/** 32 well mixed bits (the "lowbias32" constants of C. Wellons, https://nullprogram.com/blog/2018/07/31/). */
export function hash(index: number, seed: number): number {
  let h = (index + Math.imul(seed, 0x9e3779b9)) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return (h ^ (h >>> 16)) >>> 0;
}

/** A number in [0, 1) with 24 bits, so that float32 holds it exactly. */
function unit(index: number, seed: number): number {
  return (hash(index, seed) >>> 8) / 2 ** 24;
}

/** How many elements a shape has. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((n, size) => n * size, 1);
}

/** The elements of an input, row-major, bfloat16 ones still to be rounded; `seed` is its place among the inputs. */
export function elementsOf(input: Input, seed: number): Elements {
  const { dtype = 'float32', low = dtype === 'int32' ? 0 : -1, high = 1 } = input;
  const n = sizeOf(input.shape);
  const range = high - low;
  if (dtype === 'bool') {
    const out = new Uint8Array(n);
    for (let i = 0; i < n; i++) out[i] = unit(i, seed) < 0.5 ? 1 : 0;
    return out;
  }
  const out = dtype === 'int32' ? new Int32Array(n) : dtype === 'float64' ? new Float64Array(n) : new Float32Array(n);
  if (dtype === 'int32') for (let i = 0; i < n; i++) out[i] = low + Math.floor(unit(i, seed) * range);
  else for (let i = 0; i < n; i++) out[i] = low + unit(i, seed) * range;
  return out;
}

/** Of a long result only every so manieth element is compared. */
export const comparedElements = 1 << 20;

/** The step between compared elements of a result: odd, so that no row or column is missed by all. */
export function stepOf(size: number): number {
  return size <= comparedElements ? 1 : Math.ceil(size / comparedElements) | 1;
}

/** The largest difference of two results, relative to the largest value of the second; NaN where they are no numbers. */
export function differenceOf(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  let apart = 0;
  for (let i = 0; i < a.length; i++) {
    const d = Math.abs(a[i] - b[i]);
    if (!(d <= apart)) {
      if (Number.isNaN(d)) return d;
      apart = d;
    }
    const size = Math.abs(b[i]);
    if (size > largest) largest = size;
  }
  return apart === 0 ? 0 : apart / (largest || 1);
}
