import { constants } from 'node:buffer';
import { AthanorError } from '../errors.js';
import { formatBytes, messageOf, openBytes } from './bytes.js';
import { checkPath } from './file.js';

/** An array read from an idx file: row-major, in this machine's byte order. */
export type IdxArray =
  | { readonly dtype: 'uint8'; readonly shape: readonly number[]; readonly data: Uint8Array }
  | { readonly dtype: 'int8'; readonly shape: readonly number[]; readonly data: Int8Array }
  | { readonly dtype: 'int16'; readonly shape: readonly number[]; readonly data: Int16Array }
  | { readonly dtype: 'int32'; readonly shape: readonly number[]; readonly data: Int32Array }
  | { readonly dtype: 'float32'; readonly shape: readonly number[]; readonly data: Float32Array }
  | { readonly dtype: 'float64'; readonly shape: readonly number[]; readonly data: Float64Array };

/** The third byte of the file names the element type. */
const TYPES = new Map([
  [0x08, { dtype: 'uint8', array: Uint8Array }],
  [0x09, { dtype: 'int8', array: Int8Array }],
  [0x0b, { dtype: 'int16', array: Int16Array }],
  [0x0c, { dtype: 'int32', array: Int32Array }],
  [0x0d, { dtype: 'float32', array: Float32Array }],
  [0x0e, { dtype: 'float64', array: Float64Array }],
] as const);

/** Deflate cannot shrink data further than this: a match of 258 bytes costs at least two bits. */
const MOST_SHRUNK = 1032;

const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex').replace(/../g, '$& ').trim();

/** idx stores the high byte first. */
function toNativeOrder(bytes: Uint8Array, elementSize: number): void {
  if (!littleEndian || elementSize === 1) return;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (elementSize === 2) buffer.swap16();
  else if (elementSize === 4) buffer.swap32();
  else buffer.swap64();
}

interface Reader {
  read(into: Uint8Array): Promise<number>;
  readonly gzipped: boolean;
  readonly storedSize: number;
}

async function readArray(source: Reader): Promise<IdxArray> {
  const magic = new Uint8Array(4);
  const got = await source.read(magic);
  if (got < 4) throw new Error(`too short for an idx header: ${formatBytes(got)}`);
  const type = TYPES.get(magic[2] as 8);
  if (magic[0] !== 0 || magic[1] !== 0 || type === undefined || magic[3] === 0) {
    throw new Error(
      `not an idx file: it begins with ${hex(magic)}, expected 00 00, a type (08 09 0b 0c 0d 0e), the number of dimensions`,
    );
  }
  const dims = Buffer.alloc(4 * magic[3]);
  const dimBytes = await source.read(dims);
  if (dimBytes < dims.length) {
    throw new Error(`truncated header: ${magic[3]} dimensions announced, ${formatBytes(dimBytes)} follow`);
  }
  const shape = Array.from({ length: magic[3] }, (_, i) => dims.readUInt32BE(4 * i));
  const elementSize = type.array.BYTES_PER_ELEMENT;
  const size = shape.reduce((product, dim) => product * dim, elementSize);
  const what = `${type.dtype} [${shape.join(', ')}]`;
  // Checked before anything is allocated: a broken header can announce far more than memory holds.
  const headerSize = 4 + dims.length;
  const most = source.gzipped ? source.storedSize * MOST_SHRUNK : source.storedSize - headerSize;
  if (size > most || size > constants.MAX_LENGTH) {
    const holds = source.gzipped
      ? `the gzip file of ${formatBytes(source.storedSize)} can hold ${formatBytes(most)} at most`
      : `the file holds ${formatBytes(most)} after the header`;
    const limit = size > most ? holds : `an array holds ${formatBytes(constants.MAX_LENGTH)} at most`;
    throw new Error(`truncated: the header announces ${what}, ${formatBytes(size)}, but ${limit}`);
  }
  const data = new type.array(size / elementSize);
  const bytes = new Uint8Array(data.buffer);
  const filled = await source.read(bytes);
  if (filled < size) {
    throw new Error(
      `truncated: the header announces ${what}, ${formatBytes(size)}, but only ${filled} of ${size} bytes follow`,
    );
  }
  if ((await source.read(new Uint8Array(1))) > 0) {
    throw new Error(
      `trailing bytes after the array: the header announces ${what}, ${formatBytes(size)}, and more follows`,
    );
  }
  toNativeOrder(bytes, elementSize);
  return { dtype: type.dtype, shape, data } as IdxArray;
}

/**
 * Reads an idx file, plain or gzipped: the format of MNIST (http://yann.lecun.com/exdb/mnist). A header of two zero bytes,
 * a type byte (08 uint8, 09 int8, 0b int16, 0c int32, 0d float32, 0e float64), the number of dimensions and each of them as
 * a 32-bit number, then the elements, high byte first.
 *
 * The file is streamed; no more is read or allocated than the header announces and the file can hold.
 *
 * @throws AthanorError `readIdx: ...` naming the file when it cannot be read, is no idx file, is truncated, corrupt or has bytes
 * left over.
 */
export async function readIdx(path: string): Promise<IdxArray> {
  checkPath('readIdx', path);
  try {
    const source = await openBytes(path);
    try {
      return await readArray(source);
    } finally {
      await source.close();
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const zlib = typeof code === 'string' && code.startsWith('Z_');
    throw new AthanorError(`readIdx: ${path}: ${zlib ? 'corrupt gzip data: ' : ''}${messageOf(error)}`, {
      cause: error,
    });
  }
}
