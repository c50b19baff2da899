import { interleave, quantile, type Runner, timingOf } from '../../benchmarks/timer.js';

test('quantiles lie between neighbours', () => {
  expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5);
  expect(quantile([1, 2, 3, 4], 0.25)).toBe(1.75);
  expect(quantile([7], 0.75)).toBe(7);
  expect(quantile([1, 2], 1)).toBe(2);
});

test('a timing is the median and the quartiles, whatever the order of the samples', () => {
  expect(timingOf([5, 1, 4, 2, 3], 8)).toEqual({ median: 3, low: 2, high: 4, best: 1, samples: 5, calls: 8 });
});

test('runners take turns, forwards and backwards, with enough calls to fill a sample', async () => {
  const log: string[] = [];
  const runner = (name: string, secondsACall: number): Runner => ({
    name,
    run: (calls) => {
      log.push(`${name}${calls}`);
      return calls * secondsACall;
    },
  });
  const [fast, slow] = await interleave([runner('a', 0.001), runner('b', 1)], {
    sampleSeconds: 0.01,
    samples: 4,
    patience: 100,
    warmSeconds: 0,
    jobWarmSeconds: 0,
  });
  expect(fast).toMatchObject({ calls: 10, samples: 4 });
  expect(fast.median).toBeCloseTo(0.001, 12);
  expect(slow).toMatchObject({ calls: 1, samples: 4, median: 1 });
  const samples = log.filter((entry) => entry === 'a10' || entry === 'b1').slice(-8);
  expect(samples.filter((entry) => entry === 'a10')).toHaveLength(4);
  expect(log.indexOf('a10')).toBeGreaterThan(log.indexOf('a1'));
});

test.each([
  ['less than its share of the patience', 0.1, 9, 12],
  ['a good part of the patience', 0.6, 3, 6],
  ['more than the patience', 2, 1, 4],
  ['many times the patience', 5, 1, 3],
])('a call that takes %s', async (_, secondsACall, samples, made) => {
  let calls = 0;
  const run = (n: number) => {
    calls += n;
    return n * secondsACall;
  };
  const effort = { sampleSeconds: 0.01, samples: 9, patience: 1, warmSeconds: 0, jobWarmSeconds: 0 };
  const [timing] = await interleave([{ name: 'slow', run }], effort);
  expect(timing).toMatchObject({ samples, calls: 1, median: secondsACall });
  expect(calls).toBeLessThanOrEqual(made);
});
