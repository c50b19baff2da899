import { ladderLines, ladderOf } from '../../benchmarks/report/ladder';
import type { Report, Result } from '../../benchmarks/report/report';

const timing = (median: number) => ({ median, low: median, high: median, best: median, samples: 1, calls: 1 });

function result(part: Partial<Result>, own: number, peers: Record<string, number>): Result {
  const timings = Object.fromEntries(Object.entries({ athanor: own, ...peers }).map(([k, v]) => [k, timing(v)]));
  return {
    group: 'gemm',
    name: 'matmul 4096x4096x4096',
    work: 'matmul',
    flops: 2 * 4096 ** 3,
    bytes: 3 * 4 * 4096 ** 2,
    rows: [],
    differences: {},
    tolerance: 0,
    failures: [],
    ...part,
    timings,
  };
}

const report = (...results: Result[]) => ({ results }) as unknown as Report;

test('each area takes its cases from the run of its precision, against the fastest form of the peer', () => {
  const exact = report(
    result({}, 4, { torch: 2, 'torch-compile': 1 }),
    result({ name: 'matmul 8192x8192x8192' }, 1, { torch: 1 }),
    result({ name: 'matmul 64x64x64', flops: 2 * 64 ** 3 }, 1, { torch: 100 }),
    result({ name: 'matmul 4096x4096x4096 bfloat16' }, 1, { torch: 0.5 }),
  );
  const rungs = ladderOf(exact, report(result({}, 1, { torch: 0.3 })));
  const of = (area: string) => rungs.find((r) => r.area === area);
  expect(of('float32 products, exact')).toMatchObject({
    reached: 0.5,
    cases: 2,
    worst: { name: 'matmul 4096x4096x4096', reached: 0.25 },
    steps: [0.7, 0.9, 1],
  });
  expect(of('float32 products, tf32')).toMatchObject({ reached: expect.closeTo(0.3, 12), cases: 1 });
  expect(of('bfloat16 products')).toMatchObject({ reached: 0.5, cases: 1 });
  expect(of('batch norm, training')).toEqual({
    area: 'batch norm, training',
    reached: null,
    cases: 0,
    steps: [1, 1.5, 3],
  });
});

test('what passes over memory stands against the roof of the same run', () => {
  const roof = { time: 0.9, bound: 'memory', flops: 1, bandwidth: 1 } as const;
  const add = result({ group: 'elementwise', work: 'add', name: 'add 16M', bytes: 200e6, roof }, 1, { torch: 3 });
  const small = result({ group: 'elementwise', work: 'add', name: 'add 1K', bytes: 12e3, roof }, 9, {});
  const rungs = ladderOf(report(add, small), report());
  expect(rungs.at(-1)).toMatchObject({ reached: expect.closeTo(0.9, 12), cases: 1 });
});

test('the lines say what was reached, what is asked, and what was not compared', () => {
  const lines = ladderLines(ladderOf(report(result({}, 2, { torch: 1 })), report()));
  expect(lines[0]).toMatch(/^float32 products, exact +50 % +asked: 70 % \/ 90 % \/ 100 %; 1 cases, the lowest 50 %/);
  expect(lines[1]).toMatch(/^float32 products, tf32 +not compared +asked: 40 % \/ 75 % \/ 92 %/);
});
