// Checks of what layers are constructed with. Each names the layer, what is wrong and what was given.
import { checkDevice } from '../device.js';
import { checkDType, type DType } from '../dtype.js';
import { fail, show } from '../errors.js';
import { checkInteger } from '../shape.js';

export { checkFlag, checkOptions, withDefaults } from '../options.js';

/** One positive whole number. */
export function checkCount(layer: string, what: string, value: unknown): number {
  return checkInteger(layer, what, value, 1);
}

/** A whole number, negative ones too: an axis of a tensor not yet known. */
export function checkWhole(layer: string, what: string, value: unknown): number {
  if (Number.isInteger(value)) return value as number;
  return fail(layer, `${what} must be a whole number`, show(value));
}

/** A finite number in [min, max]. */
export function checkNumber(layer: string, what: string, value: unknown, min = -Infinity, max = Infinity): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= min && value <= max) return value;
  const range =
    min === -Infinity && max === Infinity ? '' : max === Infinity ? ` of ${min} or more` : ` from ${min} to ${max}`;
  return fail(layer, `${what} must be a number${range}`, show(value));
}

/** One of some names. */
export function checkName<T extends string>(layer: string, what: string, value: unknown, names: readonly T[]): T {
  if (names.includes(value as T)) return value as T;
  return fail(layer, `${what} must be ${names.map((name) => `"${name}"`).join(' or ')}`, show(value));
}

/** A size for each spatial dimension: one number for all of them, or a list of `count`. */
export function checkSizes(layer: string, what: string, value: unknown, count: number, min: number): number[] {
  if (!Array.isArray(value)) return new Array<number>(count).fill(checkInteger(layer, what, value, min));
  if (value.length !== count) fail(layer, `${what} must be one number or ${count} of them`, show(value));
  return value.map((size) => checkInteger(layer, what, size, min));
}

/** The dtype of a layer's parameters: a float one. */
export function checkFloat(layer: string, options: { readonly dtype?: DType; readonly device?: string }): DType {
  if (options.device !== undefined) checkDevice(layer, options.device);
  const dtype = options.dtype === undefined ? 'float32' : checkDType(layer, options.dtype);
  return dtype === 'float32' || dtype === 'float64'
    ? dtype
    : fail(layer, 'dtype must be float32 or float64', show(dtype));
}
