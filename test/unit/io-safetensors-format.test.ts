import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { writeAtomic } from '../../lib/io/atomic.js';
import type { RawTensor } from '../../lib/io/safetensors/encode.js';
import { readRaw, writeRaw } from '../../lib/io/safetensors/raw.js';
import { temporaryFolder } from '../support/folder.js';

const folder = temporaryFolder();
const reference = join(__dirname, '..', 'golden', 'safetensors', 'reference.safetensors');
const same = (tensor: RawTensor) => tensor;

/** A file with a header of any text and `size` bytes of data. */
function fileOf(header: string | object, size = 0, length?: bigint): Buffer {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(length ?? BigInt(text.length));
  return Buffer.concat([prefix, text, Buffer.alloc(size)]);
}

async function refusal(content: Uint8Array): Promise<string> {
  const path = folder.write('bad.safetensors', content);
  const message = await readRaw('loadSafetensors', path, same).then(
    () => 'accepted',
    (error: Error) => error.message,
  );
  expect(message.startsWith(`loadSafetensors: ${path}: `)).toBe(true);
  return message.slice(`loadSafetensors: ${path}: `.length);
}

const entry = (dtype: unknown, shape: unknown, offsets: unknown) => ({ dtype, shape, data_offsets: offsets });
const f32 = (size: number, begin: number) => entry('F32', [size], [begin, begin + 4 * size]);

describe('the reference implementation', () => {
  test('its file is read', async () => {
    const { tensors, metadata } = await readRaw('load', reference, same);
    const byName = new Map(tensors);
    expect(metadata).toEqual({ made: 'by the reference implementation' });
    expect([...byName.keys()].sort()).toEqual(
      ['10', '9', 'bytes', 'flags', 'layer.weight', 'nothing', 'precise', 'quote " and é'].sort(),
    );
    const weight = byName.get('layer.weight')!;
    expect([weight.dtype, weight.shape]).toEqual(['float32', [3, 5]]);
    expect([...new Float32Array(weight.data.buffer)]).toEqual(Array.from({ length: 15 }, (_, i) => i / 4 - 1));
    expect([...new Float64Array(byName.get('precise')!.data.buffer)]).toEqual([0.1, -1e300]);
    expect([...new Int32Array(byName.get('10')!.data.buffer)]).toEqual([-3, -2, -1, 0, 1, 2, 3]);
    expect(byName.get('9')!.shape).toEqual([]);
    expect(byName.get('flags')).toEqual({ name: 'flags', dtype: 'bool', shape: [3], data: Uint8Array.of(1, 0, 1) });
    expect(byName.get('nothing')!.shape).toEqual([0, 4]);
  });

  test('the same tensors are written byte for byte as it writes them, in whatever order they come', async () => {
    const { tensors, metadata } = await readRaw('load', reference, same);
    const path = folder.path('again.safetensors');
    await writeRaw('save', path, tensors.map(([, tensor]) => tensor).reverse(), metadata);
    expect(readFileSync(path).equals(readFileSync(reference))).toBe(true);
  });
});

