// A tensor's shape and strides are plain arrays: who writes to them gets an error from the next op, never memory that is
// not the tensor's.
import { ones, tensor } from '../../lib/index.js';

const any = (value: unknown) => value as never;
const x = ones([2, 3]);

describe('shapes that are written to', () => {
  const far = 5e8;
  const changed = "a tensor's shape, strides or offset were changed and do not fit its memory any more";
  const written = (change: (t: { shape: number[]; strides: number[]; offset: number }) => unknown) => {
    const t = ones([2, 3]);
    change(any(t));
    return t;
  };

  test("a caller's array stays the caller's", () => {
    const shape = [3, 2];
    const made = [
      x.reshape(shape),
      tensor([1, 1, 1, 1, 1, 1], { shape }),
      tensor(new Float32Array(6).fill(1), { shape }),
      ones([1, 2]).expand(shape),
      ones(shape),
    ];
    shape[0] = far;
    for (const t of made) {
      expect(t.shape).toEqual([3, 2]);
      expect(t.sum().itemSync()).toBe(6);
    }
  });

  const changes: [string, Parameters<typeof written>[0]][] = [
    ['a size', ({ shape }) => shape.splice(0, 1, far)],
    ['a size below 0', ({ shape }) => shape.splice(0, 1, -1)],
    ['a size that is no number', ({ shape }) => shape.fill(Number.NaN)],
    ['a whole new shape', (t) => Object.assign(t, { shape: [far, 1] })],
    ['one more axis', ({ shape }) => shape.push(far)],
    ['a stride', ({ strides }) => strides.fill(1e9)],
    ['a stride backwards', ({ strides }) => strides.fill(-1)],
    ['strides that overflow', ({ strides }) => strides.fill(2 ** 63)],
    ['an offset', (t) => Object.assign(t, { offset: 1 })],
    ['an offset before the first', (t) => Object.assign(t, { offset: -1 })],
    ['a wider dtype', (t) => Object.assign(t, { dtype: 'float64' })],
  ];

  test.each(changes)('%s: no op reads outside', (_, change) => {
    expect(() => written(change).sum().itemSync()).toThrow(`sum: ${changed}`);
  });

  test.each(changes)('%s: no op writes outside', (_, change) => {
    expect(() => written(change).fill_(7)).toThrow(
      /^fill_: (a tensor's shape, strides or offset were changed|the target has another shape)/,
    );
  });

  test('nothing is read outside either', async () => {
    const matrix = written(({ shape }) => shape.fill(1000));
    expect(() => matrix.dataSync()).toThrow(changed);
    await expect(matrix.data()).rejects.toThrow(changed);
    const vector = ones([6]);
    (vector.shape as number[]).fill(1000);
    expect(() => vector.dataSync()).toThrow('a read past the end of the storage');
    await expect(vector.data()).rejects.toThrow('a read past the end of the storage');
  });

  test('a gradient is not laid outside of a shape that shrank', () => {
    const w = ones([1000], { requiresGrad: true });
    const y = w.narrow(0, 990, 10).sum();
    (w.shape as number[]).fill(1);
    expect(() => y.backward()).toThrow('place: the tensor does not fit: [10] in [1]');
  });
});
