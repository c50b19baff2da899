// Whether one run is slower than another by more than chance.
import type { Timing } from '../timer.js';
import { digits, time } from './figures.js';
import type { Report } from './report.js';

/** One case in both runs. */
export interface Comparison {
  readonly name: string;
  readonly before: Timing;
  readonly after: Timing;
  /** Median after by median before: above 1 it is slower now. */
  readonly ratio: number;
  /** How far the ratio may be from 1 by chance: the distances of the quartiles of both, added; at least a twentieth. */
  readonly noise: number;
  readonly verdict: 'slower' | 'faster' | 'same';
}

/** What two runs have in common, and what not. */
export interface Compared {
  readonly cases: readonly Comparison[];
  /** Names that only one of the runs has. */
  readonly onlyBefore: readonly string[];
  readonly onlyAfter: readonly string[];
}

// Below it, alignment of code and data alone moves a figure from build to build.
const leastNoise = 0.05;

const width = (t: Timing) => (t.high - t.low) / t.median;

function compareCase(name: string, before: Timing, after: Timing): Comparison {
  const ratio = after.median / before.median;
  const noise = Math.max(leastNoise, width(before) + width(after));
  const verdict = ratio > 1 + noise ? 'slower' : ratio < 1 / (1 + noise) ? 'faster' : 'same';
  return { name, before, after, ratio, noise, verdict };
}

/** Athanor's times in two runs, the largest slowdown first. */
export function compareReports(before: Report, after: Report): Compared {
  const timesOf = ({ results }: Report) =>
    new Map(results.flatMap((r) => (r.timings.athanor === undefined ? [] : [[r.name, r.timings.athanor] as const])));
  const [old, now] = [timesOf(before), timesOf(after)];
  const cases = [...old]
    .flatMap(([name, timing]) => {
      const other = now.get(name);
      return other === undefined ? [] : [compareCase(name, timing, other)];
    })
    .sort((a, b) => b.ratio - a.ratio);
  return {
    cases,
    onlyBefore: [...old.keys()].filter((name) => !now.has(name)),
    onlyAfter: [...now.keys()].filter((name) => !old.has(name)),
  };
}

/** What makes two runs incomparable; nothing: they are of one machine with equal threads. */
export function machineDifferences(before: Report, after: Report): string[] {
  const parts = [
    ['processor', (r: Report) => r.machine.cpu],
    ['instruction set', (r: Report) => r.machine.isa],
    ['threads', (r: Report) => String(r.machine.threads)],
  ] as const;
  return parts
    .filter(([, of]) => of(before) !== of(after))
    .map(([what, of]) => `${what}: ${of(before)} and ${of(after)}`);
}

/** The comparison as lines: those that changed, or all. */
export function comparisonLines({ cases, onlyBefore, onlyAfter }: Compared, all: boolean): string[] {
  const shown = all ? cases : cases.filter((c) => c.verdict !== 'same');
  const lines = shown.map(
    (c) =>
      `${c.name.padEnd(58)} ${time(c.before.median).padStart(9)} ${time(c.after.median).padStart(9)}  ` +
      `${digits(c.ratio)}x  (noise ${digits(100 * c.noise)} %)  ${c.verdict}`,
  );
  const missing = [
    onlyBefore.length > 0 ? `only in the first: ${onlyBefore.length} cases` : '',
    onlyAfter.length > 0 ? `only in the second: ${onlyAfter.length} cases` : '',
  ].filter((line) => line !== '');
  const count = (verdict: Comparison['verdict']) => cases.filter((c) => c.verdict === verdict).length;
  const total = `${cases.length} cases: ${count('slower')} slower, ${count('faster')} faster, ${count('same')} the same`;
  return [...lines, ...missing, total];
}
