import { memory, noGrad, type Tensor, tensor, tidy, zeros } from '../../lib/index.js';
import { collectGarbage } from '../support/garbage.js';

const leaf = (...values: number[]) => tensor(values, { requiresGrad: true });
const numbers = (t: Tensor | null) => (t === null ? null : [...t.dataSync()]);

/** How many buffers more there are after `body` than before, without help of the garbage collector. */
function left(body: () => void): number {
  collectGarbage();
  const before = memory().buffers;
  body();
  return memory().buffers - before;
}

describe('what a graph holds', () => {
  test('saved tensors outlive dispose()', () => {
    const x = leaf(2, 3);
    const a = tensor([4, 5]);
    const y = x.mul(a);
    const z = y.mul(y).sum();
    a.dispose();
    y.dispose();
    z.backward();
    expect(numbers(x.grad)).toEqual([64, 150]);
  });

  test('saved tensors outlive tidy()', () => {
    const x = leaf(2, 3);
    const loss = tidy(() => {
      const a = tensor([4, 5]);
      const y = x.mul(a);
      return y.mul(y).sum();
    });
    loss.backward();
    expect(numbers(x.grad)).toEqual([64, 150]);
  });

  test('gradients made in a tidy() stay with their leaves', () => {
    const x = leaf(2);
    tidy(() => {
      x.mul(x).backward();
    });
    expect(numbers(x.grad)).toEqual([4]);
  });

  test('a saved leaf that was disposed of is still read', () => {
    const w = leaf(3);
    const x = leaf(4);
    const y = w.mul(x);
    w.dispose();
    y.backward();
    expect(numbers(x.grad)).toEqual([3]);
  });

  test('backward() frees all that it made but the gradients', () => {
    const x = leaf(1, 2, 3);
    expect(
      left(() => {
        const y = x.mul(x);
        const squared = y.mul(y);
        const z = squared.add(x);
        const loss = z.sum();
        loss.backward();
        for (const t of [y, squared, z, loss]) t.dispose();
      }),
    ).toBe(1); // x.grad
    expect(
      left(() => {
        for (let i = 0; i < 10; i++) tidy(() => x.mul(x).mul(x).sum().backward());
      }),
    ).toBe(0);
    expect(
      left(() => {
        x.grad?.dispose();
        x.grad = null;
      }),
    ).toBe(-1);
  });

  test('a plain training loop needs the collector only for what JavaScript held', () => {
    const w = leaf(1, 2, 3);
    const step = () => {
      const loss = w.mul(w).sum();
      loss.backward();
      noGrad(() => w.add_((w.grad as Tensor).mul(-0.1)));
      w.grad?.dispose();
      w.grad = null;
    };
    step();
    collectGarbage();
    const before = memory().buffers;
    for (let i = 0; i < 1000; i++) step();
    collectGarbage();
    expect(memory().buffers - before).toBeLessThan(10);
  });

  test('second derivatives free what they made, once disposed of', () => {
    const x = leaf(1, 2);
    x.mul(x).sum().backward();
    const g = x.grad as Tensor;
    const before = numbers(g);
    expect(
      left(() => {
        tidy(() => {
          const y = x.mul(x).mul(x).sum();
          y.backward(undefined, { retainGraph: true });
          y.backward();
        });
      }),
    ).toBe(0);
    expect(before).toEqual([2, 4]);
  });
});

describe('a graph of a million nodes', () => {
  afterEach(() => collectGarbage()); // a worker that ends with a million tensors alive takes seconds to

  test('runs forward and backward without a deep stack', () => {
    const x = zeros([1], { requiresGrad: true });
    let y: Tensor = x;
    for (let i = 0; i < 1_000_000; i++) y = y.add(1);
    expect(y.dataSync()[0]).toBe(1_000_000);
    y.backward();
    expect(numbers(x.grad)).toEqual([1]);
  });

  test('so does a wide one', () => {
    const x = leaf(1);
    const sums: Tensor[] = Array.from({ length: 100_000 }, () => x.mul(2));
    let level = sums;
    while (level.length > 1) {
      const next: Tensor[] = [];
      for (let i = 0; i + 1 < level.length; i += 2) next.push(level[i].add(level[i + 1]));
      if (level.length % 2 === 1) next.push(level[level.length - 1]);
      level = next;
    }
    level[0].backward();
    expect(numbers(x.grad)).toEqual([200_000]);
  });
});
