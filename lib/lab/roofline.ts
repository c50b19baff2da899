// The roofline analysis: the least time that a piece of work can take on a machine, and what bounds it.
import { fail, show } from '../errors.js';
import { checkOptions } from '../options.js';
import type { Machine } from './machine.js';
import { type Roofs, roofsOf, type Situation } from './roofs.js';

/** What {@link roofline} is given. */
export interface RooflineOptions extends Situation {
  /** Floating-point operations; a multiply-add counts as two. */
  readonly flops: number;
  /** Bytes that cross between memory and processor. */
  readonly bytes: number;
  /** What {@link measureMachine} found, or two roofs in FLOP/s and bytes/s. */
  readonly machine: Machine | Roofs;
}

const known = ['flops', 'bytes', 'machine', 'kind', 'threads', 'workingSet', 'written'] as const;

/** The least time of a piece of work, and why. */
export interface Roofline {
  /** Seconds: `max(bytes / bandwidth, flops / peak)`. */
  readonly time: number;
  /** Seconds that the bytes alone take. */
  readonly memoryTime: number;
  /** Seconds that the arithmetic alone takes. */
  readonly computeTime: number;
  /** FLOPs a byte. */
  readonly intensity: number;
  /** The intensity from which arithmetic is the bound, `peak / bandwidth`, in FLOPs a byte. */
  readonly ridge: number;
  readonly bound: 'memory' | 'compute';
  /** FLOP/s that work of this intensity can reach: `min(peak, intensity * bandwidth)`. */
  readonly attainable: number;
  /** The roofs that hold: FLOP/s and bytes/s. */
  readonly roofs: Roofs;
}

function checkAmount(name: string, value: number, least: 'none' | 'positive'): void {
  const good = typeof value === 'number' && Number.isFinite(value) && (least === 'none' ? value >= 0 : value > 0);
  if (!good)
    fail('roofline', `${name} must be a ${least === 'none' ? 'number, 0 or more' : 'positive number'}`, show(value));
}

function checkSituation({ written, workingSet, threads, kind }: Situation): void {
  if (written !== undefined && !(written >= 0 && written <= 1))
    fail('roofline', 'written must lie between 0 and 1', show(written));
  if (workingSet !== undefined && !(workingSet >= 0))
    fail('roofline', 'workingSet must be 0 bytes or more', show(workingSet));
  if (threads !== undefined && !(threads >= 1)) fail('roofline', 'threads must be 1 or more', show(threads));
  if (kind !== undefined && !['f32', 'f64', 'bf16', 'tf32'].includes(kind))
    fail('roofline', 'kind must be "f32", "f64", "bf16" or "tf32"', show(kind));
}

/**
 * The roofline analysis of a piece of work: `time >= max(bytes / bandwidth, flops / peak)`. Work below the ridge's
 * intensity is bound by memory, and a faster processor would not help it. Of a measured machine, the roofs that hold are
 * chosen by dtype, threads, working set and the part of the bytes that is written. Throws for amounts below 0.
 *
 * ```ts
 * // y = A x, A [1024, 512] in float32, on 300 GB/s and 6 TFLOP/s: 7 microseconds, bound by memory
 * roofline({ flops: 2 * 1024 * 512, bytes: 4 * (1024 * 512 + 1024 + 512), machine: { flops: 6e12, bandwidth: 300e9 } });
 * ```
 *
 * Source: S. Williams, A. Waterman, D. Patterson, "Roofline: an insightful visual performance model", CACM 52(4), 2009.
 */
export function roofline(options: RooflineOptions): Roofline {
  checkOptions('roofline', options, known);
  const { flops, bytes, machine, ...situation } = options;
  checkAmount('flops', flops, 'none');
  checkAmount('bytes', bytes, 'none');
  checkSituation(situation);
  if (typeof machine !== 'object' || machine === null) {
    fail('roofline', 'machine must be what measureMachine() gave, or { flops, bandwidth }', show(machine));
  }
  const roofs = 'memory' in machine ? roofsOf(machine, { workingSet: bytes, ...situation }) : machine;
  checkAmount('machine.flops', roofs.flops, 'positive');
  checkAmount('machine.bandwidth', roofs.bandwidth, 'positive');
  const memoryTime = bytes / roofs.bandwidth;
  const computeTime = flops / roofs.flops;
  const intensity = bytes > 0 ? flops / bytes : flops > 0 ? Number.POSITIVE_INFINITY : 0;
  return {
    time: Math.max(memoryTime, computeTime),
    memoryTime,
    computeTime,
    intensity,
    ridge: roofs.flops / roofs.bandwidth,
    bound: computeTime > memoryTime ? 'compute' : 'memory',
    attainable: Math.min(roofs.flops, intensity * roofs.bandwidth),
    roofs: { flops: roofs.flops, bandwidth: roofs.bandwidth },
  };
}
