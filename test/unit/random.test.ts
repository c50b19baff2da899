import {
  bernoulli,
  defaultGenerator,
  dropout,
  Generator,
  getNumThreads,
  manualSeed,
  normal,
  ones,
  permutation,
  rand,
  randint,
  randn,
  setNumThreads,
  type Tensor,
  tensor,
  uniform,
} from '../../lib/index.js';

const seed = 2024;
const generator = () => new Generator(seed);
const numbers = (t: Tensor): number[] => Array.from(t.dataSync());
const mean = (x: ArrayLike<number>) => Array.from(x).reduce((a, b) => a + b, 0) / x.length;

/** Central moments 1 (raw) to 4 of standardised data: mean, variance, skewness, kurtosis. */
function moments(x: readonly number[]): number[] {
  const m = mean(x);
  const central = (k: number) => mean(x.map((v) => (v - m) ** k));
  const variance = central(2);
  return [m, variance, central(3) / variance ** 1.5, central(4) / variance ** 2];
}

/** The largest distance between the numbers' distribution and the one asked for (Kolmogorov and Smirnov), times sqrt(n). */
function ksDistance(x: readonly number[], below: (v: number) => number): number {
  const sorted = Float64Array.from(x).sort();
  const n = sorted.length;
  let worst = 0;
  sorted.forEach((v, i) => {
    worst = Math.max(worst, Math.abs(below(v) - i / n), Math.abs(below(v) - (i + 1) / n));
  });
  return worst * Math.sqrt(n);
}

