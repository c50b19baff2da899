import { setTimeout as pause } from 'node:timers/promises';
import {
  keep,
  memory,
  ones,
  resetPeakMemory,
  setMemoryLimit,
  synchronize,
  type Tensor,
  tensor,
  tidy,
  trimMemory,
  zeros,
} from '../../lib/index.js';
import { collectGarbage } from '../support/garbage.js';

const numbers = (t: Tensor) => [...t.dataSync()];
const live = () => memory().buffers;

beforeEach(() => collectGarbage());

describe('memory that is used again', () => {
  test('is not what a view still holds', () => {
    const t = tensor([1, 2, 3, 4]).add(1);
    const view = t.reshape([2, 2]);
    t.dispose();
    const others = [10, 20, 30].map((n) => ones([4]).mul(n));
    expect(numbers(view)).toEqual([2, 3, 4, 5]);
    expect(others.map(numbers)).toEqual([10, 20, 30].map((n) => [n, n, n, n]));
  });

  test('is not what the graph of a disposed tensor still holds', () => {
    const x = tensor([1, 2, 3]);
    x.requiresGrad = true;
    const y = x.mul(2);
    const z = y.mul(y).sum();
    y.dispose();
    for (let i = 0; i < 10; i++) ones([3]).mul(i).dispose();
    z.backward();
    expect(numbers(x.grad as Tensor)).toEqual([8, 16, 24]);
  });

  test('of a call that failed is as good as any', () => {
    const before = live();
    const index = tensor([7], { dtype: 'int32' });
    const x = ones([4]);
    x.add(1).dispose();
    expect(() => x.indexSelect(0, index).dataSync()).toThrow('index 7 is out of range [0, 4)');
    const y = x.add(2);
    expect(numbers(y)).toEqual([3, 3, 3, 3]);
    for (const t of [index, x, y]) t.dispose();
    expect(live()).toBe(before);
  });

  test('of another size is not mistaken for its own', () => {
    for (const size of [1, 500, 3, 64, 0, 17]) {
      const t = ones([size]).mul(size);
      expect(numbers(t)).toEqual(new Array(size).fill(size));
      t.dispose();
    }
  });
});

describe('dispose', () => {
  test('frees at once, and again without effect', () => {
    const before = memory();
    const t = zeros([1000]);
    expect(memory().buffers).toBe(before.buffers + 1);
    expect(memory().bytes).toBe(before.bytes + 4000);
    t.dispose();
    t.dispose();
    expect(memory().buffers).toBe(before.buffers);
    expect(memory().bytes).toBe(before.bytes);
  });

  test('views share a buffer, which lives as long as one of them', () => {
    const before = live();
    const t = tensor([1, 2, 3, 4]);
    const view = t.reshape([2, 2]).transpose();
    expect(live()).toBe(before + 1);
    t.dispose();
    expect(numbers(view)).toEqual([1, 3, 2, 4]);
  });

  test('makes every use an error, and printing safe', () => {
    const t = zeros([2]);
    t.dispose();
    expect(() => t.add(1)).toThrow('add: the tensor was disposed of: a [2] float32');
    expect(() => t.dataSync()).toThrow('dataSync: the tensor was disposed of: [2] float32');
    expect(() => t.detach()).toThrow('detach: the tensor was disposed of: [2] float32');
    expect(() => t.reshape([2, 1])).toThrow(/^reshape: the tensor was disposed of: /);
    expect(String(t)).toBe('Tensor([2] float32, disposed)');
  });

  test('reads reject when the tensor was disposed of', async () => {
    const t = zeros([2]);
    t.dispose();
    await expect(t.data()).rejects.toThrow('data: the tensor was disposed of: [2] float32');
    await expect(t.item()).rejects.toThrow(/^item: /);
  });

  test('a read under way keeps its memory', async () => {
    const t = ones([1 << 20]);
    const sum = t.mul(2).add(1);
    const data = sum.data();
    sum.dispose();
    t.dispose();
    const found = await data;
    expect(found[0]).toBe(3);
    expect(found[found.length - 1]).toBe(3);
  });

  test('`using` disposes at the end of a block', () => {
    const before = live();
    {
      using t = zeros([3]);
      expect(live()).toBe(before + 1);
      expect(t.size).toBe(3);
    }
    expect(live()).toBe(before);
  });

  test('garbage is collected with its memory', () => {
    const before = live();
    for (let i = 0; i < 100; i++) zeros([100]);
    collectGarbage();
    expect(live() - before).toBeLessThan(10);
  });
});

