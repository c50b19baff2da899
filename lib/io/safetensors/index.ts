import type { DType } from '../../dtype.js';
import { show } from '../../errors.js';
import { namedTensors, type StateDict } from '../../named.js';
import { upload } from '../../ops/create.js';
import { formatShape, maxDims } from '../../shape.js';
import type { Tensor } from '../../tensor.js';
import type { RawTensor } from './encode.js';
import { inspectRaw, readRaw, writeRaw } from './raw.js';

/** Tensors by name, as a module's state dict holds them. */
export type NamedTensors = Record<string, Tensor>;

/** What a safetensors file can be given beside its tensors. */
export interface SaveSafetensorsOptions {
  /** Strings of your own, such as the format's or the model's version. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** What a safetensors file holds, without the tensors' elements. */
export interface SafetensorsSummary {
  readonly tensors: Readonly<Record<string, { readonly dtype: DType; readonly shape: readonly number[] }>>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Every element type of the engine has its code in the format; the compiler sees to it that this stays so. */
async function rawOf(name: string, t: Tensor): Promise<RawTensor> {
  return { name, dtype: t.dtype, shape: t.shape, data: await t.bytes() };
}

/**
 * Writes tensors to a safetensors file (https://github.com/huggingface/safetensors, the same bytes as the reference
 * implementation): an 8-byte length, a JSON header with dtype, shape and byte offsets of each tensor, then their elements,
 * row-major, low byte first.
 *
 * The tensors are saved as they are at the call, even when a training loop changes them in place before the promise
 * resolves. The file appears whole or not at all: it is written beside its name, synced to the disk and renamed.
 *
 * @throws AthanorError when anything but an object or a Map of tensors is given, a tensor was disposed of, a name is reserved, metadata
 * are not strings, or the file cannot be written; then nothing is left behind and an older file stays as it was.
 */
export async function saveSafetensors(
  path: string,
  tensors: StateDict,
  options: SaveSafetensorsOptions = {},
): Promise<void> {
  const entries = [...namedTensors('saveSafetensors', tensors)];
  // All reads are queued before the first one is awaited: what is saved is one moment of the stream.
  const raw = await Promise.all(entries.map(([name, t]) => rawOf(name, t)));
  await writeRaw('saveSafetensors', path, raw, options.metadata);
}

/**
 * Reads all tensors of a safetensors file, by name. The file is checked in full before any tensor is made: length of the
 * header, JSON, duplicate names, dtypes, shapes, offsets that overlap, leave holes or lie outside.
 *
 * @throws AthanorError `loadSafetensors: <path>: ...` when the file cannot be read, is broken, or holds a dtype other than
 * F32, F64, BF16, I32, U8 and BOOL or more than 8 dimensions; then no tensor is left behind.
 */
export async function loadSafetensors(path: string): Promise<NamedTensors> {
  const made: Tensor[] = [];
  try {
    const { tensors } = await readRaw('loadSafetensors', path, ({ name, dtype, shape, data }) => {
      if (shape.length > maxDims) {
        throw new Error(`tensor ${show(name)}: at most ${maxDims} dimensions are supported: ${formatShape(shape)}`);
      }
      const t = upload('loadSafetensors', data, shape, dtype);
      made.push(t);
      return t;
    });
    return Object.fromEntries(tensors);
  } catch (error) {
    for (const t of made) t.dispose();
    throw error;
  }
}

/**
 * Names, dtypes, shapes and metadata of a safetensors file; only its header is read.
 *
 * @throws AthanorError `inspectSafetensors: <path>: ...` as {@link loadSafetensors} does
 */
export async function inspectSafetensors(path: string): Promise<SafetensorsSummary> {
  const { entries, metadata } = await inspectRaw('inspectSafetensors', path);
  return {
    tensors: Object.fromEntries(entries.map(({ name, dtype, shape }) => [name, { dtype, shape }])),
    metadata,
  };
}