describe('a broken file is refused:', () => {
  test('lengths', async () => {
    expect(await refusal(Buffer.alloc(5))).toBe("not a safetensors file: 5 bytes, the header's length alone takes 8");
    expect(await refusal(fileOf('{}', 0, 3n))).toBe('header longer than the file: 3 bytes announced, 2 follow');
    expect(await refusal(fileOf('{}', 0, 2n ** 64n - 1n))).toMatch(/^header too long: 18446744073709551615 bytes/);
    expect(await refusal(fileOf('', 0))).toBe('the header does not begin with "{": its first byte is missing');
  });

  test('text that is not a JSON object', async () => {
    expect(await refusal(fileOf('[1]'))).toMatch(/^the header does not begin with "\{": its first byte is 91/);
    expect(await refusal(fileOf('\ufeff{}'))).toMatch(/^the header does not begin with/);
    expect(await refusal(fileOf('{"a":'))).toMatch(/^the header is not JSON: /);
    expect(await refusal(Buffer.concat([fileOf('{"a', 0, 4n), Buffer.from([0xff])]))).toBe(
      'the header is not valid UTF-8',
    );
  });

  test('duplicate names, also under an escape and inside an entry', async () => {
    const one = JSON.stringify(f32(1, 0));
    expect(await refusal(fileOf(`{"a":${one},"a":${one}}`, 4))).toBe('duplicate name "a" in the header');
    expect(await refusal(fileOf(`{"a":${one}, "\\u0061" : ${one}}`, 4))).toBe('duplicate name "a" in the header');
    expect(await refusal(fileOf('{"a":{"dtype":"F32","dtype":"F64","shape":[],"data_offsets":[0,4]}}', 4))).toBe(
      'duplicate name "dtype" in the header',
    );
    expect(await refusal(fileOf('{"__metadata__":{"k":"1","k":"2"}}'))).toBe('duplicate name "k" in the header');
  });

  test('names that look like structure are no duplicates', async () => {
    const text = `{"a{\\"a":${JSON.stringify(f32(1, 0))},"a":${JSON.stringify(f32(1, 4))},"__proto__":${JSON.stringify(f32(1, 8))}}`;
    const { tensors } = await readRaw('load', folder.write('names', fileOf(text, 12)), same);
    expect(tensors.map(([name]) => name)).toEqual(['a{"a', 'a', '__proto__']);
  });

  test('dtypes', async () => {
    for (const dtype of ['F4', 'bf16', 'i64', 'f32', 7, null]) {
      expect(await refusal(fileOf({ a: entry(dtype, [1], [0, 4]) }, 4))).toBe(
        `tensor "a": dtype ${JSON.stringify(dtype)} is not known: known are BOOL, U8, BF16, I32, F32, F64, I8, F8_E4M3, F8_E5M2, I16, U16, F16, U32, I64, U64`,
      );
    }
    expect(await refusal(fileOf({ a: { shape: [1], data_offsets: [0, 4] } }, 4))).toMatch(/dtype undefined is not/);
  });

  test('shapes', async () => {
    for (const shape of [[-1], [1.5], ['1'], [2 ** 53], 4, null, [null]]) {
      expect(await refusal(fileOf({ a: entry('F32', shape, [0, 4]) }, 4))).toBe(
        `tensor "a": shape must be a list of whole numbers from 0: got ${JSON.stringify(shape)}`,
      );
    }
  });

  test('offsets', async () => {
    for (const offsets of [[0], [0, 4, 8], [-4, 0], [0.5, 4.5], '04', null]) {
      expect(await refusal(fileOf({ a: entry('F32', [1], offsets) }, 4))).toMatch(
        /^tensor "a": data_offsets must be two/,
      );
    }
    const sizes = await refusal(fileOf({ a: entry('F32', [3], [0, 8]) }, 8));
    expect(sizes).toBe('tensor "a": "F32" [3] takes 12 bytes, but data_offsets are [0,8]');
    expect(await refusal(fileOf({ a: entry('F32', [1], [4, 0]) }, 4))).toMatch(
      /takes 4 bytes, but data_offsets are \[4,0\]/,
    );
    expect(await refusal(fileOf({ a: entry('F32', [2 ** 40, 2 ** 40], [0, 8]) }, 8))).toMatch(
      /takes 4\.8\d+e\+24 bytes/,
    );
    expect(await refusal(fileOf({ a: 3 }))).toBe('tensor "a": its entry must be an object: got 3');
  });

  test('overlaps, holes, and data outside the file or left over', async () => {
    expect(await refusal(fileOf({ a: f32(2, 0), b: f32(2, 4) }, 12))).toBe(
      'tensor "b": data_offsets [4, 12] overlap the tensor before, which ends at 8',
    );
    expect(await refusal(fileOf({ a: f32(1, 0), b: f32(1, 8) }, 12))).toBe(
      'tensor "b": data_offsets [8, 12] leave a hole: the tensor before ends at 4',
    );
    expect(await refusal(fileOf({ a: f32(2, 0) }, 7))).toBe(
      'tensor "a": data_offsets [0, 8] lie outside the data, which has 7 bytes',
    );
    expect(await refusal(fileOf({ a: f32(2, 0) }, 9))).toBe(
      'the tensors take 8 bytes, but the file holds 9 bytes of data',
    );
  });

  test('metadata that are not strings, and bool bytes that are neither 0 nor 1', async () => {
    expect(await refusal(fileOf({ __metadata__: { a: 1 } }))).toBe('__metadata__ must hold strings only: "a" is 1');
    expect(await refusal(fileOf({ __metadata__: [] }))).toBe('__metadata__ must be an object of strings: got []');
    const bad = fileOf({ a: entry('BOOL', [3], [0, 3]) }, 3);
    bad[bad.length - 1] = 2;
    expect(await refusal(bad)).toBe('tensor "a": BOOL element 2 is 2: only 0 and 1 are allowed');
  });

  test('every truncation of a good file', async () => {
    const whole = readFileSync(reference);
    for (let length = 0; length < whole.length; length += 7) {
      expect(await refusal(whole.subarray(0, length))).toMatch(/header|not a safetensors file|outside the data|hole/);
    }
  });
});

