import { AthanorError } from '../../errors.js';
import { writeAtomic } from '../atomic.js';
import { messageOf } from '../bytes.js';
import { checkPath, withFile } from '../file.js';
import { readEntry, readHeader } from './decode.js';
import { encodeSafetensors, type RawTensor } from './encode.js';
import type { Header, TensorEntry } from './header.js';

/** A file's tensors by name, as `make` made them, with the file's metadata. */
export interface RawContents<T> {
  readonly tensors: [name: string, value: T][];
  readonly metadata: Readonly<Record<string, string>>;
}

async function named<T>(op: string, path: string, work: () => Promise<T>): Promise<T> {
  checkPath(op, path);
  try {
    return await work();
  } catch (error) {
    throw new AthanorError(`${op}: ${path}: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * Reads a safetensors file tensor by tensor; the bytes of one can be let go before the next is read. The header is checked
 * in full, and all entries by `check`, before any tensor is made.
 */
export function readRaw<T>(
  op: string,
  path: string,
  make: (tensor: RawTensor) => T,
  check: (entries: readonly TensorEntry[]) => void = () => {},
): Promise<RawContents<T>> {
  return named(op, path, () =>
    withFile(path, async (file) => {
      const header = await readHeader(file);
      check(header.entries);
      const tensors: [string, T][] = [];
      for (const entry of header.entries) tensors.push([entry.name, make(await readEntry(file, header, entry))]);
      return { tensors, metadata: header.metadata };
    }),
  );
}

/** Reads and checks a safetensors file's header alone. */
export function inspectRaw(op: string, path: string): Promise<Header> {
  return named(op, path, () => withFile(path, readHeader));
}

/** Writes a safetensors file atomically: on failure nothing is left behind and an existing file stays as it was. */
export function writeRaw(
  op: string,
  path: string,
  tensors: readonly RawTensor[],
  metadata?: Readonly<Record<string, string>>,
): Promise<void> {
  return named(op, path, () => writeAtomic(path, encodeSafetensors(tensors, metadata)));
}