describe('tidy', () => {
  test('frees all but the result', () => {
    const before = live();
    const t = tidy(() => {
      const a = ones([2]);
      return a.add(1).mul(a);
    });
    expect(numbers(t)).toEqual([2, 2]);
    expect(live()).toBe(before + 1);
  });

  test('finds results in arrays, objects, maps and sets, and through cycles', () => {
    const before = live();
    const cycle: { self?: unknown; t?: Tensor } = {};
    cycle.self = cycle;
    const result = tidy(() => {
      zeros([1]);
      cycle.t = ones([1]);
      return { list: [ones([1]), [ones([1])]], map: new Map([['a', ones([1])]]), set: new Set([ones([1])]), cycle };
    });
    expect(live()).toBe(before + 5);
    expect(numbers(result.map.get('a') as Tensor)).toEqual([1]);
    expect(numbers(result.cycle.t as Tensor)).toEqual([1]);
  });

  test('what an inner one returns is freed by the outer one', () => {
    const before = live();
    tidy(() => {
      const inner = tidy(() => ones([2]).add(1));
      expect(numbers(inner)).toEqual([2, 2]);
    });
    expect(live()).toBe(before);
  });

  test('keep() takes a tensor out of all of them', () => {
    let kept: Tensor | undefined;
    tidy(() => {
      tidy(() => {
        kept = keep(ones([2]));
      });
    });
    expect(numbers(kept as Tensor)).toEqual([1, 1]);
  });

  test('leaves tensors from outside alone', () => {
    const outside = ones([2]);
    const same = tidy(() => outside);
    expect(same).toBe(outside);
    tidy(() => {
      outside.add(1);
    });
    expect(numbers(outside)).toEqual([1, 1]);
  });

  test('frees everything when its function throws or rejects', async () => {
    const before = live();
    expect(() =>
      tidy(() => {
        ones([2]);
        throw new Error('inside');
      }),
    ).toThrow('inside');
    expect(live()).toBe(before);
    await expect(
      tidy(async () => {
        ones([2]);
        await pause(1);
        ones([2]);
        throw new Error('later');
      }),
    ).rejects.toThrow('later');
    expect(live()).toBe(before);
  });

  test('async: waits for the result, and what runs meanwhile keeps its tensors', async () => {
    const before = live();
    const running = tidy(async () => {
      const a = ones([2]);
      await pause(5);
      const b = a.add(1);
      await pause(5);
      return b.mul(2);
    });
    const mine: Tensor[] = [];
    for (let i = 0; i < 5; i++) {
      mine.push(ones([1]).add(i));
      await pause(2);
    }
    const result = await running;
    expect(numbers(result)).toEqual([4, 4]);
    expect(mine.map((t) => t.dataSync()[0])).toEqual([1, 2, 3, 4, 5]);
    collectGarbage();
    expect(live()).toBeLessThanOrEqual(before + 6);
  });

  test('many at once do not mix', async () => {
    const before = live();
    const jobs = Array.from({ length: 20 }, (_, n) =>
      tidy(async () => {
        let t = ones([3]);
        for (let i = 0; i < 5; i++) {
          await pause((n + i) % 3);
          t = t.add(n);
        }
        return t;
      }),
    );
    const results = await Promise.all(jobs);
    expect(results.map((t) => t.dataSync()[0])).toEqual(jobs.map((_, n) => 1 + 5 * n));
    for (const t of results) t.dispose();
    expect(live()).toBe(before);
  });

  test('refuses what is no function', () => {
    expect(() => tidy(3 as never)).toThrow('tidy: a function was expected: 3');
  });
});

describe('the allocator', () => {
  afterEach(() => setMemoryLimit(0));

  test('takes freed memory again: a loop asks the system for none', () => {
    const step = () => tidy(() => void ones([50_000]).add(1).mul(2).sum().dataSync());
    for (let i = 0; i < 5; i++) step();
    const before = memory().systemCalls;
    for (let i = 0; i < 100; i++) step();
    expect(memory().systemCalls).toBe(before);
  });

  test('trimMemory gives the cache back', () => {
    zeros([1 << 20]).dispose();
    synchronize();
    expect(memory().cachedBytes).toBeGreaterThan(0);
    trimMemory();
    expect(memory().cachedBytes).toBe(0);
  });

  test('the peak is counted from the last reset', () => {
    resetPeakMemory();
    const base = memory().peakBytes;
    const t = zeros([1 << 20]);
    t.dataSync();
    t.dispose();
    expect(memory().peakBytes - base).toBeGreaterThanOrEqual(4 << 20);
    resetPeakMemory();
    expect(memory().peakBytes).toBe(memory().allocatedBytes);
  });

  test('a limit makes the op fail that goes past it, and what follows works', async () => {
    trimMemory();
    setMemoryLimit(memory().allocatedBytes + (8 << 20));
    expect(memory().limitBytes).toBeGreaterThan(0);
    const big = zeros([64 << 20]);
    await expect(big.data()).rejects.toThrow(
      /^fill: out of memory on cpu: 268435456 bytes were asked for .*\[67108864\] float32(.|\n)*called at .*memory\.test\.ts/,
    );
    await expect(big.add(1).data()).rejects.toThrow(/^fill: out of memory/);
    big.dispose();
    expect(numbers(ones([3]).add(1))).toEqual([2, 2, 2]);
    setMemoryLimit(0);
    expect(zeros([4 << 20]).dataSync()[5]).toBe(0);
  });

  test('garbage is collected before the limit, also after a tensor that nothing could hold', () => {
    trimMemory();
    setMemoryLimit(memory().allocatedBytes + (512 << 20));
    const loop = () => {
      for (let i = 0; i < 300; i++) zeros([1 << 20]);
      synchronize();
    };
    loop();
    for (let i = 0; i < 2; i++) {
      const huge = zeros([1, 1]).expand([100_000, 100_000]).contiguous();
      expect(() => synchronize()).toThrow(/^copy: out of memory on cpu: 40000000000 bytes were asked for/);
      huge.dispose();
    }
    loop();
  });

  test('garbage of copied arrays is collected before the limit', () => {
    trimMemory();
    setMemoryLimit(memory().allocatedBytes + (400 << 20));
    const array = new Float32Array(1 << 20);
    for (let i = 0; i < 150; i++) tensor(array);
    expect(tensor(array).sum().itemSync()).toBe(0);
  });

  test.each([
    ['a negative limit', () => setMemoryLimit(-1), 'setMemoryLimit: bytes must be a whole number, 0 or more: -1'],
    ['a fraction', () => setMemoryLimit(0.5), 'setMemoryLimit: bytes must be a whole number, 0 or more: 0.5'],
    ['text', () => setMemoryLimit('1' as never), 'setMemoryLimit: bytes must be a whole number, 0 or more: "1"'],
  ])('refuses %s', (_name, call, message) => {
    expect(call).toThrow(message);
  });
});
