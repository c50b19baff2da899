// Which of a machine's roofs hold for a piece of work.
import { fail } from '../errors.js';
import type { ComputeKind, Machine, MemoryLevel, StreamKind } from './machine.js';

/** The two roofs that bound a piece of work. */
export interface Roofs {
  /** Floating-point operations a second. */
  readonly flops: number;
  /** Bytes a second. */
  readonly bandwidth: number;
}

/** What decides which roofs hold. */
export interface Situation {
  /** Default "f32". */
  readonly kind?: ComputeKind;
  /** Default: the machine's. */
  readonly threads?: number;
  /** Bytes that the work touches: where they lie follows from it. Default: far more than the caches hold. */
  readonly workingSet?: number;
  /** The part of the bytes that is written, from 0 to 1; default 1/3, as in a = b + s c. */
  readonly written?: number;
}

/** What part of a working set is found at each level; the parts add up to 1. */
function placesOf(machine: Machine, workingSet: number, threads: number): readonly [MemoryLevel, number][] {
  const places: [MemoryLevel, number][] = [];
  let rest = 1;
  for (const { level, bytes, sharedBy } of machine.caches) {
    const capacity = bytes * (sharedBy > 1 ? Math.ceil(threads / sharedBy) : threads);
    // What is passed over in turn and fits is found there; of what is twice as large, the least recently used part is
    // gone each time before it comes round again.
    const found = rest * Math.min(1, Math.max(0, 2 - workingSet / capacity));
    if (found > 0) places.push([`L${level}`, found]);
    rest -= found;
  }
  return rest > 0 ? [...places, ['DRAM', rest]] : places;
}

/** The measured thread count next to the one asked for. */
function nearest<T extends { readonly threads: number }>(list: readonly T[], threads: number): T | undefined {
  return list.reduce<T | undefined>((best, entry) => {
    const closer = best === undefined || Math.abs(entry.threads - threads) < Math.abs(best.threads - threads);
    return closer ? entry : best;
  }, undefined);
}

/** Bytes a second of the fastest of some ways to pass over memory, at a level. */
function fastest(machine: Machine, level: MemoryLevel, threads: number, kinds: readonly StreamKind[]): number {
  const rates = kinds.map(
    (kind) =>
      nearest(
        machine.memory.filter((m) => m.level === level && m.kind === kind),
        threads,
      )?.best ?? 0,
  );
  const best = Math.max(...rates);
  return best > 0 ? best : fail('roofline', `the machine has no measured bandwidth of ${level}`, kinds.join(', '));
}

/** Bytes a second where a part `written` of the bytes is written: between the measured mixes, time goes linearly. */
function bandwidthOf(machine: Machine, level: MemoryLevel, threads: number, written: number): number {
  const mixes: readonly [number, readonly StreamKind[]][] = [
    [0, ['read']],
    [1 / 3, ['triad', 'triadStreaming']],
    [1 / 2, ['copy', 'copyStreaming']],
    [1, ['write', 'writeStreaming']],
  ];
  const above = Math.max(
    1,
    mixes.findIndex(([part]) => part >= written),
  );
  const [from, slow] = mixes[above - 1];
  const [to, other] = mixes[above];
  const part = (written - from) / (to - from);
  return 1 / ((1 - part) / fastest(machine, level, threads, slow) + part / fastest(machine, level, threads, other));
}

/** The roofs of a machine that hold in a situation, at the instruction set in use. */
export function roofsOf(machine: Machine, situation: Situation = {}): Roofs {
  const { kind = 'f32', threads = machine.threads, workingSet = Number.POSITIVE_INFINITY, written = 1 / 3 } = situation;
  const peak = (of: ComputeKind) =>
    nearest(
      machine.compute.filter((c) => c.isa === machine.isa && c.kind === of),
      threads,
    );
  // Where there are no instructions for a reduced precision, work is done in float32.
  const compute = peak(kind) ?? (kind === 'bf16' || kind === 'tf32' ? peak('f32') : undefined);
  if (compute === undefined) fail('roofline', `the machine has no measured peak of ${kind} at ${machine.isa}`);
  const part = Math.min(1, Math.max(0, written));
  const secondsAByte = placesOf(machine, workingSet, threads).reduce(
    (sum, [level, share]) => sum + share / bandwidthOf(machine, level, threads, part),
    0,
  );
  return { flops: compute.best, bandwidth: 1 / secondsAByte };
}
