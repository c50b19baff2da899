import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  inspectSafetensors,
  loadSafetensors,
  memory,
  nn,
  noGrad,
  saveSafetensors,
  type Tensor,
  tensor,
  zeros,
} from '../../lib/index.js';
import { temporaryFolder } from '../support/folder.js';

const folder = temporaryFolder();
const reference = join(__dirname, '..', 'golden', 'safetensors', 'reference.safetensors');
const values = (t: Tensor) => [t.dtype, t.shape, t.toArraySync()];

test('tensors of every dtype and layout come back as they were', async () => {
  const matrix = tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  const saved = {
    float32: matrix,
    transposed: matrix.transpose(0, 1),
    sliced: matrix.narrow(1, 1, 2),
    expanded: tensor([7]).expand([2, 2]),
    float64: tensor([0.1, -0, Number.NaN, Number.POSITIVE_INFINITY], { dtype: 'float64' }),
    bfloat16: tensor([1.1, -0, 2 ** -133, Number.NaN, 3e38], { dtype: 'bfloat16' }).narrow(0, 1, 4),
    int32: tensor([-(2 ** 31), 2 ** 31 - 1], { dtype: 'int32' }),
    uint8: tensor([0, 255], { dtype: 'uint8' }),
    bool: tensor([true, false]),
    scalar: tensor(2.5, { requiresGrad: true }),
    empty: zeros([0, 3]),
  };
  const path = folder.path('all.safetensors');
  await saveSafetensors(path, saved, { metadata: { format: 'test' } });
  const loaded = await loadSafetensors(path);
  expect(Object.keys(loaded).sort()).toEqual(Object.keys(saved).sort());
  for (const [name, t] of Object.entries(saved)) expect(values(loaded[name])).toEqual(values(t));
  const { tensors, metadata } = await inspectSafetensors(path);
  expect(metadata).toEqual({ format: 'test' });
  expect(tensors.transposed).toEqual({ dtype: 'float32', shape: [3, 2] });
});

test('a Map is saved as an object is', async () => {
  const path = folder.path('map.safetensors');
  await saveSafetensors(path, new Map([['w', tensor([1, 2])]]));
  const loaded = await loadSafetensors(path);
  expect(Object.keys(loaded)).toEqual(['w']);
  expect(loaded.w.toArraySync()).toEqual([1, 2]);
});

test("the reference implementation's file is read and written again byte for byte", async () => {
  const path = folder.path('again.safetensors');
  const { metadata } = await inspectSafetensors(reference);
  await saveSafetensors(path, await loadSafetensors(reference), { metadata });
  expect(readFileSync(path).equals(readFileSync(reference))).toBe(true);
});

test('what is saved is the moment of the call', async () => {
  const weight = zeros([1000]);
  const path = folder.path('moment.safetensors');
  const saving = saveSafetensors(path, { weight });
  noGrad(() => {
    for (let i = 0; i < 100; i++) weight.fill_(i);
  });
  await saving;
  expect(new Set((await loadSafetensors(path)).weight.dataSync())).toEqual(new Set([0]));
});

test('a failed load leaves no tensor behind', async () => {
  // Two good tensors in front of one that the header allows but the engine does not.
  const deep = { a: [1, 0, 4], b: [1, 4, 8], c: [[1, 1, 1, 1, 1, 1, 1, 1, 1], 8, 12] } as const;
  const header = Object.fromEntries(
    Object.entries(deep).map(([name, [shape, begin, end]]) => [
      name,
      { dtype: 'F32', shape: [shape].flat(), data_offsets: [begin, end] },
    ]),
  );
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const path = folder.write('deep.safetensors', Buffer.concat([length, text, Buffer.alloc(12)]));
  const before = memory().buffers;
  await expect(loadSafetensors(path)).rejects.toThrow(
    `loadSafetensors: ${path}: tensor "c": at most 8 dimensions are supported: [1, 1, 1, 1, 1, 1, 1, 1, 1]`,
  );
  // Tensors of earlier tests may be collected meanwhile; more than before must not be there.
  expect(memory().buffers).toBeLessThanOrEqual(before);
});

test('what cannot be saved is refused before anything is written', async () => {
  const path = folder.write('kept', 'old');
  const gone = zeros([2]);
  gone.dispose();
  const save = (tensors: unknown) => saveSafetensors(path, tensors as Record<string, Tensor>);
  await expect(save({ gone })).rejects.toThrow('saveSafetensors: the tensor was disposed of: gone [2] float32');
  await expect(save({ x: 3 })).rejects.toThrow('saveSafetensors: x must be a tensor: 3');
  for (const [given, shown] of [
    [zeros([2]), 'Tensor'],
    [null, 'null'],
    [[zeros([2])], '[Tensor]'],
    [new Set([zeros([2])]), 'Set'],
    [new nn.Linear(2, 2), 'Linear'],
    [Promise.resolve({}), 'Promise'],
  ] as const) {
    const wrong = 'saveSafetensors: an object or a Map of tensors by name was expected';
    await expect(save(given)).rejects.toThrow(`${wrong}: ${shown}`);
  }
  await expect(save(new Map([[1, zeros([2])]]))).rejects.toThrow('saveSafetensors: names must be strings: 1');
  await expect(save({ __metadata__: zeros([2]) })).rejects.toThrow(/the name is reserved/);
  expect(readFileSync(path, 'utf8')).toBe('old');
  const where = dirname(path);
  await expect(saveSafetensors(where, { x: zeros([2]) })).rejects.toThrow(
    `saveSafetensors: ${where}: a folder is there`,
  );
});

test('a missing file', async () => {
  await expect(loadSafetensors(folder.path('nowhere'))).rejects.toThrow(/^loadSafetensors: .*nowhere: ENOENT/);
});
