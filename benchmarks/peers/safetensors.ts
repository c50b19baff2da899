// Reads the files that jobs are handed over in, without athanor: a peer's process loads nothing that it competes with.
import * as fs from 'node:fs';
import type { Elements } from '../data.js';

/** A tensor of a file. */
export interface Stored {
  readonly shape: readonly number[];
  readonly data: Elements;
}

const arrays = { F32: Float32Array, F64: Float64Array, I32: Int32Array, U8: Uint8Array, BOOL: Uint8Array } as const;

/** The tensors of a safetensors file by name. */
export function readSafetensors(file: string): Record<string, Stored> {
  const bytes = fs.readFileSync(file);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + length));
  const out: Record<string, Stored> = {};
  for (const [name, entry] of Object.entries<{ dtype: keyof typeof arrays; shape: number[]; data_offsets: number[] }>(
    header,
  )) {
    if (name === '__metadata__') continue;
    const [start, end] = entry.data_offsets.map((offset) => offset + 8 + length);
    const copy = bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + end) as ArrayBuffer;
    out[name] = { shape: entry.shape, data: new arrays[entry.dtype](copy) };
  }
  return out;
}
