// The random stream of native/core/philox.h, word by word: what the references of random rows draw from.
import type { GeneratorState } from '../../random.js';

const mask = 0xffffffffn;

/** The four words of one block: Philox4x32-10 of a 64-bit counter and a 32-bit purpose. */
function block(seed: number, counter: bigint, purpose: number): readonly number[] {
  let key0 = BigInt(seed) & mask;
  let key1 = BigInt(seed) >> 32n;
  let [a, b, c, d] = [counter & mask, counter >> 32n, BigInt(purpose), 0n];
  for (let round = 0; round < 10; round++) {
    const left = a * 0xd2511f53n;
    const right = c * 0xcd9e8d57n;
    [a, b, c, d] = [(right >> 32n) ^ b ^ key0, right & mask, (left >> 32n) ^ d ^ key1, left & mask];
    key0 = (key0 + 0x9e3779b9n) & mask;
    key1 = (key1 + 0xbb67ae85n) & mask;
  }
  return [a, b, c, d].map(Number);
}

/** Word i of a stream, or its replacement number `purpose` when it was rejected. */
export function randomWord({ seed, offset }: GeneratorState, i: number, purpose = 0): number {
  return block(seed, BigInt(offset) + BigInt(Math.floor(i / 4)), purpose)[i % 4];
}

/** A stream as the attributes that random kernels begin with. */
export function packStream({ seed, offset }: GeneratorState): number[] {
  return [seed % 2 ** 32, Math.floor(seed / 2 ** 32), offset];
}

/** A whole number below `range`, from word i: Lemire's method, which draws again where the numbers would not be equally likely. */
export function randomBelow(state: GeneratorState, i: number, range: number): number {
  const wide = BigInt(range);
  const rejected = 2n ** 32n % wide;
  let product = BigInt(randomWord(state, i)) * wide;
  for (let purpose = 1; (product & mask) < rejected; purpose++) product = BigInt(randomWord(state, i, purpose)) * wide;
  return Number(product >> 32n);
}
