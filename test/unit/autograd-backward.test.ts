import { noGrad, ones, type Tensor, tensor, zeros } from '../../lib/index.js';

const leaf = (...values: number[]) => tensor(values, { requiresGrad: true });
const numbers = (t: Tensor | null) => (t === null ? null : [...t.dataSync()]);

describe('backward', () => {
  test('gradients of a product and a sum', () => {
    const a = leaf(1, 2, 3);
    const b = leaf(4, 5, 6);
    a.mul(b).sum().backward();
    expect(numbers(a.grad)).toEqual([4, 5, 6]);
    expect(numbers(b.grad)).toEqual([1, 2, 3]);
    expect(a.grad?.requiresGrad).toBe(false);
  });

  test('a tensor used several times collects from all its uses', () => {
    const x = leaf(3);
    x.mul(x).mul(x).add(x).backward(); // x^3 + x
    expect(numbers(x.grad)).toEqual([28]);
  });

  test('gradients of broadcast operands are summed to their shapes', () => {
    const row = tensor([[1, 2, 3]], { requiresGrad: true });
    const column = tensor([[1], [2]], { requiresGrad: true });
    const scalar = leaf(2).reshape([]).detach();
    scalar.requiresGrad = true;
    row.mul(column).mul(scalar).sum().backward();
    expect(row.grad?.shape).toEqual([1, 3]);
    expect(numbers(row.grad)).toEqual([6, 6, 6]);
    expect(column.grad?.shape).toEqual([2, 1]);
    expect(numbers(column.grad)).toEqual([12, 12]);
    expect(scalar.grad?.shape).toEqual([]);
    expect(numbers(scalar.grad)).toEqual([18]);
  });

  test('leaves accumulate over passes, in the tensor they had', () => {
    const x = leaf(1, 2);
    x.mul(2).sum().backward();
    const first = x.grad;
    x.mul(3).sum().backward();
    expect(x.grad).toBe(first);
    expect(numbers(x.grad)).toEqual([5, 5]);
    x.grad = null;
    x.mul(3).sum().backward();
    expect(numbers(x.grad)).toEqual([3, 3]);
  });

  test('accumulating leaves a gradient alone that somebody else holds a view of', () => {
    const x = leaf(1, 2);
    const g = tensor([1, 1]);
    x.backward(g);
    x.backward(g);
    expect(numbers(x.grad)).toEqual([2, 2]);
    expect(numbers(g)).toEqual([1, 1]);
  });

  test('two leaves that get the same gradient do not share it', () => {
    const a = leaf(1, 2);
    const b = leaf(3, 4);
    a.add(b).sum().backward();
    a.mul(1).sum().backward();
    expect(numbers(a.grad)).toEqual([2, 2]);
    expect(numbers(b.grad)).toEqual([1, 1]);
  });

  test('a leaf can be the end itself', () => {
    const x = leaf(5);
    x.backward();
    expect(numbers(x.grad)).toEqual([1]);
  });

  test('views pass gradients on', () => {
    const x = tensor(
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      { requiresGrad: true },
    );
    x.transpose()
      .slice({ start: 1 })
      .flip(0)
      .reshape([4])
      .mul(tensor([1, 2, 3, 4]))
      .sum()
      .backward();
    expect(x.grad?.toArraySync()).toEqual([
      [0, 3, 1],
      [0, 4, 2],
    ]);
  });

  test('a cast passes the gradient back in the dtype of its input', () => {
    const x = leaf(1, 2);
    x.cast('float64').mul(3).sum().backward();
    expect(x.grad?.dtype).toBe('float32');
    expect(numbers(x.grad)).toEqual([3, 3]);
  });

  test('retainGraph lets a graph be used again', () => {
    const x = leaf(3);
    const y = x.mul(x);
    y.backward(undefined, { retainGraph: true });
    y.backward(undefined, { retainGraph: true });
    y.backward();
    expect(numbers(x.grad)).toEqual([18]);
  });

  test('without it the second pass says what to do', () => {
    const x = leaf(3);
    const y = x.mul(x);
    y.backward();
    expect(() => y.backward()).toThrow(
      /^backward of mul: the graph was already used and released; pass \{ retainGraph: true \}/,
    );
    expect(numbers(x.grad)).toEqual([6]);
  });

  test('a released graph that shares nodes with a new one is refused, and the leaf keeps what it had', () => {
    const x = leaf(3);
    const shared = x.mul(x);
    shared.mul(2).backward();
    expect(() => shared.mul(3).backward()).toThrow(/already used and released/);
    expect(numbers(x.grad)).toEqual([12]);
  });

  test('retainGrad keeps the gradient of an intermediate tensor', () => {
    const x = leaf(3);
    const y = x.mul(2).retainGrad();
    const z = x.mul(4);
    y.mul(y).add(z).backward();
    expect(numbers(y.grad)).toEqual([12]);
    expect(z.grad).toBeNull();
    expect(numbers(x.grad)).toEqual([28]);
  });

  test('requiresGrad is set on leaves of a float dtype only', () => {
    const x = leaf(1);
    expect(x.isLeaf).toBe(true);
    const y = x.mul(2);
    expect(y.isLeaf).toBe(false);
    expect(y.requiresGrad).toBe(true);
    expect(() => {
      y.requiresGrad = false;
    }).toThrow("requiresGrad: only a leaf's can be set; use detach(): [1] float32");
    expect(() => {
      zeros([2], { dtype: 'int32' }).requiresGrad = true;
    }).toThrow('requiresGrad: only float tensors have gradients: [2] int32');
  });

  test('detach shares memory and stops gradients', () => {
    const x = leaf(2, 3);
    const stopped = x.detach();
    expect(stopped.requiresGrad).toBe(false);
    x.mul(stopped).sum().backward();
    expect(numbers(x.grad)).toEqual([2, 3]);
    noGrad(() => x.mul(1));
    stopped.fill_(7);
    expect(numbers(x)).toEqual([7, 7]);
  });

  test.each([
    [
      'nothing requires grad',
      () => ones([]).backward(),
      'backward: nothing that requires grad leads to this tensor: [] float32',
    ],
    [
      'several elements and no gradient',
      () => leaf(1, 2).mul(2).backward(),
      'backward: a tensor of more than one element needs a gradient to start from: [2] float32',
    ],
    [
      'a gradient of another shape',
      () =>
        leaf(1, 2)
          .mul(2)
          .backward(ones([3])),
      'backward: gradient and tensor differ in shape: gradient [3], tensor [2]',
    ],
    [
      'a gradient of another dtype',
      () =>
        leaf(1)
          .mul(2)
          .backward(ones([1], { dtype: 'float64' })),
      'backward: gradient and tensor differ in dtype: gradient float64, tensor float32',
    ],
    [
      'a gradient that is no tensor',
      () =>
        leaf(1)
          .mul(2)
          .backward(1 as never),
      'backward: the gradient must be a tensor: 1',
    ],
  ])('refuses: %s', (_name, call, message) => {
    expect(call).toThrow(message);
  });
});

