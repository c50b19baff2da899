import { noGrad, ones, type Tensor, tensor, zeros } from '../../lib/index.js';

const matrix = () =>
  tensor([
    [1, 2, 3],
    [4, 5, 6],
    [7, 8, 9],
  ]);

describe('a change in place reads its inputs as they were', () => {
  test.each<[string, (t: Tensor) => Tensor, number[][]]>([
    [
      'the transposed target',
      (t) => t.transpose(),
      [
        [2, 6, 10],
        [6, 10, 14],
        [10, 14, 18],
      ],
    ],
    [
      'the reversed target',
      (t) => t.flip(),
      [
        [10, 10, 10],
        [10, 10, 10],
        [10, 10, 10],
      ],
    ],
    [
      'its first row, repeated',
      (t) => t.slice({ end: 1 }),
      [
        [2, 4, 6],
        [5, 7, 9],
        [8, 10, 12],
      ],
    ],
    [
      'its last column, repeated',
      (t) => t.narrow(1, 2, 1),
      [
        [4, 5, 6],
        [10, 11, 12],
        [16, 17, 18],
      ],
    ],
    [
      'one element',
      (t) => t.select(0, 1).select(0, 1),
      [
        [6, 7, 8],
        [9, 10, 11],
        [12, 13, 14],
      ],
    ],
    [
      'itself',
      (t) => t,
      [
        [2, 4, 6],
        [8, 10, 12],
        [14, 16, 18],
      ],
    ],
  ])('%s', (_what, view, expected) => {
    const t = matrix();
    expect(t.add_(view(t)).toArraySync()).toEqual(expected);
  });

  test('rows that overlap, shifted by one', () => {
    const t = tensor([1, 2, 3, 4, 5]);
    t.narrow(0, 1, 4).copy_(t.narrow(0, 0, 4));
    expect(t.toArraySync()).toEqual([1, 1, 2, 3, 4]);
  });
});

describe('targets', () => {
  test('views write into what they show', () => {
    const t = zeros([3, 3]);
    t.transpose()
      .slice({ start: 1 })
      .flip(0)
      .copy_(
        tensor([
          [1, 2, 3],
          [4, 5, 6],
        ]),
      );
    expect(t.toArraySync()).toEqual([
      [0, 4, 1],
      [0, 5, 2],
      [0, 6, 3],
    ]);
  });

  test('return themselves', () => {
    const t = ones([2]);
    expect(t.add_(1)).toBe(t);
    expect(t.fill_(3)).toBe(t);
    expect(t.zero_()).toBe(t);
    expect(t.copy_(ones([2]))).toBe(t);
  });

  test('keep their dtype', () => {
    expect(
      ones([2], { dtype: 'int32' })
        .add_(tensor([2, 200], { dtype: 'uint8' }))
        .toArraySync(),
    ).toEqual([3, 201]);
    expect(
      zeros([2])
        .copy_(tensor([true, false]))
        .toArraySync(),
    ).toEqual([1, 0]);
  });

  test.each<[string, () => unknown, string]>([
    [
      'of a smaller shape',
      () => ones([2]).add_(ones([3, 2])),
      'add_: the target has another shape or dtype than the result: target is [2] float32, result is [3, 2] float32',
    ],
    [
      'of a dtype that cannot hold the result',
      () => ones([2], { dtype: 'int32' }).add_(tensor([2.5, 1])),
      'add_: the result is float32 and does not fit the target: [2] int32 and [2] float32',
    ],
    [
      'that are expanded',
      () => ones([1]).expand([2]).add_(1),
      'add_: an expanded tensor cannot be written in place: [2] float32',
    ],
    [
      'that require grad',
      () => ones([2], { requiresGrad: true }).mul_(2),
      'mul_: a tensor that requires grad is changed in place only inside noGrad: [2] float32',
    ],
    [
      'of a recorded call',
      () => ones([2], { requiresGrad: true }).mul(2).mul_(2),
      'mul_: a tensor that requires grad is changed in place only inside noGrad: [2] float32',
    ],
  ])('%s are refused', (_what, call, message) => {
    expect(call).toThrow(message);
  });

  test('that are empty stay so', () => {
    expect(zeros([0, 3]).add_(1).fill_(2).shape).toEqual([0, 3]);
  });

  test('inside noGrad leaves may change and stay leaves', () => {
    const w = ones([2], { requiresGrad: true });
    noGrad(() => w.mul_(3).add_(1));
    expect([w.requiresGrad, w.isLeaf, ...w.dataSync()]).toEqual([true, true, 4, 4]);
  });
});
