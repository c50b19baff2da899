// Composites over the index and join rows, and those rows in place: the rows themselves are tested in test/ops.
import {
  arange,
  concat,
  embedding,
  grad,
  gradcheck,
  ones,
  stack,
  type Tensor,
  tensor,
  zeros,
} from '../../lib/index.js';

const whole = (...values: number[]) => tensor(Int32Array.from(values));
const matrix = (rows: number, columns: number) =>
  arange(rows * columns)
    .cast('float64')
    .reshape([rows, columns]);
const leaf = (t: Tensor) => {
  t.requiresGrad = true;
  return t;
};

describe('indices', () => {
  test('may be plain numbers, an Int32Array, or a tensor of bytes', () => {
    const x = matrix(3, 2);
    const expected = [
      [4, 5],
      [0, 1],
    ];
    for (const index of [[2, 0], Int32Array.of(2, 0), tensor(Uint8Array.of(2, 0)), whole(2, 0)]) {
      expect(x.indexSelect(0, index).toArraySync()).toEqual(expected);
    }
  });

  test('take counts elements row by row', () => {
    expect(matrix(2, 3).transpose().take(whole(1, 5)).toArraySync()).toEqual([3, 5]);
  });

  test('adding in place changes the tensor itself', () => {
    const x = zeros([3, 2]);
    expect(x.indexAdd_(0, [2, 2], ones([2, 2]))).toBe(x);
    expect(x.toArraySync()).toEqual([
      [0, 0],
      [0, 0],
      [2, 2],
    ]);
    expect(
      x
        .transpose()
        .scatterAdd_(0, whole(0, 1, 1).reshape([1, 3]), ones([1, 3]))
        .toArraySync(),
    ).toEqual([
      [1, 0, 2],
      [0, 1, 3],
    ]);
    expect(x.toArraySync()).toEqual([
      [1, 0],
      [0, 1],
      [2, 3],
    ]);
  });

  test('a tensor can be added to itself', () => {
    const x = matrix(2, 2);
    expect(x.indexAdd_(0, [1, 1], x).toArraySync()).toEqual([
      [0, 1],
      [4, 7],
    ]);
  });

  test('one index out of range adds nothing', () => {
    const x = zeros([40, 1000]);
    const index = Int32Array.from({ length: 40 }, (_, i) => (i === 33 ? 40 : i));
    expect(() => {
      x.indexAdd_(0, index, ones([40, 1000]));
      x.dataSync();
    }).toThrow('indexAdd_: index 40 is out of range [0, 40): at position [33]');
    expect(x.sum().itemSync()).toBe(0);
  });

  test('a failure on the stream names the line that made the call', async () => {
    const big = zeros([1200, 1200]);
    const out = big.indexSelect(0, [1200]);
    await expect(out.data()).rejects.toThrow(/index 1200 is out of range \[0, 1200\)(.|\n)*ops-indexing\.test\.ts/);
  });

  test('sums do not depend on the number of threads', () => {
    const index = Int32Array.from({ length: 50000 }, (_, i) => (i * 7919) % 10);
    const src = arange(50000).cast('float32').mul(0.1).sin();
    const plain = new Float32Array(10);
    const values = src.dataSync();
    index.forEach((k, i) => {
      plain[k] += values[i];
    });
    expect(zeros([10]).indexAdd(0, index, src).dataSync()).toEqual(plain);
  });
});

describe('embedding', () => {
  test('looks up rows for indices of any shape', () => {
    const out = embedding(matrix(4, 2), whole(3, 0, 1, 1).reshape([2, 2]));
    expect(out.toArraySync()).toEqual([
      [
        [6, 7],
        [0, 1],
      ],
      [
        [2, 3],
        [2, 3],
      ],
    ]);
  });

  test.each([1, -3])('no gradient reaches the row of padding (%i)', (paddingIdx) => {
    const weight = leaf(matrix(4, 2));
    const out = embedding(weight, [1, 0, 1, 3, 3], { paddingIdx });
    expect(out.select(0, 0).toArraySync()).toEqual([2, 3]);
    const [g] = grad(out.mul(out).sum(), [weight], { createGraph: true });
    expect(g.toArraySync()).toEqual([
      [0, 2],
      [0, 0],
      [0, 0],
      [24, 28],
    ]);
    const [h] = grad(g.sum(), [weight]);
    expect(h.toArraySync()).toEqual([
      [2, 2],
      [0, 0],
      [0, 0],
      [4, 4],
    ]);
  });

  test('refuses what is no matrix, and padding that is no row', () => {
    expect(() => embedding(zeros([4]), [0])).toThrow('embedding: weight must be a matrix [rows, columns]: [4]');
    expect(() => embedding(zeros([4, 2]), [0], { paddingIdx: 4 })).toThrow(
      'embedding: paddingIdx must be a whole number from -4 to 3: 4',
    );
  });
});