function erf(x: number): number {
  let sum = 0;
  let power = x;
  for (let n = 0; n < 200; n++) {
    sum += power / (2 * n + 1);
    power *= -(x * x) / (n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

// The seeds are fixed, so these hold or fail for good; the bounds are what a fair stream exceeds once in 10,000 seeds.
const ksBound = 2.2;
const n = 200000;

describe('uniform', () => {
  test.each(['float32', 'float64'] as const)('%s fills [0, 1) evenly', (dtype) => {
    const x = numbers(rand([n], { generator: generator(), dtype }));
    expect(Math.min(...x.slice(0, 1000))).toBeGreaterThanOrEqual(0);
    expect(x.every((v) => v >= 0 && v < 1)).toBe(true);
    expect(ksDistance(x, (v) => v)).toBeLessThan(ksBound);
  });

  test('never gives the upper bound, however narrow the range', () => {
    const high = 1 + 2 ** -23;
    const x = numbers(uniform([10000], { low: 1, high, generator: generator() }));
    expect(new Set(x)).toEqual(new Set([1]));
    const wide = numbers(uniform([100000], { low: 16777214, high: 16777216, generator: generator() }));
    expect([...new Set(wide)].sort()).toEqual([16777214, 16777215]);
  });

  test('low and high may be equal', () => {
    expect(numbers(uniform([3], { low: 2.5, high: 2.5 }))).toEqual([2.5, 2.5, 2.5]);
  });

  test('neighbours are not correlated', () => {
    const x = numbers(rand([n], { generator: generator() })).map((v) => v - 0.5);
    for (const lag of [1, 2, 3, 4, 5, 512]) {
      const r = mean(x.slice(lag).map((v, i) => v * x[i])) * 12;
      expect(Math.abs(r) * Math.sqrt(n)).toBeLessThan(4);
    }
  });
});

describe('normal', () => {
  test.each(['float32', 'float64'] as const)('%s has the moments and the shape', (dtype) => {
    const x = numbers(randn([n], { generator: generator(), dtype }));
    const [m, variance, skewness, kurtosis] = moments(x);
    expect(Math.abs(m) * Math.sqrt(n)).toBeLessThan(4);
    expect(Math.abs(variance - 1) * Math.sqrt(n / 2)).toBeLessThan(4);
    expect(Math.abs(skewness) * Math.sqrt(n / 6)).toBeLessThan(4);
    expect(Math.abs(kurtosis - 3) * Math.sqrt(n / 24)).toBeLessThan(4);
    expect(ksDistance(x, (v) => 0.5 + 0.5 * erf(Math.max(-6, Math.min(6, v)) / Math.SQRT2))).toBeLessThan(ksBound);
  });

  test('the tails are there, and finite', () => {
    const count = 1 << 24;
    const z = randn([count], { generator: generator() });
    expect(z.isFinite().all().itemSync()).toBe(1);
    // P(|z| > 4) = 6.334e-5, P(|z| > 5) = 5.733e-7
    const beyond = (limit: number) => z.abs().gt(limit).sum().itemSync();
    expect(Math.abs(beyond(4) - count * 6.334e-5)).toBeLessThan(4 * Math.sqrt(count * 6.334e-5));
    expect(Math.abs(beyond(5) - count * 5.733e-7)).toBeLessThan(4 * Math.sqrt(count * 5.733e-7));
  });

  test('the two of a pair are independent', () => {
    const x = numbers(randn([n], { generator: generator() }));
    const even = x.filter((_, i) => i % 2 === 0);
    const odd = x.filter((_, i) => i % 2 === 1);
    const correlation = (f: (v: number) => number, scale: number) =>
      (mean(even.map((v, i) => f(v) * f(odd[i]))) / scale) * Math.sqrt(n / 2);
    expect(Math.abs(correlation((v) => v, 1))).toBeLessThan(4);
    expect(Math.abs(correlation((v) => v * v - 1, 2))).toBeLessThan(4);
  });

  test('takes a mean and a deviation', () => {
    const x = numbers(normal([n], { mean: -3, std: 0.5, generator: generator() }));
    const [m, variance] = moments(x);
    expect(Math.abs(m + 3)).toBeLessThan((4 * 0.5) / Math.sqrt(n));
    expect(Math.abs(variance - 0.25)).toBeLessThan(0.25 * 4 * Math.sqrt(2 / n));
  });
});

describe('choices', () => {
  test('bernoulli has its probability, as a number or a tensor', () => {
    const p = 0.3;
    expect(Math.abs(mean(numbers(bernoulli([n], { p, generator: generator() }))) - p)).toBeLessThan(
      4 * Math.sqrt((p * (1 - p)) / n),
    );
    const rows = bernoulli([3, 1000], { p: tensor([[0], [0.5], [1]]), generator: generator(), dtype: 'int32' });
    const sums = numbers(rows.sum(1));
    expect([sums[0], sums[2]]).toEqual([0, 1000]);
    expect(Math.abs(sums[1] - 500)).toBeLessThan(4 * Math.sqrt(250));
    expect(rows.dtype).toBe('int32');
  });

  test('randint takes every number as often', () => {
    const counts = new Array(7).fill(0);
    for (const v of numbers(randint(-3, 4, [n], { generator: generator() }))) counts[v + 3]++;
    const expected = n / 7;
    const chiSquare = counts.reduce((sum, c) => sum + (c - expected) ** 2 / expected, 0);
    expect(chiSquare).toBeLessThan(27.9); // 6 degrees of freedom, 1 in 10,000
  });

  test('permutation holds each number once, and every order is as likely', () => {
    const order = numbers(permutation(1000, { generator: generator() }));
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    const g = generator();
    const seen = new Map<string, number>();
    const draws = 12000;
    for (let i = 0; i < draws; i++) {
      const key = numbers(permutation(4, { generator: g })).join('');
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
    const expected = draws / 24;
    const chiSquare = [...seen.values()].reduce((sum, c) => sum + (c - expected) ** 2 / expected, 0);
    expect(seen.size).toBe(24);
    expect(chiSquare).toBeLessThan(54); // 23 degrees of freedom, 1 in 4,000
  });

  test('dropout keeps the mean, and drops the same elements of the gradient', () => {
    const x = ones([n], { requiresGrad: true });
    const out = dropout(x, { p: 0.2, generator: generator() });
    const kept = numbers(out);
    expect(new Set(kept)).toEqual(new Set([0, 1.25]));
    expect(Math.abs(mean(kept) - 1)).toBeLessThan(4 * Math.sqrt(0.25 / n));
    out.sum().backward();
    expect(numbers(x.grad as Tensor)).toEqual(kept);
    expect(dropout(x, { training: false })).toBe(x);
    expect(numbers(x.dropout({ p: 1 }).slice({ end: 3 }))).toEqual([0, 0, 0]);
  });
});

describe('generators', () => {
  const drawAll = (g: Generator): number[] => [
    ...numbers(rand([5], { generator: g })),
    ...numbers(randn([3], { generator: g, dtype: 'float64' })),
    ...numbers(permutation(6, { generator: g })),
    ...numbers(bernoulli([9], { generator: g })),
    ...numbers(randint(0, 100, [4], { generator: g })),
  ];

  test('the same seed gives the same numbers, another seed others, and calls go on where the last one ended', () => {
    expect(drawAll(new Generator(1))).toEqual(drawAll(new Generator(1)));
    expect(drawAll(new Generator(1))).not.toEqual(drawAll(new Generator(2)));
    expect(drawAll(new Generator(1))).not.toEqual(drawAll(new Generator(2 ** 32 + 1)));
    const g = new Generator(1);
    expect(drawAll(g)).not.toEqual(drawAll(g));
  });

  test('a saved state draws the same again', () => {
    const g = new Generator(1);
    drawAll(g);
    const state = JSON.parse(JSON.stringify(g.getState()));
    const next = drawAll(g);
    expect(drawAll(new Generator(9).setState(state))).toEqual(next);
  });

  test('manualSeed restarts the default generator, which seeds itself otherwise', () => {
    expect(manualSeed(5)).toBe(defaultGenerator);
    const first = numbers(rand([4]));
    manualSeed(5);
    expect(numbers(rand([4]))).toEqual(first);
    expect(new Generator().seed).not.toBe(new Generator().seed);
  });

  test('the number of threads changes nothing', () => {
    const threads = getNumThreads();
    const draw = (count: number) => {
      setNumThreads(count);
      const g = generator();
      return [
        uniform([100001], { generator: g }),
        normal([100001], { generator: g }),
        permutation(5000, { generator: g }),
      ]
        .map((t) => numbers(t).join())
        .join('|');
    };
    try {
      const alone = draw(1);
      for (const count of [2, 3, 7]) expect(draw(count) === alone).toBe(true);
    } finally {
      setNumThreads(threads);
    }
  });
});
