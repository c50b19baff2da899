import { cases } from '../../benchmarks/cases';
import { jobs } from '../../benchmarks/jobs';
import { ladderLines, ladderOf, onLadder } from '../../benchmarks/report/ladder';
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
const roof = { time: 0.9, bound: 'memory', flops: 1, bandwidth: 1 } as const;

test('each area takes its cases from the run of its part, against the fastest form of the peer', () => {
  const exact = report(
    result({}, 4, { torch: 2, 'torch-compile': 1 }),
    result({ name: 'matmul 8192x8192x8192' }, 1, { torch: 1 }),
    result({ name: 'matmul 64x64x64' }, 1, { torch: 100 }),
    result({ name: 'matmul 4096x4096x4096 bfloat16' }, 1, { torch: 0.5 }),
  );
  const rungs = ladderOf({ exact, tf32: report(result({}, 1, { torch: 0.3 })) });
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

test('jobs tell images or tokens a second, and are not compared with a peer in a narrower precision', () => {
  const name = 'train ResNet-50 224x224, batch 128, SGD momentum';
  const items = { count: 128, unit: 'img' };
  const peers = { torch: 0.1, 'torch-channels-last': 0.08, 'torch-amp': 0.04 };
  const job = result({ group: 'jobs', work: 'resnet50', name, items }, 0.16, peers);
  const rungs = ladderOf({ jobs: report(job) });
  const rung = rungs.find((r) => r.area === 'ResNet-50, training');
  expect(rung).toMatchObject({ reached: 0.5, unit: 'img', steps: [0.4, 0.7, 1] });
  expect(rung?.speeds).toMatchObject({ athanor: 800, 'torch-channels-last': 1600, 'torch-amp': 3200 });
  expect(ladderLines(rungs).join('\n')).toMatch(/^ResNet-50, training +50 % .*athanor 800 img\/s; torch 1280 img\/s/m);
});

test('what passes over memory stands against the roof of the same run', () => {
  const add = result({ group: 'elementwise', work: 'add', name: 'add 64M', roof }, 1, { torch: 3 });
  const small = result({ group: 'elementwise', work: 'add', name: 'add 4K', roof }, 9, {});
  const rungs = ladderOf({ exact: report(add, small) });
  const rung = rungs.find((r) => r.area.startsWith('elementwise'));
  expect(rung).toMatchObject({ reached: expect.closeTo(0.9, 12), cases: 1 });
});

test('without a peer the roof is still told', () => {
  const [line] = ladderLines(ladderOf({ exact: report(result({ roof }, 1, {})) }));
  expect(line).toMatch(/^float32 products, exact +not compared +asked: 70 % \/ 90 % \/ 100 %; 90 % of the roof$/);
});

test('the lines say what was reached, what is asked, and what was not compared', () => {
  const lines = ladderLines(ladderOf({ exact: report(result({}, 2, { torch: 1 })) }));
  expect(lines[0]).toMatch(/^float32 products, exact +50 % +asked: 70 % \/ 90 % \/ 100 %$/);
  expect(lines[1]).toMatch(/^float32 products, tf32 +not compared +asked: 40 % \/ 75 % \/ 92 %/);
});

test('every area has cases or a job, and all that are for a GPU alone are counted', () => {
  const all = [...cases, ...jobs.map((job) => ({ ...job, group: 'jobs' as const }))];
  const counted = (precision: 'exact' | 'tf32') => all.filter((c) => onLadder(c, precision)).map((c) => c.name);
  const [exact, tf32] = [counted('exact'), counted('tf32')];
  const timed = (names: string[]) =>
    report(...all.filter((c) => names.includes(c.name)).map((c) => result({ ...c, roof } as never, 1, { torch: 1 })));
  const rungs = ladderOf({ exact: timed(exact), tf32: timed(tf32), jobs: timed(tf32) });
  expect(rungs.filter((r) => r.cases === 0)).toEqual([]);
  expect(rungs.map((r) => r.area)).toHaveLength(10);
  const alone = all.filter((c) => c.gpu === true).map((c) => c.name);
  expect(alone.filter((name) => !exact.includes(name) && !tf32.includes(name))).toEqual([]);
  expect(new Set(all.map((c) => c.name)).size).toBe(all.length);
});
