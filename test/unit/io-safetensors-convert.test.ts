// Files of other programs: element types that tensors here do not have, and names of another style.
import { join } from 'node:path';
import { inspectSafetensors, loadSafetensors, memory, nn, type Tensor, tensor } from '../../lib/index.js';
import { temporaryFolder } from '../support/folder.js';

const folder = temporaryFolder();
const checkpoint = join(__dirname, '..', 'golden', 'safetensors', 'torch.safetensors');

/** A file of vectors, one after the other. */
function fileOf(name: string, vectors: Record<string, [dtype: string, data: ArrayBufferView]>): string {
  let at = 0;
  const parts: Buffer[] = [];
  const header: Record<string, unknown> = {};
  for (const [key, [dtype, { buffer, byteOffset, byteLength }]] of Object.entries(vectors)) {
    const size = Number(/\d+/.exec(dtype)) / 8;
    header[key] = { dtype, shape: [byteLength / size], data_offsets: [at, at + byteLength] };
    parts.push(Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength));
    at += byteLength;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return folder.write(name, Buffer.concat([length, text, ...parts]));
}

const load = async (vectors: Record<string, [string, ArrayBufferView]>) => {
  const loaded = await loadSafetensors(fileOf('some', vectors), { convert: true });
  return Object.fromEntries(Object.entries(loaded).map(([name, t]) => [name, [t.dtype, t.toArraySync()]]));
};

test("a checkpoint of PyTorch's fits the same model", async () => {
  const model = new nn.Sequential(new nn.Conv2d(1, 2, 3), new nn.BatchNorm2d(2), new nn.Flatten(), new nn.Linear(8, 4));
  const { expected, ...state } = await loadSafetensors(checkpoint, { convert: true, names: 'camelCase' });
  expect(model.loadStateDict(state)).toEqual({ missing: [], unexpected: [] });
  expect((state['1.numBatchesTracked'] as Tensor).toArraySync()).toBe(3);
  const image = Float32Array.from({ length: 16 }, (_, i) => i);
  const out = model.eval().forward(tensor(image, { shape: [1, 1, 4, 4] }));
  const distance = out.sub(expected).abs().max().itemSync();
  expect(distance).toBeLessThan(1e-5);
});

test('it is told what such a file holds and what would read it', async () => {
  const { tensors } = await inspectSafetensors(checkpoint);
  expect(tensors['1.num_batches_tracked']).toEqual({ dtype: 'int64', shape: [] });
  expect(tensors['3.weight']).toEqual({ dtype: 'float16', shape: [4, 8] });
  const before = memory().buffers;
  await expect(loadSafetensors(checkpoint)).rejects.toThrow(
    `loadSafetensors: ${checkpoint}: tensor "1.num_batches_tracked": no tensor holds int64; { convert: true } reads it as int32`,
  );
  expect(memory().buffers).toBeLessThanOrEqual(before);
});

test('whole numbers become int32', async () => {
  expect(
    await load({
      i8: ['I8', Int8Array.of(-128, 0, 127)],
      i16: ['I16', Int16Array.of(-(2 ** 15), 7, 2 ** 15 - 1)],
      u16: ['U16', Uint16Array.of(0, 2 ** 16 - 1)],
      u32: ['U32', Uint32Array.of(0, 2 ** 31 - 1)],
      i64: ['I64', BigInt64Array.of(-(2n ** 31n), -1n, 0n, 2n ** 31n - 1n)],
      u64: ['U64', BigUint64Array.of(0n, 2n ** 31n - 1n)],
    }),
  ).toEqual({
    i8: ['int32', [-128, 0, 127]],
    i16: ['int32', [-(2 ** 15), 7, 2 ** 15 - 1]],
    u16: ['int32', [0, 2 ** 16 - 1]],
    u32: ['int32', [0, 2 ** 31 - 1]],
    i64: ['int32', [-(2 ** 31), -1, 0, 2 ** 31 - 1]],
    u64: ['int32', [0, 2 ** 31 - 1]],
  });
});

