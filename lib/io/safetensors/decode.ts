import type { RawTensor } from './encode.js';
import { type Header, headerLength, PREFIX, parseHeader, type TensorEntry } from './header.js';

/** Bytes that can be read at any place: a file, or memory. */
export interface RandomAccess {
  readonly size: number;
  /** Fills `into` with the bytes from `position` on, or rejects when there are too few. */
  read(into: Uint8Array, position: number): Promise<void>;
}

/** Reads and checks the header. Nothing but the header is read. */
export async function readHeader(source: RandomAccess): Promise<Header> {
  const prefix = new Uint8Array(Math.min(PREFIX, source.size));
  await source.read(prefix, 0);
  const bytes = new Uint8Array(headerLength(prefix, source.size));
  await source.read(bytes, PREFIX);
  return parseHeader(bytes, source.size - PREFIX - bytes.length);
}

/** Reads the bytes of one tensor, into memory of its own so that its elements lie aligned. */
export async function readEntry(source: RandomAccess, header: Header, entry: TensorEntry): Promise<RawTensor> {
  const { name, dtype, shape, begin, end } = entry;
  const data = new Uint8Array(end - begin);
  await source.read(data, header.dataStart + begin);
  if (dtype === 'bool') {
    const at = data.findIndex((byte) => byte > 1);
    if (at >= 0) {
      throw new Error(`tensor ${JSON.stringify(name)}: BOOL element ${at} is ${data[at]}: only 0 and 1 are allowed`);
    }
  }
  return { name, dtype, shape, data };
}
