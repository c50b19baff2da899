import { dtypes } from '../../dtype.js';
import { show } from '../../errors.js';
import { namedTensors, type StateDict } from '../../named.js';
import { checkName } from '../../nn/check.js';
import { upload } from '../../ops/create.js';
import { checkFlag, checkOptions } from '../../options.js';
import { formatShape, maxDims } from '../../shape.js';
import type { Tensor } from '../../tensor.js';
import { messageOf } from '../bytes.js';
import { convert, convertedDType } from './convert.js';
import type { RawTensor } from './encode.js';
import type { FileDType, StoredDType, TensorEntry } from './header.js';
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
  readonly tensors: Readonly<Record<string, { readonly dtype: FileDType; readonly shape: readonly number[] }>>;
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
  checkOptions('saveSafetensors', options, ['metadata']);
  const entries = [...namedTensors('saveSafetensors', tensors)];
  // All reads are queued before the first one is awaited: what is saved is one moment of the stream.
  const raw = await Promise.all(entries.map(([name, t]) => rawOf(name, t)));
  await writeRaw('saveSafetensors', path, raw, options.metadata);
}

/** How a safetensors file is read. */
export interface LoadSafetensorsOptions {
  /**
   * Read element types that tensors here do not have in one that holds them: whole numbers of 8, 16 and 64 bits, and
   * unsigned ones, as int32, float16 as float32. Default false: such a file is an error.
   */
  readonly convert?: boolean;
  /**
   * "camelCase" writes names as fields here are written: PyTorch's `bn1.running_mean` becomes `bn1.runningMean`,
   * `lstm.weight_ih_l0` `lstm.weightIhL0`. Default "stored": as they are in the file.
   */
  readonly names?: 'stored' | 'camelCase';
}

const camelCase = (name: string) => name.replace(/(?<=[^._])_+([a-zA-Z0-9])/g, (_, next: string) => next.toUpperCase());

/** Throws for entries that no tensor can hold. */
function checkEntries(entries: readonly TensorEntry[], conversion: boolean): void {
  for (const { name, dtype, shape } of entries) {
    const where = `tensor ${show(name)}`;
    if (shape.length > maxDims) {
      throw new Error(`${where}: at most ${maxDims} dimensions are supported: ${formatShape(shape)}`);
    }
    if (dtype in dtypes) continue;
    const other = convertedDType(dtype);
    if (other === undefined) throw new Error(`${where}: no tensor holds ${dtype}`);
    if (!conversion) throw new Error(`${where}: no tensor holds ${dtype}; { convert: true } reads it as ${other}`);
  }
}

function tensorOf({ name, dtype, shape, data }: RawTensor): Tensor {
  const other = convertedDType(dtype);
  if (other === undefined) return upload('loadSafetensors', data, shape, dtype as StoredDType);
  try {
    return upload('loadSafetensors', convert(dtype, data), shape, other);
  } catch (error) {
    throw new Error(`tensor ${show(name)}: ${messageOf(error)}`);
  }
}

/**
 * Reads all tensors of a safetensors file, by name. The file is checked in full before any tensor is made: length of the
 * header, JSON, duplicate names, dtypes, shapes, offsets that overlap, leave holes or lie outside. A checkpoint of PyTorch
 * loads with `{ convert: true, names: 'camelCase' }`.
 *
 * @throws AthanorError `loadSafetensors: <path>: ...` when the file cannot be read, is broken, or holds a dtype other than
 * F32, F64, BF16, I32, U8 and BOOL (see `convert`), a number that does not fit, two names that become one, or more than 8
 * dimensions; then no tensor is left behind.
 */
export async function loadSafetensors(path: string, options: LoadSafetensorsOptions = {}): Promise<NamedTensors> {
  const { convert: conversion = false, names = 'stored' } = checkOptions('loadSafetensors', options, [
    'convert',
    'names',
  ]);
  checkFlag('loadSafetensors', 'convert', conversion);
  checkName('loadSafetensors', 'names', names, ['stored', 'camelCase'] as const);
  const nameOf = names === 'camelCase' ? camelCase : (name: string) => name;
  const check = (entries: readonly TensorEntry[]) => {
    checkEntries(entries, conversion);
    const before = new Map<string, string>();
    for (const { name } of entries) {
      const other = before.get(nameOf(name));
      if (other !== undefined) throw new Error(`${show(other)} and ${show(name)} both become ${show(nameOf(name))}`);
      before.set(nameOf(name), name);
    }
  };
  const made: Tensor[] = [];
  const make = (raw: RawTensor) => {
    const t = tensorOf(raw);
    made.push(t);
    return t;
  };
  try {
    const { tensors } = await readRaw('loadSafetensors', path, make, check);
    return Object.fromEntries(tensors.map(([name, t]) => [nameOf(name), t]));
  } catch (error) {
    for (const t of made) t.dispose();
    throw error;
  }
}

/**
 * Names, dtypes, shapes and metadata of a safetensors file; only its header is read. Every dtype of the format is told, those
 * too that tensors here do not have.
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
