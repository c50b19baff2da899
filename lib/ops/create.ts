import { types } from 'node:util';
import { collectGarbage } from '../collect.js';
import { context } from '../context.js';
import { checkDevice, currentDevice, type DeviceName, onDevice } from '../device.js';
import { checkDType, checkFits, type DType, dtypes, hostArray, type TypedArray } from '../dtype.js';
import { fail, show } from '../errors.js';
import { Block, block, native } from '../native.js';
import { checkFlag, checkOptions } from '../options.js';
import { checkInteger, checkShape, contiguousStrides, formatShape, maxDims, numel, type Shape } from '../shape.js';
import { Storage } from '../storage.js';
import { Tensor } from '../tensor.js';
import { checkTensor } from './axes.js';
import { filled } from './filled.js';

/** What a tensor can be made from: a number, nested arrays of one shape, or a typed array. */
export type TensorData = number | boolean | readonly TensorData[] | TypedArray;

/** How a tensor is made. */
export interface TensorOptions {
  /** Default: the typed array's own, bool for booleans, float32 for other numbers. */
  readonly dtype?: DType;
  /** "cpu", "cuda" or "cuda:N". Default: what setDefaultDevice() said, "cpu" before that. */
  readonly device?: DeviceName;
  /** Make it a leaf that gradients are computed for. Default false. */
  readonly requiresGrad?: boolean;
}

/** @internal Applies what all makers have in common. */
export function finish(op: string, t: Tensor, options: TensorOptions): Tensor {
  if (options.requiresGrad) {
    if (!t.isFloat) fail(op, 'only float tensors have gradients', t.describe());
    t.requiresGrad = true;
  }
  return t;
}

/** @internal The keys of {@link TensorOptions}. */
export const tensorOptions = ['dtype', 'device', 'requiresGrad'] as const;

/** @internal Checks the options of a maker, which has those that all have and perhaps more; returns the dtype. */
export function dtypeOf<O extends TensorOptions>(
  op: string,
  options: O,
  otherwise: DType,
  known: readonly (keyof O & string)[] = tensorOptions,
): DType {
  checkOptions(op, options, known);
  if (options.device !== undefined) checkDevice(op, options.device);
  if (options.requiresGrad !== undefined) checkFlag(op, 'requiresGrad', options.requiresGrad);
  return options.dtype === undefined ? otherwise : checkDType(op, options.dtype);
}

function typedDType(data: unknown): DType | undefined {
  if (types.isFloat32Array(data)) return 'float32';
  if (types.isFloat64Array(data)) return 'float64';
  if (types.isInt32Array(data)) return 'int32';
  if (types.isUint8Array(data) || types.isUint8ClampedArray(data)) return 'uint8';
  return undefined;
}

/** A detached buffer (transferred to another thread) looks like an empty one; only touching it tells. */
function checkAttached(op: string, data: ArrayBufferView): void {
  if (data.byteLength > 0) return;
  try {
    new Uint8Array(data.buffer as ArrayBuffer);
  } catch {
    fail(op, "the typed array's buffer is detached (was it transferred?)", show(data));
  }
}

/** @internal A tensor that holds a copy of the typed array's bytes. */
export function upload(op: string, data: ArrayBufferView, shape: Shape, dtype: DType): Tensor {
  const device = currentDevice();
  let handle = native.upload(data, device);
  if (typeof handle === 'string') {
    collectGarbage(); // what it held may have been all that was missing
    handle = native.upload(data, device);
    if (typeof handle === 'string') fail(op, handle);
  } else if (block[Block.collect] !== 0) collectGarbage();
  const t = new Tensor(new Storage(handle, data.byteLength, device), shape, contiguousStrides(shape), 0, dtype);
  context().scope?.push(t);
  return t;
}

/** The tensor in a dtype, in place of one that nobody else has seen. */
function converted(t: Tensor, dtype: DType): Tensor {
  if (t.dtype === dtype) return t;
  const out = t.cast(dtype);
  t.dispose();
  return out;
}

/** The dtype in which numbers are written down before they become `dtype`: float64 where no typed array has that. */
const written = (dtype: DType): DType => (dtypes[dtype].readAs === undefined ? dtype : 'float64');

