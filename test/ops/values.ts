// Drawing the inputs of a case from a seed.
import { type DType, dtypes, type TypedArray } from '../../lib/dtype.js';
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

/** The values as their dtype stores them. */
export function packed({ dtype, data }: Values): TypedArray {
  const out = new dtypes[dtype].array(data.length);
  out.set(dtype === 'bool' ? data.map((v) => Number(v !== 0)) : data);
  return out;
}

/** Shape, dtype and numbers, rounded to what the dtype can hold. */
export function valuesOf(shape: readonly number[], dtype: DType, data: ArrayLike<number>): Values {
  if (data.length !== numel(shape)) throw new Error(`a case gives ${data.length} values for shape [${shape}]`);
  const stored = packed({ shape, dtype, data: Float64Array.from(data) });
  return { shape, dtype, data: Float64Array.from(stored) };
}

/** Unlike numbers in random order: one in the middle half of each of n equal parts of [low, high). */
function distinctNumbers(n: number, low: number, high: number, whole: boolean, random: Sfc32): number[] {
  const out = Array.from({ length: n }, (_, i) =>
    whole ? Math.ceil(low) + i : low + ((i + random.between(0.25, 0.75)) * (high - low)) / n,
  );
  for (let i = n - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
}

/** The numbers of one input. `fallback` is the dtype under test. */
export function draw(spec: InputSpec, fallback: DType, random: Sfc32): Values {
  const dtype = spec.dtype ?? fallback;
  const { shape } = spec;
  if (spec.values !== undefined) return valuesOf(shape, dtype, spec.values);
  const n = numel(shape);
  if (dtype === 'bool')
    return valuesOf(
      shape,
      dtype,
      Array.from({ length: n }, () => Number(random.chance(0.5))),
    );
  const whole = spec.integers === true || !dtypes[dtype].isFloat;
  const index = spec.dtype === 'int32' || spec.dtype === 'uint8';
  let low = spec.low ?? (index ? 0 : -2);
  if (dtype === 'uint8') low = Math.max(0, low);
  let high = spec.high ?? (index ? 10 : 2);
  if (whole) high = Math.max(high, Math.ceil(low) + 1);
  if (spec.distinct) return valuesOf(shape, dtype, distinctNumbers(n, low, high, whole, random));
  if (!whole)
    return valuesOf(
      shape,
      dtype,
      Array.from({ length: n }, () => random.between(low, high)),
    );
  low = Math.ceil(low);
  return valuesOf(
    shape,
    dtype,
    Array.from({ length: n }, () => low + random.below(Math.ceil(high) - low)),
  );
}

/** All inputs of a case. Each has a stream of its own, so that changing one leaves the others as they were. */
export function drawCase(c: Case, dtype: DType, seed: number): Drawn {
  return c.inputs.map((spec, i) => (typeof spec === 'number' ? spec : draw(spec, dtype, new Sfc32(seed, i, 0))));
}

/** Whether some input takes the dtype under test. */
export function followsDType(c: Case): boolean {
  return c.inputs.some((spec) => typeof spec !== 'number' && spec.dtype === undefined);
}

/** Whether some input holds the very numbers of the case. */
export function hasFixedValues(c: Case): boolean {
  return c.inputs.some((spec) => typeof spec !== 'number' && spec.values !== undefined);
}
