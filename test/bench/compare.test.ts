import { compareReports, comparisonLines, machineDifferences } from '../../benchmarks/report/compare.js';
import { timingOf } from '../../benchmarks/timer.js';
import { report, result } from './report.js';

test('a slowdown past the spread is one, a smaller one is not', () => {
  const before = report([result('a', 1), result('b', 1), result('c', 1)]);
  const after = report([result('a', 1.04), result('b', 1.2), result('c', 0.7)]);
  const { cases } = compareReports(before, after);
  expect(cases.map(({ name, verdict }) => [name, verdict])).toEqual([
    ['b', 'slower'],
    ['a', 'same'],
    ['c', 'faster'],
  ]);
  expect(cases[0].ratio).toBeCloseTo(1.2);
});

test('wide spreads forgive more', () => {
  const wide = { timings: { athanor: timingOf([0.7, 0.8, 1, 1.2, 1.3], 1) } };
  const { cases } = compareReports(report([result('a', 1, wide)]), report([result('a', 1.3)]));
  expect(cases[0].noise).toBeCloseTo(0.4 + 0.01);
  expect(cases[0].verdict).toBe('same');
});

test('cases of one run alone, and failed ones, are counted apart', () => {
  const failed = result('broken', 1, { timings: {}, failures: ['athanor: it threw'] });
  const compared = compareReports(report([result('a', 1), failed]), report([result('b', 1)]));
  expect(compared).toEqual({ cases: [], onlyBefore: ['a'], onlyAfter: ['b'] });
  expect(comparisonLines(compared, false)).toContain('only in the first: 1 cases');
});

test('lines show what changed, and everything when asked', () => {
  const compared = compareReports(report([result('a', 1), result('b', 1)]), report([result('a', 1), result('b', 2)]));
  expect(comparisonLines(compared, false)).toHaveLength(2);
  expect(comparisonLines(compared, true)).toHaveLength(3);
  expect(comparisonLines(compared, false)[0]).toMatch(/^b .*1\.00 s +2\.00 s +2\.00x .*slower$/);
});

test('other processors, instruction sets and thread counts are told', () => {
  const a = report([]);
  expect(machineDifferences(a, a)).toEqual([]);
  const b = report([], { machine: { ...a.machine, threads: 8 } });
  expect(machineDifferences(a, b)).toEqual(['threads: 2 and 8']);
});
