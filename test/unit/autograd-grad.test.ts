import { grad, noGrad, type Tensor, tensor, zeros } from '../../lib/index.js';

const leaf = (...values: number[]) => tensor(values, { requiresGrad: true });
const numbers = (t: Tensor | null) => (t === null ? null : [...t.dataSync()]);

describe('grad', () => {
  test('returns gradients and leaves `grad` alone, of leaves it was not asked for too', () => {
    const a = leaf(2, 3);
    const b = leaf(5, 7);
    const [ga] = grad(a.mul(b).sum(), [a]);
    expect(numbers(ga)).toEqual([5, 7]);
    expect([a.grad, b.grad]).toEqual([null, null]);
  });

  test('of several outputs, each with a gradient to start from', () => {
    const x = leaf(1, 2);
    const [g] = grad([x.mul(2), x.mul(x)], [x], { gradOutputs: [tensor([1, 10]), tensor([100, 1000])] });
    expect(numbers(g)).toEqual([202, 4020]);
  });

  test('with respect to intermediate tensors, together with what they come from', () => {
    const x = leaf(3);
    const y = x.mul(x);
    const z = y.mul(y);
    const [gy, gx, gz] = grad(z, [y, x, z]);
    expect(numbers(gy)).toEqual([18]);
    expect(numbers(gx)).toEqual([108]);
    expect(numbers(gz)).toEqual([1]);
  });

  test('does not visit what leads elsewhere', () => {
    const x = leaf(3);
    const w = leaf(4);
    const other = w.mul(2);
    let visited = false;
    other.registerHook(() => {
      visited = true;
    });
    const [g] = grad(x.mul(2).add(other), [x]);
    expect(numbers(g)).toEqual([2]);
    expect(visited).toBe(false);
  });

  test('an input that the outputs do not depend on is an error, or null with allowUnused', () => {
    const x = leaf(1);
    const unused = leaf(2);
    const y = x.mul(3);
    expect(() => grad(y, [x, unused], { retainGraph: true })).toThrow(
      'grad: the outputs do not depend on this input (allowUnused gives null instead): [1] float32',
    );
    const [gx, gu] = grad(y, [x, unused], { allowUnused: true });
    expect(numbers(gx)).toEqual([3]);
    expect(gu).toBeNull();
  });

  test('the same input asked for twice is answered twice', () => {
    const x = leaf(2);
    const gs = grad(x.mul(x), [x, x]);
    expect(gs.map(numbers)).toEqual([[4], [4]]);
    gs[0].dispose();
    expect(numbers(gs[1])).toEqual([4]);
  });

  test('derivatives of any order', () => {
    const x = leaf(2);
    let y: Tensor = x.mul(x).mul(x).mul(x); // x^4: 32, 48, 48, 24, 0
    const found: unknown[] = [];
    for (let order = 1; order <= 4; order++) {
      [y] = grad(y, [x], { createGraph: true });
      found.push(numbers(y)?.[0]);
    }
    expect(found).toEqual([32, 48, 48, 24]);
  });

  test('backward() with createGraph makes gradients that have gradients', () => {
    const x = leaf(3);
    x.mul(x).mul(x).backward(undefined, { createGraph: true });
    expect(x.grad?.requiresGrad).toBe(true);
    const penalty = (x.grad as Tensor).mul(x.grad as Tensor); // 9 x^4
    const [g] = grad(penalty, [x]);
    expect(numbers(g)).toEqual([36 * 27]);
  });

  test('a gradient penalty trains what the gradient depends on', () => {
    const w = leaf(2);
    const x = leaf(5);
    const [gx] = grad(w.mul(w).mul(x), [x], { createGraph: true });
    gx.mul(gx).backward(); // w^4
    expect(numbers(w.grad)).toEqual([32]);
  });

  test('second derivatives flow on to what gradOutputs was made from', () => {
    const x = leaf(3);
    const v = leaf(7);
    const [g] = grad(x.mul(x), [x], { gradOutputs: [v], createGraph: true });
    expect(numbers(grad(g, [v])[0])).toEqual([6]);
  });

  test('works inside noGrad on a graph that was made outside', () => {
    const x = leaf(3);
    const y = x.mul(x);
    expect(numbers(noGrad(() => grad(y, [x]))[0])).toEqual([6]);
  });

  test.each([
    [
      'an input without grad',
      () => grad(leaf(1).mul(2), [zeros([2])]),
      'grad: an input does not require grad: [2] float32',
    ],
    [
      'an output without grad',
      () => grad(zeros([]), [leaf(1)]),
      'grad: nothing that requires grad leads to this tensor: [] float32',
    ],
    [
      'inputs that are no array',
      () => grad(leaf(1).mul(2), leaf(1) as never),
      'grad: inputs must be an array of tensors: Tensor',
    ],
    ['no inputs', () => grad(leaf(1).mul(2), []), 'grad: inputs must be an array of tensors: []'],
    [
      'outputs that are no tensors',
      () => grad([1] as never, [leaf(1)]),
      'grad: outputs must be an array of tensors: [1]',
    ],
    [
      'too few gradOutputs',
      () => grad([leaf(1).mul(2), leaf(1).mul(2)], [leaf(1)], { gradOutputs: [zeros([1])] }),
      'grad: one gradOutput for each output is needed: 1 for 2',
    ],
  ])('refuses %s', (_name, call, message) => {
    expect(call).toThrow(message);
  });
});
