// Reading the golden files that make.py writes, and comparing with them.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DType, type Tensor, tensor } from '../../lib/index.js';

/** A tensor in a golden file; int8 stands for its values times `scale`. */
export interface GoldenArray {
  readonly dtype: 'float64' | 'float32' | 'int32' | 'int8';
  readonly shape: number[];
  readonly data: string;
  readonly scale?: number;
}

export type GoldenArrays = Record<string, GoldenArray>;

/** A golden file's content. */
export function golden<T>(name: string): T {
  return JSON.parse(readFileSync(join(__dirname, `${name}.json`), 'utf8'));
}

/** The values of a golden array. */
export function valuesOf({ dtype, data, scale = 1 }: GoldenArray): Float64Array {
  const bytes = Buffer.from(data, 'base64');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (dtype === 'int8') return Float64Array.from(bytes, (_, i) => view.getInt8(i) * scale);
  const size = dtype === 'float64' ? 8 : 4;
  return Float64Array.from({ length: bytes.byteLength / size }, (_, i) => {
    if (dtype === 'float64') return view.getFloat64(8 * i, true);
    return dtype === 'float32' ? view.getFloat32(4 * i, true) : view.getInt32(4 * i, true);
  });
}

/** A golden array as a tensor: integers as int32, the rest in the given dtype. */
export function tensorOf(array: GoldenArray, dtype: DType): Tensor {
  const values = valuesOf(array);
  if (array.dtype === 'int32') return tensor(Int32Array.from(values), { shape: array.shape });
  return tensor(values, { shape: array.shape, dtype });
}

/** How far a tensor is from what was expected. */
export interface Errors {
  /** The largest difference as a fraction of the largest value. */
  readonly worst: number;
  /** The root mean square of the differences as a fraction of that of the values. */
  readonly rms: number;
}

/** The errors of a tensor; where all values should be 0, the differences themselves. */
export function errorsOf(found: Tensor | null, expected: GoldenArray): Errors {
  expect(found?.shape).toEqual(expected.shape);
  const want = valuesOf(expected);
  const got = (found as Tensor).dataSync();
  let largest = 0;
  let worst = 0;
  let squares = 0;
  let squaredDifferences = 0;
  for (let i = 0; i < want.length; i++) {
    const difference = Math.abs(got[i] - want[i]);
    largest = Math.max(largest, Math.abs(want[i]));
    // Not Math.max: it would lose a NaN to the next comparison.
    if (!(difference <= worst)) worst = difference;
    squares += want[i] ** 2;
    squaredDifferences += difference ** 2;
  }
  return { worst: worst / (largest || 1), rms: Math.sqrt(squaredDifferences / (squares || want.length || 1)) };
}

/** {@link Errors.worst} of a tensor. */
export function errorOf(found: Tensor | null, expected: GoldenArray): number {
  return errorsOf(found, expected).worst;
}

/** Expects every named tensor to be within the tolerances, and none to be missing. */
export function expectAll(found: Record<string, Tensor | null>, expected: GoldenArrays, tolerance: Errors): void {
  expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
  const errors = Object.entries(expected).map(([name, want]) => ({ name, ...errorsOf(found[name], want) }));
  expect(errors.filter(({ worst, rms }) => !(worst <= tolerance.worst && rms <= tolerance.rms))).toEqual([]);
}
