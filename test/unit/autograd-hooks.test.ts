import { type Tensor, tensor, zeros } from '../../lib/index.js';

const leaf = (...values: number[]) => tensor(values, { requiresGrad: true });
const numbers = (t: Tensor | null) => (t === null ? null : [...t.dataSync()]);

describe('hooks', () => {
  test('see the complete gradient of a leaf, once a pass', () => {
    const x = leaf(3);
    const seen: unknown[] = [];
    x.registerHook((g) => {
      seen.push(numbers(g));
    });
    x.mul(x).add(x).backward();
    expect(seen).toEqual([[7]]);
    expect(numbers(x.grad)).toEqual([7]);
  });

  test('see and replace the gradient of an intermediate tensor', () => {
    const x = leaf(3);
    const y = x.mul(2);
    const seen: unknown[] = [];
    y.registerHook((g) => {
      seen.push(numbers(g));
      return g.mul(10);
    });
    y.mul(y).add(y).backward();
    expect(seen).toEqual([[13]]);
    expect(numbers(x.grad)).toEqual([260]);
  });

  test('run in the order they were added, each on what the one before returned', () => {
    const x = leaf(1);
    x.registerHook((g) => g.add(1));
    x.registerHook((g) => g.mul(5));
    x.mul(2).backward();
    expect(numbers(x.grad)).toEqual([15]);
  });

  test('can be removed, twice without harm, and during a pass', () => {
    const x = leaf(1);
    let calls = 0;
    const remove = x.registerHook(() => {
      calls++;
      remove();
    });
    const other = x.registerHook((g) => {
      calls += 10;
      return g;
    });
    x.mul(2).backward();
    x.mul(2).backward();
    expect(calls).toBe(21);
    other();
    other();
    remove();
    x.mul(2).backward();
    expect(calls).toBe(21);
  });

  test('what a hook is given lives on, and what it returns stays its own', () => {
    const x = leaf(2);
    const kept: Tensor[] = [];
    const replacement = tensor([100]);
    x.mul(3).registerHook((g) => {
      kept.push(g);
    });
    const y = x.mul(3);
    y.registerHook((g) => {
      kept.push(g);
      return replacement;
    });
    y.mul(2).backward();
    expect(kept.map(numbers)).toEqual([[2]]);
    expect(numbers(x.grad)).toEqual([300]);
    expect(numbers(replacement)).toEqual([100]);
    x.grad?.fill_(0);
    expect(numbers(replacement)).toEqual([100]);
  });

  test('an error thrown in one leaves backward(), which can be tried again', () => {
    const x = leaf(2);
    const y = x.mul(x);
    const remove = y.registerHook(() => {
      throw new Error('from the hook');
    });
    const z = y.mul(3);
    expect(() => z.backward(undefined, { retainGraph: true })).toThrow('from the hook');
    expect(x.grad).toBeNull();
    remove();
    z.backward();
    expect(numbers(x.grad)).toEqual([12]);
  });

  test('a hook on a leaf that throws leaves no half-added gradient', () => {
    const x = leaf(2);
    x.mul(5).backward();
    x.registerHook(() => {
      throw new Error('from the hook');
    });
    expect(() => x.mul(7).backward()).toThrow('from the hook');
    expect(numbers(x.grad)).toEqual([5]);
  });

  test.each([
    ['that is no function', () => leaf(1).registerHook(3 as never), 'registerHook: the hook must be a function: 3'],
    [
      'on what requires no grad',
      () => zeros([2]).registerHook(() => {}),
      'registerHook: the tensor does not require grad: [2] float32',
    ],
  ])('refuses a hook %s', (_name, call, message) => {
    expect(call).toThrow(message);
  });

  test('refuses a replacement of another shape, dtype or kind', () => {
    const run = (replacement: unknown) => {
      const x = leaf(1, 2);
      x.registerHook(() => replacement as Tensor);
      return () => x.mul(2).sum().backward();
    };
    expect(run(zeros([3]))).toThrow(
      /^hook: the returned gradient must be of the same shape and dtype: returned \[3\] float32, gradient \[2\] float32$/,
    );
    expect(run(zeros([2], { dtype: 'float64' }))).toThrow(/returned \[2\] float64/);
    expect(run(5)).toThrow('hook: a hook returns a tensor or nothing: 5');
  });
});
