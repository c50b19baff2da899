import { fail, show } from './errors.js';

/**
 * Element types of a tensor. `bool` is stored as one byte, 0 or 1. `bfloat16` is the upper half of a float32: half the
 * memory, 8 bits of precision. Tensors of it are stored, moved, converted and multiplied (matmul, linear: float32 results);
 * other ops name `to('float32')` as what to do.
 */
export type DType = 'float32' | 'float64' | 'bfloat16' | 'int32' | 'uint8' | 'bool';

/** The typed array that holds a tensor's data outside of the engine. */
export type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array;

/** The typed array of one dtype; bfloat16, which JavaScript does not have, comes out as float32, exactly. */
export type DataOf<D extends DType> = D extends 'float32' | 'bfloat16'
  ? Float32Array
  : D extends 'float64'
    ? Float64Array
    : D extends 'int32'
      ? Int32Array
      : Uint8Array;

/** What is known of a dtype. */
export interface DTypeInfo {
  /** The number of this dtype in native code. */
  readonly code: number;
  /** Bytes per element. */
  readonly itemSize: number;
  /** Has fractions: gradients exist only for these. */
  readonly isFloat: boolean;
  /** Place in the order bool < uint8 < int32 < bfloat16 < float32 < float64; two dtypes meet at the higher one. */
  readonly rank: number;
  /** The typed array that elements are read into. */
  readonly array: new (
    length: number,
  ) => TypedArray;
  /** The dtype of that array, where it differs. */
  readonly readAs?: DType;
}

/** All dtypes and their properties. */
export const dtypes: Readonly<Record<DType, DTypeInfo>> = {
  float32: { code: 0, itemSize: 4, isFloat: true, rank: 4, array: Float32Array },
  float64: { code: 1, itemSize: 8, isFloat: true, rank: 5, array: Float64Array },
  bfloat16: { code: 5, itemSize: 2, isFloat: true, rank: 3, array: Float32Array, readAs: 'float32' },
  int32: { code: 2, itemSize: 4, isFloat: false, rank: 2, array: Int32Array },
  uint8: { code: 3, itemSize: 1, isFloat: false, rank: 1, array: Uint8Array },
  bool: { code: 4, itemSize: 1, isFloat: false, rank: 0, array: Uint8Array },
};

/** Checks a dtype given by a caller. Throws for anything that is not the name of one. */
export function checkDType(op: string, value: unknown): DType {
  if (typeof value === 'string' && Object.hasOwn(dtypes, value)) return value as DType;
  return fail(op, `dtype must be one of ${Object.keys(dtypes).join(', ')}`, show(value));
}

/** Checks that a number given by a caller can be held by a dtype: whole and in range for an integer one. */
export function checkFits(op: string, value: number, dtype: DType): number {
  if (dtypes[dtype].isFloat || dtype === 'bool') return value;
  const [low, high] = dtype === 'uint8' ? [0, 255] : [-2147483648, 2147483647];
  if (Number.isInteger(value) && value >= low && value <= high) return value;
  return fail(op, `an element does not fit ${dtype}`, show(value));
}

/** An array for `length` elements. Throws when that is more than JavaScript can hold. */
export function hostArray(op: string, dtype: DType, length: number): TypedArray {
  try {
    return new dtypes[dtype].array(length);
  } catch {
    return fail(op, 'more elements than a typed array can hold', `${length} of ${dtype}`);
  }
}

/** The dtype that two operands meet at: the one further along bool, uint8, int32, bfloat16, float32, float64. */
export function promote(a: DType, b: DType): DType {
  return dtypes[a].rank >= dtypes[b].rank ? a : b;
}

/** The dtype at which a tensor of dtype `a` meets a plain number: a number only promotes what cannot hold its kind. */
export function promoteNumber(a: DType, value: number): DType {
  if (dtypes[a].isFloat) return a;
  if (!Number.isInteger(value) || Math.abs(value) > 2147483647) return 'float32';
  if (a === 'int32' || (a === 'uint8' && value >= 0 && value <= 255)) return a;
  return 'int32';
}
