import { setTimeout as pause } from 'node:timers/promises';
import { enableGrad, isGradEnabled, noGrad, tensor } from '../../lib/index.js';

const leaf = (...values: number[]) => tensor(values, { requiresGrad: true });

describe('noGrad', () => {
  test('records nothing inside and everything outside', () => {
    const x = leaf(1);
    const y = noGrad(() => x.mul(2));
    expect(y.requiresGrad).toBe(false);
    expect(x.mul(2).requiresGrad).toBe(true);
    expect(isGradEnabled()).toBe(true);
    expect(noGrad(isGradEnabled)).toBe(false);
    expect(noGrad(() => enableGrad(isGradEnabled))).toBe(true);
  });

  test('ends when its function throws or rejects', async () => {
    expect(() =>
      noGrad(() => {
        throw new Error('inside');
      }),
    ).toThrow('inside');
    expect(isGradEnabled()).toBe(true);
    await expect(
      noGrad(async () => {
        await pause(1);
        throw new Error('later');
      }),
    ).rejects.toThrow('later');
    expect(isGradEnabled()).toBe(true);
  });

  test('lasts as long as its async function, and only for it', async () => {
    const x = leaf(1);
    const inside: boolean[] = [];
    const outside: boolean[] = [];
    const quiet = noGrad(async () => {
      for (let i = 0; i < 5; i++) {
        inside.push(x.mul(2).requiresGrad);
        await pause(1);
      }
      await Promise.all(
        [1, 2].map(async (n) => {
          await pause(n);
          inside.push(x.mul(2).requiresGrad);
        }),
      );
      return 'done';
    });
    for (let i = 0; i < 8; i++) {
      outside.push(x.mul(2).requiresGrad);
      await pause(1);
    }
    expect(await quiet).toBe('done');
    expect(inside).toEqual(new Array(7).fill(false));
    expect(outside).toEqual(new Array(8).fill(true));
    expect(isGradEnabled()).toBe(true);
  });

  test('many interleaved async functions each keep their own mode', async () => {
    const x = leaf(1);
    const wrong: string[] = [];
    const job = async (grad: boolean, n: number) => {
      for (let i = 0; i < 20; i++) {
        if (x.mul(2).requiresGrad !== grad) wrong.push(`${n} at ${i}`);
        await (i % 2 ? pause(0) : null);
        const inner = noGrad(() => x.mul(2).requiresGrad);
        if (inner) wrong.push(`${n} inner at ${i}`);
      }
    };
    await Promise.all(
      Array.from({ length: 10 }, (_, n) => (n % 2 ? noGrad(() => job(false, n)) : enableGrad(() => job(true, n)))),
    );
    expect(wrong).toEqual([]);
  });

  test('a backward pass that others interleave with is not disturbed', async () => {
    const train = async () => {
      const w = leaf(1);
      for (let step = 0; step < 20; step++) {
        const loss = w.mul(w).sum();
        await pause(0);
        loss.backward();
        expect(w.grad?.dataSync()[0]).toBe(2);
        w.grad = null;
      }
    };
    const evaluate = () =>
      noGrad(async () => {
        const w = leaf(1);
        for (let step = 0; step < 20; step++) {
          expect(w.mul(w).requiresGrad).toBe(false);
          await pause(0);
        }
      });
    await Promise.all([train(), evaluate(), train(), evaluate()]);
  });

  test.each([
    ['noGrad', () => noGrad(3 as never), 'noGrad: a function was expected: 3'],
    ['enableGrad', () => enableGrad(undefined as never), 'enableGrad: a function was expected: undefined'],
  ])('%s refuses what is no function', (_name, call, message) => {
    expect(call).toThrow(message);
  });
});
