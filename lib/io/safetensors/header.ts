import { duplicateKey } from './keys.js';

/** Element types that can be stored and read back; the file format has more. */
export type StoredDType = 'float32' | 'float64' | 'bfloat16' | 'int32' | 'uint8' | 'bool';

/** Element types of the format that tensors here do not have: files of other programs hold them. */
export type ForeignDType =
  | 'int8'
  | 'int16'
  | 'int64'
  | 'uint16'
  | 'uint32'
  | 'uint64'
  | 'float16'
  | 'float8_e4m3'
  | 'float8_e5m2';

/** Element types that a file may hold. */
export type FileDType = StoredDType | ForeignDType;

/** One tensor's entry in the header: where its bytes lie, counted from the end of the header. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: FileDType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** What a safetensors header says. */
export interface Header {
  /** Entries in the order of their bytes. */
  readonly entries: readonly TensorEntry[];
  readonly metadata: Readonly<Record<string, string>>;
  /** Offset in the file at which the tensors' bytes begin. */
  readonly dataStart: number;
}

interface Code<D extends FileDType> {
  readonly dtype: D;
  readonly size: number;
}

/** The format's names for the types that exist here. */
export const CODES: ReadonlyMap<string, Code<StoredDType>> = new Map([
  ['BOOL', { dtype: 'bool', size: 1 }],
  ['U8', { dtype: 'uint8', size: 1 }],
  ['BF16', { dtype: 'bfloat16', size: 2 }],
  ['I32', { dtype: 'int32', size: 4 }],
  ['F32', { dtype: 'float32', size: 4 }],
  ['F64', { dtype: 'float64', size: 8 }],
]);

/** The format's names for the types that are only read. */
const FOREIGN: ReadonlyMap<string, Code<ForeignDType>> = new Map([
  ['I8', { dtype: 'int8', size: 1 }],
  ['F8_E4M3', { dtype: 'float8_e4m3', size: 1 }],
  ['F8_E5M2', { dtype: 'float8_e5m2', size: 1 }],
  ['I16', { dtype: 'int16', size: 2 }],
  ['U16', { dtype: 'uint16', size: 2 }],
  ['F16', { dtype: 'float16', size: 2 }],
  ['U32', { dtype: 'uint32', size: 4 }],
  ['I64', { dtype: 'int64', size: 8 }],
  ['U64', { dtype: 'uint64', size: 8 }],
]);

/** Length of the number in front of the header. */
export const PREFIX = 8;
/** The reference implementation refuses longer headers, so that a broken length cannot exhaust memory. */
export const MOST_HEADER = 100_000_000;

/**
 * Checks the length in front of the header against the file's length.
 *
 * @param prefix the first 8 bytes of the file, or fewer where it is shorter
 * @returns the header's length in bytes
 */
export function headerLength(prefix: Uint8Array, fileSize: number): number {
  if (prefix.length < PREFIX) {
    throw new Error(`not a safetensors file: ${prefix.length} bytes, the header's length alone takes ${PREFIX}`);
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset, PREFIX).getBigUint64(0, true);
  if (length > BigInt(MOST_HEADER)) {
    throw new Error(`header too long: ${length} bytes announced, at most ${MOST_HEADER} are allowed`);
  }
  if (Number(length) > fileSize - PREFIX) {
    throw new Error(`header longer than the file: ${length} bytes announced, ${fileSize - PREFIX} follow`);
  }
  return Number(length);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && !Object.is(value, -0);
}

const shown = (value: unknown) => JSON.stringify(value) ?? String(value);

function parseJson(bytes: Uint8Array): Record<string, unknown> {
  if (bytes[0] !== 0x7b) {
    throw new Error(`the header does not begin with "{": its first byte is ${bytes.length > 0 ? bytes[0] : 'missing'}`);
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Error('the header is not valid UTF-8');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`the header is not JSON: ${(error as Error).message}`);
  }
  const twice = duplicateKey(text);
  if (twice !== undefined) throw new Error(`duplicate name ${shown(twice)} in the header`);
  return value as Record<string, unknown>;
}

function parseMetadata(value: unknown): Record<string, string> {
  if (!isRecord(value)) throw new Error(`__metadata__ must be an object of strings: got ${shown(value)}`);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') {
      throw new Error(`__metadata__ must hold strings only: ${shown(key)} is ${shown(text)}`);
    }
  }
  return value as Record<string, string>;
}

function parseEntry(name: string, value: unknown): TensorEntry {
  const where = `tensor ${shown(name)}`;
  if (!isRecord(value)) throw new Error(`${where}: its entry must be an object: got ${shown(value)}`);
  const { dtype, shape, data_offsets: offsets } = value;
  const code = CODES.get(dtype as string) ?? FOREIGN.get(dtype as string);
  if (code === undefined) {
    const known = [...CODES.keys(), ...FOREIGN.keys()].join(', ');
    throw new Error(`${where}: dtype ${shown(dtype)} is not known: known are ${known}`);
  }
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    throw new Error(`${where}: shape must be a list of whole numbers from 0: got ${shown(shape)}`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw new Error(`${where}: data_offsets must be two whole numbers from 0: got ${shown(offsets)}`);
  }
  const [begin, end] = offsets as [number, number];
  const needed = (shape as number[]).reduce((product, dim) => product * dim, code.size);
  if (begin > end || end - begin !== needed) {
    throw new Error(
      `${where}: ${shown(dtype)} ${shown(shape)} takes ${needed} bytes, but data_offsets are ${shown(offsets)}`,
    );
  }
  return { name, dtype: code.dtype, shape: shape as number[], begin, end };
}

/** The entries must tile the data: the format allows no overlap, no hole and nothing left over. */
function checkTiling(entries: readonly TensorEntry[], dataSize: number): void {
  let at = 0;
  for (const { name, begin, end } of entries) {
    const where = `tensor ${shown(name)}: data_offsets [${begin}, ${end}]`;
    if (end > dataSize) throw new Error(`${where} lie outside the data, which has ${dataSize} bytes`);
    if (begin < at) throw new Error(`${where} overlap the tensor before, which ends at ${at}`);
    if (begin > at) throw new Error(`${where} leave a hole: the tensor before ends at ${at}`);
    at = end;
  }
  if (at !== dataSize) throw new Error(`the tensors take ${at} bytes, but the file holds ${dataSize} bytes of data`);
}

/**
 * Parses and checks the header's JSON.
 *
 * @param bytes the header, without the length in front of it
 * @param dataSize bytes of the file after the header
 */
export function parseHeader(bytes: Uint8Array, dataSize: number): Header {
  const { __metadata__: metadata = {}, ...tensors } = parseJson(bytes);
  const entries = Object.entries(tensors).map(([name, value]) => parseEntry(name, value));
  // Tensors without elements share their offset with a neighbour; they come first, or they would seem to overlap it.
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkTiling(entries, dataSize);
  return { entries, metadata: parseMetadata(metadata), dataStart: PREFIX + bytes.length };
}