test.each<[string, ArrayBufferView, string]>([
  ['I64', BigInt64Array.of(0n, 2n ** 31n), '2147483648'],
  ['I64', BigInt64Array.of(0n, -(2n ** 31n) - 1n), '-2147483649'],
  ['I64', BigInt64Array.of(0n, 2n ** 32n), '4294967296'],
  ['I64', BigInt64Array.of(0n, -(2n ** 63n)), '-9223372036854775808'],
  ['U64', BigUint64Array.of(0n, 2n ** 64n - 1n), '18446744073709551615'],
  ['U64', BigUint64Array.of(0n, 2n ** 31n), '2147483648'],
  ['U32', Uint32Array.of(0, 2 ** 31), '2147483648'],
])('%s that does not fit is refused', async (dtype, data, value) => {
  const before = memory().buffers;
  await expect(load({ good: ['F32', Float32Array.of(1)], n: [dtype, data] })).rejects.toThrow(
    `tensor "n": element 1 is ${value}, which does not fit int32`,
  );
  expect(memory().buffers).toBeLessThanOrEqual(before);
});

test('every float16 becomes the float32 of its value', async () => {
  const halves = Uint16Array.from({ length: 2 ** 16 }, (_, i) => i);
  const { halves: t } = await loadSafetensors(fileOf('halves', { halves: ['F16', halves] }), { convert: true });
  const wanted = Float32Array.from(halves, (h) => {
    const [exponent, fraction] = [(h >> 10) & 31, h & 1023];
    const size =
      exponent === 0
        ? fraction * 2 ** -24
        : exponent < 31
          ? (1 + fraction / 1024) * 2 ** (exponent - 15)
          : fraction === 0
            ? Number.POSITIVE_INFINITY
            : Number.NaN;
    return h >= 0x8000 ? -size : size;
  });
  const found = t.dataSync();
  expect(found.findIndex((x, i) => !Object.is(x, wanted[i]))).toBe(-1);
});

test('types that nothing holds are refused, and told', async () => {
  const path = fileOf('tiny', { a: ['F8_E4M3', Uint8Array.of(1)] });
  expect((await inspectSafetensors(path)).tensors.a).toEqual({ dtype: 'float8_e4m3', shape: [1] });
  await expect(loadSafetensors(path, { convert: true })).rejects.toThrow('tensor "a": no tensor holds float8_e4m3');
});

test('names are written as fields are', async () => {
  const names = [
    'bn1.running_mean',
    'rnn.weight_ih_l0_reverse',
    '_hidden.self_attn.in_proj_weight',
    'a__b',
    'c_',
    '0.w2',
  ];
  const path = fileOf('names', Object.fromEntries(names.map((n) => [n, ['F32', Float32Array.of(1)]])));
  expect(Object.keys(await loadSafetensors(path)).sort()).toEqual([...names].sort());
  expect(Object.keys(await loadSafetensors(path, { names: 'camelCase' })).sort()).toEqual(
    ['bn1.runningMean', 'rnn.weightIhL0Reverse', '_hidden.selfAttn.inProjWeight', 'aB', 'c_', '0.w2'].sort(),
  );
  const two = fileOf('two', { a_b: ['F32', Float32Array.of(1)], aB: ['F32', Float32Array.of(1)] });
  await expect(loadSafetensors(two, { names: 'camelCase' })).rejects.toThrow('"a_b" and "aB" both become "aB"');
});

test('wrong options', async () => {
  const wrong = (options: unknown) => loadSafetensors(checkpoint, options as never);
  await expect(wrong({ convert: 'yes' })).rejects.toThrow('loadSafetensors: convert must be true or false: "yes"');
  await expect(wrong({ names: 'torch' })).rejects.toThrow('loadSafetensors: names must be "stored" or "camelCase"');
  await expect(wrong({ camelCase: true })).rejects.toThrow('loadSafetensors: there is no option camelCase');
});
