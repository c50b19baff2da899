// Numbers as tables show them.
import type { Timing } from '../timer.js';
import type { Result } from './report.js';

/** Three significant digits, without an exponent. */
export function digits(value: number): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return String(value);
  // The limits are where rounding would make one digit more.
  return value.toFixed(size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2);
}

/** `12.3 us`. */
export function time(seconds: number): string {
  const [scale, unit] =
    seconds < 1e-6 ? [1e9, 'ns'] : seconds < 1e-3 ? [1e6, 'us'] : seconds < 1 ? [1e3, 'ms'] : [1, 's'];
  return `${digits(seconds * scale)} ${unit}`;
}

/** Half the distance of the quartiles, relative to the median: how much a figure moves from sample to sample. */
export function spread(t: Timing): number {
  return (t.high - t.low) / 2 / t.median;
}

const arithmetic: readonly string[] = ['gemm', 'conv', 'jobs'];

/** The rate that a group is known by: FLOPs for products and jobs, bytes for what passes over memory. */
export function rate(r: Result, seconds: number): string {
  if (r.group === 'overhead') return '';
  const compute = arithmetic.includes(r.group);
  const amount = compute ? r.flops : r.bytes;
  return amount > 0 ? `${digits(amount / seconds / 1e9)} ${compute ? 'GFLOP/s' : 'GB/s'}` : '';
}

/** How near the roof athanor came: 1 is on it. Undefined where there is no roof, or nothing was measured. */
export function ofRoof(r: Result): number | undefined {
  const own = r.timings.athanor;
  return r.roof === undefined || own === undefined ? undefined : r.roof.time / own.median;
}

/** The peers' times by athanor's: above 1 athanor is faster. */
export function ratios(r: Result): readonly (readonly [peer: string, ratio: number])[] {
  const own = r.timings.athanor;
  if (own === undefined) return [];
  return Object.entries(r.timings)
    .filter(([name]) => name !== 'athanor')
    .map(([name, timing]) => [name, timing.median / own.median] as const);
}

/** The fastest peer among those whose names begin so ("" for all). */
export function bestPeer(r: Result, prefix = ''): readonly [peer: string, ratio: number] | undefined {
  return [...ratios(r)].filter(([name]) => name.startsWith(prefix)).sort((a, b) => a[1] - b[1])[0];
}

/** The geometric mean: the mean of ratios. */
export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, v) => sum + Math.log(v), 0) / values.length);
}
