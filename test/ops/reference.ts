// What a call should give, from the row's float64 reference, and how what it gave is compared with that.
import type { Meta, Op, RefArray } from '../../lib/define.js';
import { applyAll } from '../../lib/dispatch.js';
import { type DType, dtypes, type TypedArray } from '../../lib/dtype.js';
import { formatShape, numel, sameShape } from '../../lib/shape.js';
import type { Tensor } from '../../lib/tensor.js';
import { laidOut } from './layouts.js';
import { type Tolerance, toleranceOf } from './tolerance.js';
import { type Drawn, isNumber, valuesOf } from './values.js';

// Named here since jest puts a slow door before globals, and these run for every element.
const { abs, fround } = Math;
const { isFinite: finite, isNaN: nan } = Number;
const { is } = Object;

export interface Expected {
  readonly meta: Meta;
  /** In float64, not rounded to the output's dtype. */
  readonly data: Float64Array;
  readonly tolerance: Tolerance;
}

/** Shapes and dtypes as the engine shows them to the row: a number takes the dtype of the tensors beside it. */
export function metasOf(drawn: Drawn): Meta[] {
  const first = drawn.find((x) => !isNumber(x)) as Meta | undefined;
  return drawn.map((x) => (isNumber(x) ? { shape: [], dtype: first?.dtype ?? 'float32' } : x));
}

/** What the row says comes out of a call; its errors are thrown. */
export function inferred(op: Op<never>, drawn: Drawn, attrs: unknown): Meta[] {
  const result = op.infer(metasOf(drawn), attrs as never) as Meta | readonly Meta[];
  return Array.isArray(result) ? [...result] : [result as Meta];
}

/** Whole numbers wrap around in the reference as they do in memory. */
function wrapped(value: number, dtype: DType): number {
  if (dtype === 'int32') return value | 0;
  if (dtype === 'uint8') return value & 255;
  return dtype === 'bool' ? Number(value !== 0) : value;
}

/** What an opaque row gives is held against what it gives for dense inputs of the same values. */
function ofDenseInputs(op: Op<never>, drawn: Drawn, attrs: unknown): RefArray[] {
  const inputs = drawn.map((x) => (isNumber(x) ? x : laidOut(x, 'contiguous')));
  return applyAll(op, inputs, attrs as never).map((t) => ({ shape: t.shape, data: Float64Array.from(t.dataSync()) }));
}

/** Runs the reference. */
export function expectedOf(op: Op<never>, drawn: Drawn, attrs: unknown): Expected[] {
  const inputs = metasOf(drawn);
  const outputs = inferred(op, drawn, attrs);
  const arrays = drawn.map((x, i) =>
    isNumber(x)
      ? { shape: [], data: valuesOf([], inputs[i].dtype, [x]).data }
      : { shape: x.shape, data: x.data.slice() },
  );
  const result = op.ref(arrays, attrs as never) as RefArray | readonly RefArray[];
  const refs = op.opaque ? ofDenseInputs(op, drawn, attrs) : Array.isArray(result) ? result : [result as RefArray];
  if (refs.length !== outputs.length)
    throw new Error(`the reference gives ${refs.length} outputs, the shape rule ${outputs.length}`);
  let largest = 0;
  for (const { data } of arrays) for (const v of data) if (abs(v) > largest && finite(v)) largest = abs(v);
  return refs.map(({ shape, data }, k) => {
    const meta = outputs[k];
    if (!sameShape(shape, meta.shape) || data.length !== numel(shape)) {
      throw new Error(
        `reference and shape rule differ: ${formatShape(shape)} (${data.length} elements) and ${formatShape(meta.shape)}`,
      );
    }
    return {
      meta,
      data: dtypes[meta.dtype].isFloat ? data : data.map((v: number) => wrapped(v, meta.dtype)),
      tolerance: toleranceOf(op, attrs as never, inputs, outputs, meta, largest),
    };
  });
}

function isClose(found: number, wanted: number, { relative, absolute }: Tolerance, dtype: DType): boolean {
  if (nan(wanted)) return nan(found);
  const stored = dtype === 'float32' ? fround(wanted) : wanted;
  if (!finite(stored) || !finite(found)) {
    // Past the largest number of the dtype a rounding decides between it and infinity.
    return stored === found || (dtype === 'float32' && abs(wanted - found) <= relative * abs(wanted));
  }
  return abs(found - wanted) <= relative * abs(wanted) + absolute;
}

function place(index: number, shape: readonly number[]): string {
  const at: number[] = [];
  for (let d = shape.length - 1, rest = index; d >= 0; d--) {
    at.unshift(rest % shape[d]);
    rest = Math.floor(rest / shape[d]);
  }
  return formatShape(at);
}

/** How comparisons may be stricter than usual. */
export interface Strictness {
  /** 0 and -0 differ. */
  readonly signedZero?: boolean;
}

/** Throws at the first element that is not close to what was expected. */
export function compareData(found: TypedArray, expected: Expected, { signedZero = false }: Strictness = {}): void {
  const { meta, data, tolerance } = expected;
  let wrong = 0;
  let first = -1;
  for (let i = 0; i < data.length; i++) {
    const zeroDiffers = signedZero && data[i] === 0 && found[i] === 0 && !is(data[i], found[i]);
    if (!zeroDiffers && isClose(found[i], data[i], tolerance, meta.dtype)) continue;
    if (first < 0) first = i;
    wrong++;
  }
  if (wrong === 0) return;
  const show = (v: number) => (Object.is(v, -0) ? '-0' : String(v));
  const allowed = tolerance.relative * Math.abs(data[first]) + tolerance.absolute;
  throw new Error(
    `${wrong} of ${data.length} elements differ, the first at ${place(first, meta.shape)}: ` +
      `${show(found[first])}, expected ${show(data[first])} (difference ${Math.abs(found[first] - data[first])}, allowed ${allowed})`,
  );
}

/** Throws unless the tensors are what was expected; reads them. */
export function compareTensors(
  outputs: readonly Tensor[],
  expected: readonly Expected[],
  strictness?: Strictness,
): void {
  if (outputs.length !== expected.length) throw new Error(`${outputs.length} outputs, expected ${expected.length}`);
  outputs.forEach((out, k) => {
    const { meta } = expected[k];
    if (!sameShape(out.shape, meta.shape) || out.dtype !== meta.dtype) {
      throw new Error(`output ${k} is ${out.describe()}, expected ${formatShape(meta.shape)} ${meta.dtype}`);
    }
    try {
      compareData(out.dataSync(), expected[k], strictness);
    } catch (error) {
      throw new Error(`output ${k} (${out.describe()}): ${(error as { message: string }).message}`);
    }
  });
}