describe('joining and cutting', () => {
  test('concat meets at the larger dtype, and takes thousands', () => {
    const joined = concat([whole(1, 2), tensor([0.5])]);
    expect([joined.dtype, joined.toArraySync()]).toEqual(['float32', [1, 2, 0.5]]);
    const many = Array.from({ length: 2500 }, (_, i) => whole(i));
    expect(concat(many).toArraySync()).toEqual(many.map((_, i) => i));
  });

  test("stack and unbind are each other's opposite, along any axis", () => {
    const parts = [matrix(2, 3), matrix(2, 3).neg()];
    for (const axis of [0, 1, 2, -1, -3]) {
      const whole = stack(parts, axis);
      expect(whole.unbind(axis).map((t) => t.toArraySync())).toEqual(parts.map((t) => t.toArraySync()));
    }
    expect(stack(parts, -1).shape).toEqual([2, 3, 2]);
  });

  test('split and chunk', () => {
    const shapes = (parts: Tensor[]) => parts.map((t) => t.shape[1]);
    const x = matrix(2, 7);
    expect(shapes(x.split(3, 1))).toEqual([3, 3, 1]);
    expect(shapes(x.split([2, 0, 5], -1))).toEqual([2, 0, 5]);
    expect(shapes(x.chunk(3, 1))).toEqual([3, 3, 1]);
    expect(shapes(x.chunk(9, 1))).toEqual([1, 1, 1, 1, 1, 1, 1]);
    expect(zeros([2, 0]).split(3, 1)[0].shape).toEqual([2, 0]);
  });

  test('gradients flow through the parts to their places', () => {
    const x = leaf(matrix(2, 3));
    const [a, , c] = x.split(1, 1);
    a.mul(2).add(c.mul(3)).sum().backward();
    expect(x.grad?.toArraySync()).toEqual([
      [2, 0, 3],
      [2, 0, 3],
    ]);
  });
});

describe('pad', () => {
  test('the last axis comes first, negative amounts cut off', () => {
    expect(matrix(2, 2).pad([1, 0, 0, 1], { value: 9 }).toArraySync()).toEqual([
      [9, 0, 1],
      [9, 2, 3],
      [9, 9, 9],
    ]);
    expect(matrix(2, 3).pad([-1, 1]).toArraySync()).toEqual([
      [1, 2, 0],
      [4, 5, 0],
    ]);
  });

  test('modes', () => {
    const x = arange(4);
    expect(x.pad([2, 3], { mode: 'reflect' }).toArraySync()).toEqual([2, 1, 0, 1, 2, 3, 2, 1, 0]);
    expect(x.pad([2, 3], { mode: 'replicate' }).toArraySync()).toEqual([0, 0, 0, 1, 2, 3, 3, 3, 3]);
    expect(x.pad([4, 3], { mode: 'circular' }).toArraySync()).toEqual([0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2]);
  });

  test.each(['constant', 'reflect', 'replicate', 'circular'] as const)('gradient of mode %s', (mode) => {
    const x = leaf(matrix(3, 4));
    expect(gradcheck((t) => t.pad([2, 1, 1, 2], { mode }).square(), [x])).toBeTruthy();
  });
});

describe('repeating', () => {
  test('tile, repeat, repeatInterleave', () => {
    const x = matrix(1, 2);
    expect(x.tile([2]).toArraySync()).toEqual([[0, 1, 0, 1]]);
    expect(x.tile([2, 2]).toArraySync()).toEqual([
      [0, 1, 0, 1],
      [0, 1, 0, 1],
    ]);
    expect(x.repeat([2, 1, 1]).shape).toEqual([2, 1, 2]);
    expect(x.tile([0, 1]).shape).toEqual([0, 2]);
    expect(matrix(2, 2).repeatInterleave(2, 1).toArraySync()).toEqual([
      [0, 0, 1, 1],
      [2, 2, 3, 3],
    ]);
    expect(matrix(2, 2).repeatInterleave(2, 0).toArraySync()).toEqual([
      [0, 1],
      [0, 1],
      [2, 3],
      [2, 3],
    ]);
  });

  test('gradients add up', () => {
    const x = leaf(matrix(2, 2));
    x.tile([3, 2]).sum().backward();
    expect(x.grad?.toArraySync()).toEqual([
      [6, 6],
      [6, 6],
    ]);
  });

  test('rows are added in their order, whoever adds them', () => {
    const [rows, width, targets] = [6000, 24, 50];
    const index = Int32Array.from({ length: rows }, (_, i) => (i * 7919) % targets);
    const src = arange(rows * width)
      .cast('float32')
      .mul(0.1)
      .sin()
      .reshape([rows, width]);
    const plain = new Float32Array(targets * width);
    src.dataSync().forEach((value, i) => {
      plain[index[Math.floor(i / width)] * width + (i % width)] += Number(value);
    });
    expect(zeros([targets, width]).indexAdd(0, index, src).dataSync()).toEqual(plain);
    // Rows that are columns of memory.
    const columns = src.transpose().contiguous().transpose();
    expect(zeros([targets, width]).indexAdd(0, index, columns).dataSync()).toEqual(plain);
  });
});
