// Elements of types that tensors here do not have, in types that they have.
import type { FileDType, StoredDType } from './header.js';

/** What a type is read as; types that are not in the list are read as they are, or cannot be read. */
const READ_AS: Partial<Record<FileDType, StoredDType>> = {
  int8: 'int32',
  int16: 'int32',
  int64: 'int32',
  uint16: 'int32',
  uint32: 'int32',
  uint64: 'int32',
  float16: 'float32',
};

/** Which dtype the elements of a file become, or undefined when they cannot be had in any. */
export function convertedDType(dtype: FileDType): StoredDType | undefined {
  return READ_AS[dtype];
}

/** The 32 bits of the float32 that a float16 is (IEEE 754 binary16: 1 sign, 5 exponent and 10 fraction bits). */
function widened(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >> 10) & 31;
  const fraction = half & 0x3ff;
  if (exponent === 31) return sign | 0x7f800000 | (fraction << 13);
  if (exponent > 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  // A denormal is a normal number in float32: its first set bit becomes the one that is not written.
  const up = Math.clz32(fraction) - 21;
  return sign | ((113 - up) << 23) | (((fraction << up) & 0x3ff) << 13);
}

/** Throws unless each element of two words, low and high, is a 32-bit one; those are returned. */
function narrowed(words: Int32Array, signed: boolean): Int32Array {
  return Int32Array.from({ length: words.length / 2 }, (_, i) => {
    const low = words[2 * i];
    const high = words[2 * i + 1];
    if (signed ? high === low >> 31 : high === 0 && low >= 0) return low;
    const exact = (BigInt(signed ? high : high >>> 0) << 32n) | BigInt(low >>> 0);
    throw new Error(`element ${i} is ${exact}, which does not fit int32`);
  });
}

/**
 * The elements as {@link convertedDType} says. `bytes` must begin its buffer. Throws for a whole number that does not fit
 * int32.
 */
export function convert(dtype: FileDType, { buffer }: Uint8Array): Int32Array | Uint32Array {
  switch (dtype) {
    case 'int8':
      return Int32Array.from(new Int8Array(buffer));
    case 'int16':
      return Int32Array.from(new Int16Array(buffer));
    case 'uint16':
      return Int32Array.from(new Uint16Array(buffer));
    case 'uint32': {
      const words = new Int32Array(buffer);
      const at = words.findIndex((word) => word < 0);
      if (at >= 0) throw new Error(`element ${at} is ${words[at] >>> 0}, which does not fit int32`);
      return words;
    }
    case 'int64':
      return narrowed(new Int32Array(buffer), true);
    case 'uint64':
      return narrowed(new Int32Array(buffer), false);
    default:
      return Uint32Array.from(new Uint16Array(buffer), widened);
  }
}
