// Drawing the inputs of a case from a seed.
import { type DType, dtypes, type TypedArray } from '../../lib/dtype.js';
import { roundedToBfloat16 } from '../../lib/ops/make/bfloat16.js';
import { Sfc32 } from '../../lib/sfc32.js';
import { numel } from '../../lib/shape.js';
import type { Case, InputSpec } from './case.js';

/** A tensor to be: what it holds, exactly as its dtype can hold it. */
export interface Values {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly data: Float64Array;
}

/** What a call gets: tensors to be, and numbers. */
export type Drawn = readonly (Values | number)[];

export const isNumber = (x: Values | number): x is number => typeof x === 'number';

/** The values as their dtype stores them; bfloat16 in float32. */
export function packed({ dtype, data }: Values): TypedArray {
  const out = new dtypes[dtype].array(data.length);
  if (dtype === 'bool') out.set(data.map((v) => Number(v !== 0)));
  else out.set(dtype === 'bfloat16' ? data.map(roundedToBfloat16) : data);
  return out;
}

/** Shape, dtype and numbers, rounded to what the dtype can hold. */
export function valuesOf(shape: readonly number[], dtype: DType, data: ArrayLike<number>): Values {
  if (data.length !== numel(shape)) throw new Error(`a case gives ${data.length} values for shape [${shape}]`);
  return { shape, dtype, data: new Float64Array(packed({ shape, dtype, data: Float64Array.from(data) })) };
}

/** Unlike numbers in random order: one in the middle half of each of n equal parts of [low, high). */
function distinctNumbers(n: number, low: number, high: number, whole: boolean, random: Sfc32): number[] {
  const first = Math.ceil(low);
  const out = Array.from({ length: n }, (_, i) =>
    whole ? first + i : low + ((i + random.between(0.25, 0.75)) * (high - low)) / n,
  );
  for (let i = n - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
}

/** How the numbers of an input are drawn, one by one. */
function drawer(spec: InputSpec, dtype: DType, random: Sfc32): () => number {
  if (dtype === 'bool') return () => (random.chance(0.5) ? 1 : 0);
  const { low, high, whole } = boundsOf(spec, dtype);
  return whole ? () => low + random.below(high - low) : () => random.between(low, high);
}

/** The range of an input: whole numbers at its ends for a dtype of whole numbers, at least one between them. */
function boundsOf(spec: InputSpec, dtype: DType): { low: number; high: number; whole: boolean } {
  const index = spec.dtype === 'int32' || spec.dtype === 'uint8';
  const whole = spec.integers === true || !dtypes[dtype].isFloat;
  const low = spec.low ?? (index ? 0 : -2);
  const high = spec.high ?? (index ? 10 : 2);
  if (!whole) return { low, high, whole };
  const first = Math.ceil(dtype === 'uint8' ? Math.max(0, low) : low);
  return { low: first, high: Math.max(Math.ceil(high), first + 1), whole };
}

/** The numbers of one input. `fallback` is the dtype under test. */
export function draw(spec: InputSpec, fallback: DType, random: Sfc32): Values {
  const dtype = spec.dtype ?? fallback;
  const { shape } = spec;
  if (spec.values !== undefined) return valuesOf(shape, dtype, spec.values);
  const n = numel(shape);
  if (spec.distinct && dtype !== 'bool') {
    const { low, high, whole } = boundsOf(spec, dtype);
    return valuesOf(shape, dtype, distinctNumbers(n, low, high, whole, random));
  }
  const next = drawer(spec, dtype, random);
  const data = new Float64Array(n);
  for (let i = 0; i < n; i++) data[i] = next();
  return valuesOf(shape, dtype, data);
}

/** All inputs of a case. Each has a stream of its own, so that changing one leaves the others as they were. */
export function drawCase(c: Case, dtype: DType, seed: number): Drawn {
  return c.inputs.map((spec, i) => (typeof spec === 'number' ? spec : draw(spec, dtype, new Sfc32(seed, i, 0))));
}

/** Whether some input takes the dtype under test. */
export function followsDType(c: Case): boolean {
  return c.inputs.some((spec) => typeof spec !== 'number' && spec.dtype === undefined);
}
