import { CODES, type FileDType, MOST_HEADER, PREFIX } from './header.js';

/** A tensor as bytes: row-major, low byte first. */
export interface RawTensor {
  readonly name: string;
  readonly dtype: FileDType;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

const NAMES = new Map(
  [...CODES].map(([code, { dtype, size }], rank) => [dtype as FileDType, { code, size, rank }] as const),
);
/** The header is padded with spaces to a multiple of this, so that the widest elements lie aligned. */
const ALIGNMENT = 8;

function checkTensor({ name, dtype, shape, data }: RawTensor): void {
  const where = `tensor ${JSON.stringify(name)}`;
  const type = NAMES.get(dtype);
  if (type === undefined) {
    throw new Error(`${where}: dtype ${dtype} cannot be stored: supported are ${[...NAMES.keys()].join(', ')}`);
  }
  if (name === '__metadata__') throw new Error(`${where}: the name is reserved for the file's metadata`);
  const needed = shape.reduce((product, dim) => product * dim, type.size);
  if (needed !== data.length || !shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0)) {
    throw new Error(`${where}: ${dtype} [${shape.join(', ')}] takes ${needed} bytes: got ${data.length}`);
  }
}

/** Two tensors of one size class are told apart by the bytes of their names, as the reference implementation does. */
function order(a: RawTensor, b: RawTensor): number {
  return (
    NAMES.get(b.dtype)!.rank - NAMES.get(a.dtype)!.rank || Buffer.compare(Buffer.from(a.name), Buffer.from(b.name))
  );
}

/**
 * Lays out a safetensors file: the pieces of bytes to be written one after the other, the header first. Same bytes as the
 * reference implementation writes (widest types first, then by name; header padded to 8 bytes).
 *
 * @throws Error when a name occurs twice or is reserved, a dtype cannot be stored, or sizes disagree.
 */
export function encodeSafetensors(
  tensors: readonly RawTensor[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  const names = new Set<string>();
  for (const tensor of tensors) {
    checkTensor(tensor);
    if (names.has(tensor.name)) throw new Error(`duplicate name ${JSON.stringify(tensor.name)}`);
    names.add(tensor.name);
  }
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== 'string') {
      throw new Error(`metadata must hold strings only: ${JSON.stringify(key)} is ${JSON.stringify(value)}`);
    }
  }
  const sorted = [...tensors].sort(order);
  const fields: string[] = [];
  if (Object.keys(metadata).length > 0) fields.push(`"__metadata__":${JSON.stringify(metadata)}`);
  let at = 0;
  for (const { name, dtype, shape, data } of sorted) {
    const entry = { dtype: NAMES.get(dtype)!.code, shape, data_offsets: [at, at + data.length] };
    // Joined as text: as an object, names like "0" would be moved to the front.
    fields.push(`${JSON.stringify(name)}:${JSON.stringify(entry)}`);
    at += data.length;
  }
  const json = Buffer.from(`{${fields.join(',')}}`);
  const padded = Math.ceil(json.length / ALIGNMENT) * ALIGNMENT;
  if (padded > MOST_HEADER) {
    throw new Error(`header too long: names and metadata take ${padded} bytes, at most ${MOST_HEADER} are allowed`);
  }
  const head = Buffer.alloc(PREFIX + padded, ' ');
  head.writeBigUInt64LE(BigInt(padded));
  json.copy(head, PREFIX);
  return [head, ...sorted.map(({ data }) => data)];
}
