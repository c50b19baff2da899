import { gzipSync } from 'node:zlib';
import { readIdx } from '../../lib/io/idx.js';
import { temporaryFolder } from '../support/folder.js';
import { idxBytes } from '../support/idx.js';

const folder = temporaryFolder();
const elements = Array.from({ length: 24 }, (_, i) => i * 10);
const good = idxBytes(8, [2, 3, 4], elements);

/** Rejection message without the path in front, which differs from run to run. */
async function refusal(name: string, content: Uint8Array): Promise<string> {
  const path = folder.write(name, content);
  const message = await readIdx(path).then(
    () => 'accepted',
    (error: Error) => error.message,
  );
  expect(message.startsWith(`readIdx: ${path}: `)).toBe(true);
  return message.slice(`readIdx: ${path}: `.length);
}

describe('reading', () => {
  test.each([
    ['plain', good],
    ['gzipped', gzipSync(good)],
  ])('%s bytes', async (name, content) => {
    const array = await readIdx(folder.write(name, content));
    expect(array).toEqual({ dtype: 'uint8', shape: [2, 3, 4], data: Uint8Array.from(elements) });
  });

  test('every element type, high byte first', async () => {
    const cases = [
      [0x09, [0x01, 0xff], Int8Array.of(1, -1)],
      [0x0b, [0x01, 0x02, 0xff, 0xfe], Int16Array.of(258, -2)],
      [0x0c, [0, 0, 1, 0, 0xff, 0xff, 0xff, 0xff], Int32Array.of(256, -1)],
      [0x0d, [0x3f, 0x80, 0, 0, 0xc0, 0x20, 0, 0], Float32Array.of(1, -2.5)],
      [0x0e, [0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0xc0, 0x04, 0, 0, 0, 0, 0, 0], Float64Array.of(1, -2.5)],
    ] as const;
    for (const [type, bytes, expected] of cases) {
      const array = await readIdx(folder.write('typed', idxBytes(type, [2], bytes)));
      expect(array.data).toEqual(expected);
    }
  });

  test('an array without elements', async () => {
    const array = await readIdx(folder.write('empty', idxBytes(8, [0, 28, 28], [])));
    expect(array.shape).toEqual([0, 28, 28]);
    expect(array.data.length).toBe(0);
  });

  test('a file larger than every buffer on the way', async () => {
    const data = Uint8Array.from({ length: 3_000_001 }, (_, i) => (i * 7919) >> 3);
    const array = await readIdx(folder.write('large', gzipSync(idxBytes(8, [data.length], data), { level: 1 })));
    expect(Buffer.compare(array.data as Uint8Array, data)).toBe(0);
  });
});

describe('refusing', () => {
  test('a file that is not idx', async () => {
    expect(await refusal('png', Buffer.from('\x89PNG', 'latin1'))).toMatch(
      /^not an idx file: it begins with 89 50 4e 47,/,
    );
    expect(await refusal('type', idxBytes(0x0a, [1], [1]))).toMatch(/^not an idx file: it begins with 00 00 0a 01,/);
    expect(await refusal('rank', idxBytes(8, [], []))).toMatch(/^not an idx file/);
    expect(await refusal('nothing', Buffer.alloc(0))).toBe('too short for an idx header: 0 bytes');
    expect(await refusal('three', Buffer.alloc(3))).toBe('too short for an idx header: 3 bytes');
  });

  test('a truncated header', async () => {
    expect(await refusal('head', good.subarray(0, 9))).toBe('truncated header: 3 dimensions announced, 5 bytes follow');
  });

  test.each([1, 12, 23])('an array that lacks %i of 24 bytes', async (missing) => {
    const short = good.subarray(0, good.length - missing);
    expect(await refusal('plain', short)).toBe(
      `truncated: the header announces uint8 [2, 3, 4], 24 bytes, but the file holds ${24 - missing} byte${missing === 23 ? '' : 's'} after the header`,
    );
    expect(await refusal('gz', gzipSync(short))).toBe(
      `truncated: the header announces uint8 [2, 3, 4], 24 bytes, but only ${24 - missing} of 24 bytes follow`,
    );
  });

  test('bytes left over', async () => {
    const long = Buffer.concat([good, Buffer.from([1])]);
    for (const content of [long, gzipSync(long)]) {
      expect(await refusal('long', content)).toMatch(/^trailing bytes after the array: .* uint8 \[2, 3, 4\], 24 bytes/);
    }
  });

  test('a header that announces more than the file can hold, before allocating it', async () => {
    const before = process.memoryUsage().arrayBuffers;
    const huge = idxBytes(8, [4_000_000_000], [1, 2]);
    expect(await refusal('huge', huge)).toMatch(
      /^truncated: .* 3\.7 GiB, but the file holds 2 bytes after the header$/,
    );
    expect(await refusal('bomb', gzipSync(huge))).toMatch(/^truncated: .* but the gzip file of \d+ bytes can hold/);
    const overflow = idxBytes(14, [2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1], []);
    expect(await refusal('overflow', overflow)).toMatch(/^truncated: /);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 2 ** 20);
  });

  test('corrupt gzip data', async () => {
    const packed = gzipSync(good);
    expect(await refusal('cut', packed.subarray(0, packed.length - 12))).toMatch(/^corrupt gzip data: unexpected end/);
    const sum = Buffer.from(packed);
    sum[sum.length - 6] ^= 0xff;
    expect(await refusal('sum', sum)).toBe('corrupt gzip data: incorrect data check');
    const body = Buffer.from(packed);
    body[10] = 0xff;
    expect(await refusal('body', body)).toMatch(/^corrupt gzip data: invalid/);
    expect(await refusal('magic', Buffer.from([0x1f, 0x8b]))).toMatch(/^corrupt gzip data/);
  });

  test('a missing file and a folder', async () => {
    await expect(readIdx(folder.path('nowhere'))).rejects.toThrow(/^readIdx: .*nowhere: ENOENT/);
    await expect(readIdx(folder.path('.'))).rejects.toThrow(/^readIdx: .*: not a regular file$/);
  });
});
