// Reports of made-up runs.
import { formatVersion, type Report, type Result } from '../../benchmarks/report/report.js';
import { timingOf } from '../../benchmarks/timer.js';

const peak = (best: number) => ({ median: 0.9 * best, low: 0.8 * best, high: 0.95 * best, best });

/** A result whose samples lie within 1 % of a time, which is half of the roof. */
export function result(name: string, seconds: number, change: Partial<Result> = {}): Result {
  return {
    group: 'gemm',
    name,
    work: 'matmul',
    flops: 1e6,
    bytes: 1e5,
    rows: ['matmul'],
    roof: { time: seconds / 2, bound: 'compute', flops: 4e11, bandwidth: 5e10 },
    timings: {
      athanor: timingOf(
        [0.99, 1, 1.01].map((f) => f * seconds),
        10,
      ),
    },
    differences: {},
    tolerance: 1e-4,
    failures: [],
    ...change,
  };
}

/** A report of those results. */
export function report(results: readonly Result[], change: Partial<Report> = {}): Report {
  const spread = { median: 1e-7, low: 1e-7, high: 1e-7 };
  return {
    format: 'athanor benchmark',
    version: formatVersion,
    date: '2001-02-03T04:05:06.000Z',
    commit: '0123456789ab',
    quick: false,
    groups: ['gemm'],
    machine: {
      cpu: 'Test Processor',
      isa: 'avx2',
      threads: 2,
      caches: [{ level: 1, bytes: 32768, sharedBy: 1 }],
      compute: [1, 2].map((threads) => ({ isa: 'avx2', kind: 'f32' as const, threads, ...peak(2e11 * threads) })),
      memory: (['L1', 'DRAM'] as const).flatMap((level) =>
        (['read', 'write', 'copy', 'triad'] as const).map((kind) => ({
          level,
          kind,
          threads: 2,
          workingSet: 1e6,
          ...peak(level === 'L1' ? 1e12 : 5e10),
        })),
      ),
      overhead: { call: spread, add16: spread },
      jitter: 0.01,
      load: 0,
      system: 'Linux',
      node: '20.0.0',
      compiler: 'none',
      memoryBytes: 1e10,
    },
    busy: null,
    peers: [{ name: 'torch', version: '2.0' }],
    results,
    uncovered: [],
    seconds: 1,
    ...change,
  };
}