describe('a saved tensor that was changed in place', () => {
  const message =
    /^backward of mul: a was changed in place after it was saved for the gradient; change a clone\(\) instead: /;

  test('is noticed', () => {
    const x = leaf(1, 2);
    const a = tensor([3, 4]);
    const y = a.mul(x).sum();
    a.fill_(0);
    expect(() => y.backward()).toThrow(message);
    expect(x.grad).toBeNull();
  });

  test('through a view of it too', () => {
    const x = leaf(1, 2);
    const a = tensor([3, 4]);
    const y = a.mul(x).sum();
    a.slice({ start: 1 }).zero_();
    expect(() => y.backward()).toThrow(message);
  });

  test('changes before the save, and of what was not saved, do not matter', () => {
    const x = leaf(1, 2);
    const a = tensor([0, 0]);
    a.fill_(3);
    const unsaved = tensor([1, 1]);
    const y = a.mul(x).add(unsaved).sum();
    unsaved.fill_(9);
    y.backward();
    expect(numbers(x.grad)).toEqual([3, 3]);
  });

  test('a change in place by what requires grad is refused, since no gradient would flow', () => {
    const x = leaf(1, 2);
    const a = tensor([3, 4]);
    expect(() => a.add_(x)).toThrow(
      'add_: a change in place is not recorded for gradients; use noGrad, detach() or a new tensor: [2] float32',
    );
    a.add_(x.detach());
    noGrad(() => a.add_(x));
    expect(numbers(a)).toEqual([5, 8]);
  });

  test('a leaf that requires grad can be changed inside noGrad only', () => {
    const x = leaf(1, 2);
    expect(() => x.fill_(3)).toThrow(/changed in place only inside noGrad/);
    noGrad(() => x.fill_(3));
    expect(numbers(x)).toEqual([3, 3]);
    expect(x.requiresGrad).toBe(true);
  });
});