describe('what the format allows:', () => {
  test('data that are not aligned, tensors without elements beside others, spaces after the header', async () => {
    const header = {
      z: entry('F32', [0], [1, 1]),
      b: entry('U8', [1], [0, 1]),
      f: f32(1, 1),
      e: entry('F32', [0], [5, 5]),
    };
    const content = fileOf(`${JSON.stringify(header)}   `, 5);
    content.writeFloatLE(2.5, content.length - 4);
    const { tensors } = await readRaw('load', folder.write('odd', content), same);
    const f = new Map(tensors).get('f')!;
    expect(new Float32Array(f.data.buffer, f.data.byteOffset, 1)[0]).toBe(2.5);
    expect(tensors.length).toBe(4);
  });

  test('a file without tensors', async () => {
    expect(await readRaw('load', folder.write('none', fileOf('{}')), same)).toEqual({ tensors: [], metadata: {} });
  });
});

describe('saving', () => {
  const tensor: RawTensor = { name: 'a', dtype: 'uint8', shape: [2], data: Uint8Array.of(1, 2) };
  const leftovers = (inside: string) => readdirSync(inside).filter((name) => name.endsWith('.tmp'));

  test('refuses what cannot be stored and leaves the old file alone', async () => {
    const path = folder.write('kept', 'old');
    const refused = (tensors: RawTensor[], metadata?: Record<string, string>) =>
      writeRaw('saveSafetensors', path, tensors, metadata).then(
        () => 'accepted',
        (error: Error) => error.message.slice(`saveSafetensors: ${path}: `.length),
      );
    expect(await refused([tensor, tensor])).toBe('duplicate name "a"');
    expect(await refused([{ ...tensor, name: '__metadata__' }])).toMatch(/the name is reserved/);
    expect(await refused([{ ...tensor, shape: [3] }])).toBe('tensor "a": uint8 [3] takes 3 bytes: got 2');
    expect(await refused([{ ...tensor, dtype: 'int64' as 'int32' }])).toMatch(/dtype int64 cannot be stored/);
    expect(await refused([tensor], { k: 1 as unknown as string })).toBe('metadata must hold strings only: "k" is 1');
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(leftovers(folder.path('.'))).toEqual([]);
  });

  test('makes missing folders and replaces an existing file', async () => {
    const path = folder.path('new/deep/model.safetensors');
    await writeRaw('save', path, []);
    await writeRaw('save', path, [tensor]);
    expect((await readRaw('load', path, same)).tensors).toEqual([['a', tensor]]);
    expect(readdirSync(join(path, '..'))).toEqual(['model.safetensors']);
  });

  test('writes through a symbolic link', async () => {
    const target = folder.write('target', 'old');
    const link = folder.path('link');
    symlinkSync(target, link);
    await writeRaw('save', link, [tensor]);
    expect((await readRaw('load', target, same)).tensors.length).toBe(1);
  });

  test('cleans up when writing fails half-way', async () => {
    const inside = folder.path('half');
    mkdirSync(inside);
    const broken = function* () {
      yield Uint8Array.of(1, 2, 3);
      throw new Error('no more');
    };
    await expect(writeAtomic(join(inside, 'file'), broken())).rejects.toThrow('no more');
    expect(readdirSync(inside)).toEqual([]);
    await expect(writeAtomic(join(inside), [])).rejects.toThrow();
    expect(existsSync(inside)).toBe(true);
    expect(leftovers(folder.path('.'))).toEqual([]);
  });

  test('says when the folder cannot be made', async () => {
    const below = join(folder.write('a-file', 'old'), 'model.safetensors');
    await expect(writeRaw('saveSafetensors', below, [tensor])).rejects.toThrow(/^saveSafetensors: .*: E[A-Z]+/);
  });
});