function nestedShape(data: unknown): number[] {
  const shape: number[] = [];
  for (let level = data; Array.isArray(level); level = level[0]) {
    shape.push(level.length);
    if (level.length === 0 || shape.length > maxDims) break;
  }
  return shape;
}

function fillFrom(out: TypedArray, data: unknown, shape: Shape, dtype: DType): void {
  let at = 0;
  const visit = (value: unknown, d: number): void => {
    if (d < shape.length) {
      if (!Array.isArray(value) || value.length !== shape[d]) {
        const given = Array.isArray(value) ? `${value.length} items` : show(value);
        fail('tensor', `nested arrays must have one shape: at depth ${d} ${shape[d]} items were expected`, given);
      }
      for (const item of value) visit(item, d + 1);
      return;
    }
    if (typeof value !== 'number' && typeof value !== 'boolean') {
      fail('tensor', 'elements must be numbers or booleans of one nesting', show(value));
    }
    const number = Number(value);
    out[at] = dtype === 'bool' ? Number(number !== 0) : checkFits('tensor', number, dtype);
    at++;
  };
  visit(data, 0);
}

/**
 * A new tensor with a copy of `data`. A typed array makes a vector, or the given `shape`.
 * Throws on ragged nesting, elements that are not numbers, elements that do not fit an integer dtype, a shape of another
 * number of elements, and detached buffers.
 */
export function tensor(data: TensorData | Tensor, options: TensorOptions & { readonly shape?: Shape } = {}): Tensor {
  if (data instanceof Tensor)
    fail('tensor', 'the data is a tensor already; use clone(), detach() or cast()', data.describe());
  const own = typedDType(data);
  if (own !== undefined) {
    const dtype = dtypeOf('tensor', options, own, [...tensorOptions, 'shape']);
    const array = data as TypedArray;
    checkAttached('tensor', array);
    const shape = options.shape === undefined ? [array.length] : [...checkShape('tensor', options.shape)];
    if (numel(shape) !== array.length) {
      fail('tensor', 'shape and data differ in their number of elements', `${formatShape(shape)} and ${array.length}`);
    }
    const t = onDevice('tensor', options.device, () => upload('tensor', array, shape, own));
    return finish('tensor', converted(t, dtype), options);
  }
  if (typeof data !== 'number' && typeof data !== 'boolean' && !Array.isArray(data)) {
    fail('tensor', 'data must be a number, nested arrays, or a Float32, Float64, Int32 or Uint8 array', show(data));
  }
  const nested = nestedShape(data);
  if (nested.length > maxDims) fail('tensor', `a tensor has at most ${maxDims} dimensions`, 'deeper nested arrays');
  let first: unknown = data;
  while (Array.isArray(first)) first = first[0];
  const dtype = dtypeOf('tensor', options, typeof first === 'boolean' ? 'bool' : 'float32', [
    ...tensorOptions,
    'shape',
  ]);
  const array = hostArray('tensor', written(dtype), numel(nested));
  fillFrom(array, data, nested, dtype);
  const t = onDevice('tensor', options.device, () => converted(upload('tensor', array, nested, written(dtype)), dtype));
  return finish('tensor', options.shape === undefined ? t : t.reshape(checkShape('tensor', options.shape)), options);
}

function makeFilled(op: string, shape: Shape, value: number, dtype: DType, options: TensorOptions): Tensor {
  return onDevice(op, options.device, () => filled([...checkShape(op, shape)], value, dtype));
}

/** A tensor of this shape with `value` everywhere; float32 unless said otherwise. Throws when the dtype cannot hold it. */
export function full(shape: Shape, value: number, options: TensorOptions = {}): Tensor {
  const dtype = dtypeOf('full', options, 'float32');
  if (typeof value !== 'number') fail('full', 'value must be a number', show(value));
  checkFits('full', value, dtype);
  return finish('full', makeFilled('full', shape, value, dtype, options), options);
}

/** A tensor of zeros; float32 unless said otherwise. */
export function zeros(shape: Shape, options: TensorOptions = {}): Tensor {
  const dtype = dtypeOf('zeros', options, 'float32');
  return finish('zeros', makeFilled('zeros', shape, 0, dtype, options), options);
}

/** A tensor of ones; float32 unless said otherwise. */
export function ones(shape: Shape, options: TensorOptions = {}): Tensor {
  const dtype = dtypeOf('ones', options, 'float32');
  return finish('ones', makeFilled('ones', shape, 1, dtype, options), options);
}

/** Zeros in the shape and dtype of `like`, where it is. */
export function zerosLike(like: Tensor, options: TensorOptions = {}): Tensor {
  checkTensor('zerosLike', like, 'like');
  const dtype = dtypeOf('zerosLike', options, like.dtype);
  return finish(
    'zerosLike',
    makeFilled('zerosLike', like.shape, 0, dtype, { device: like.device, ...options }),
    options,
  );
}

/** Ones in the shape and dtype of `like`, where it is. */
export function onesLike(like: Tensor, options: TensorOptions = {}): Tensor {
  checkTensor('onesLike', like, 'like');
  const dtype = dtypeOf('onesLike', options, like.dtype);
  return finish('onesLike', makeFilled('onesLike', like.shape, 1, dtype, { device: like.device, ...options }), options);
}

/** Options of {@link arange}. */
export interface ArangeOptions extends TensorOptions {
  /** Default 1. May be negative, not 0. */
  readonly step?: number;
}

/**
 * start, start + step, ... as long as they are below `end` (above it, for a negative step); `arange(n)` counts from 0.
 * int32 when all three are whole numbers, else float32. Throws on a step of 0, numbers that are not finite, and elements that
 * do not fit an integer dtype.
 */
export function arange(end: number, options?: ArangeOptions): Tensor;
export function arange(start: number, end: number, options?: ArangeOptions): Tensor;
export function arange(first: number, second?: number | ArangeOptions, third: ArangeOptions = {}): Tensor {
  const counts = second === undefined || typeof second === 'object';
  const options = checkOptions('arange', typeof second === 'object' ? second : third, [...tensorOptions, 'step']);
  const [from, to] = counts ? [0, first] : [first, second];
  const { step = 1 } = options;
  if (![from, to, step].every(Number.isFinite) || step === 0) {
    fail('arange', 'start, end and step must be finite and step not 0', [from, to, step].map(show).join(', '));
  }
  const whole = [from, to, step].every(Number.isInteger);
  const dtype = dtypeOf('arange', options, whole ? 'int32' : 'float32', [...tensorOptions, 'step']);
  const n = Math.max(0, Math.ceil((to - from) / step));
  const array = hostArray('arange', written(dtype), n);
  for (let i = 0; i < n; i++) array[i] = checkFits('arange', from + i * step, dtype);
  const t = onDevice('arange', options.device, () => converted(upload('arange', array, [n], written(dtype)), dtype));
  return finish('arange', t, options);
}

/**
 * `count` numbers evenly spaced from `start` to `end`, both included; float32 unless said otherwise. Throws on ends that
 * are not finite and on elements that do not fit an integer dtype.
 */
export function linspace(start: number, end: number, count: number, options: TensorOptions = {}): Tensor {
  const dtype = dtypeOf('linspace', options, 'float32');
  checkInteger('linspace', 'count', count);
  if (!Number.isFinite(start) || !Number.isFinite(end))
    fail('linspace', 'ends must be finite', `${show(start)} to ${show(end)}`);
  const array = hostArray('linspace', written(dtype), count);
  for (let i = 0; i < count; i++) {
    // From both ends, so that the last value is `end` itself.
    const value =
      2 * i < count - 1 || count === 1
        ? start + (i * (end - start)) / Math.max(1, count - 1)
        : end - ((count - 1 - i) * (end - start)) / (count - 1);
    array[i] = checkFits('linspace', value, dtype);
  }
  const t = onDevice('linspace', options.device, () =>
    converted(upload('linspace', array, [count], written(dtype)), dtype),
  );
  return finish('linspace', t, options);
}

/** The identity matrix of `rows` x `columns` (default: square); float32 unless said otherwise. */
export function eye(rows: number, columns = rows, options: TensorOptions = {}): Tensor {
  const dtype = dtypeOf('eye', options, 'float32');
  checkInteger('eye', 'rows', rows);
  checkInteger('eye', 'columns', columns);
  const array = hostArray('eye', written(dtype), rows * columns);
  for (let i = 0; i < Math.min(rows, columns); i++) array[i * columns + i] = 1;
  const t = onDevice('eye', options.device, () =>
    converted(upload('eye', array, [rows, columns], written(dtype)), dtype),
  );
  return finish('eye', t, options);
}
