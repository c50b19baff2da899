// The roofs of this machine, measured where it stands.
import * as os from 'node:os';
import { checkDevice, type DeviceName } from '../device.js';
import type { DType } from '../dtype.js';
import { fail, show } from '../errors.js';
import { native } from '../native.js';
import { checkFlag, checkOptions } from '../options.js';
import { checkInteger } from '../shape.js';
import { type Cache, caches } from './caches.js';
import { measureDevice } from './gpu.js';
import { overheads } from './overhead.js';
import { type Peak, peakOf, type Spread, spreadOf } from './statistics.js';

/**
 * What arithmetic was measured: multiply-adds in float32 or float64, products of bfloat16 added to float32, and on a GPU
 * products of float32 rounded to tf32.
 */
export type ComputeKind = 'f32' | 'f64' | 'bf16' | 'tf32';

/** The arithmetic of ops on tensors of a dtype, for {@link roofline}. */
export function computeKind(dtype: DType): ComputeKind {
  return dtype === 'float64' ? 'f64' : dtype === 'bfloat16' ? 'bf16' : 'f32';
}

/** How memory was passed over. The streaming forms write past the caches. */
export type StreamKind = 'read' | 'write' | 'copy' | 'triad' | 'writeStreaming' | 'copyStreaming' | 'triadStreaming';

/** Where the data lay. */
export type MemoryLevel = 'L1' | 'L2' | 'L3' | 'DRAM';

/** A roof of arithmetic, its `best` the roof, in floating-point operations a second; a multiply-add counts as two. */
export interface ComputeRoof extends Peak {
  readonly isa: string;
  readonly kind: ComputeKind;
  readonly threads: number;
}

/** A roof of memory, its `best` the roof, in bytes a second that the loop asked for; of DRAM that is the upper quartile. */
export interface MemoryRoof extends Peak {
  readonly level: MemoryLevel;
  readonly kind: StreamKind;
  readonly threads: number;
  /** Bytes of all arrays together. */
  readonly workingSet: number;
}

/** A machine, as {@link measureMachine} found it: plain data, which JSON keeps. */
export interface Machine {
  /** The product's name, of the processor or of the GPU. */
  readonly cpu: string;
  /** The instruction set in use, for a GPU such as "sm_90"; roofs of the others are there too. */
  readonly isa: string;
  /** Threads that work on one op; 1 for a GPU, whose roofs are those of the whole chip. */
  readonly threads: number;
  readonly caches: readonly Cache[];
  readonly compute: readonly ComputeRoof[];
  readonly memory: readonly MemoryRoof[];
  /** Seconds that a call costs before it computes anything. */
  readonly overhead: {
    /** Into native code and back. */
    readonly call: Spread;
    /** `a.add(b)` of 16 float32 numbers, no gradient, its result disposed of. */
    readonly add16: Spread;
  };
  /** How far apart equal pieces of work lay: half the distance of the quartiles of all roofs, by their medians. */
  readonly jitter: number;
  /** Runnable processes a processor when it was measured; far above 0 means that the roofs are too low. */
  readonly load: number;
}

/** Options of {@link measureMachine}. */
export interface MeasureOptions {
  /** What to measure; default "cpu". */
  readonly device?: DeviceName;
  /** Thread counts to measure; default: 1, 2, 4 and so on up to the engine's. */
  readonly threads?: readonly number[];
  /** Shorter, and only the instruction set in use: about a second in place of four. Default false. */
  readonly quick?: boolean;
}

const cached: readonly StreamKind[] = ['read', 'write', 'copy', 'triad'];
const streaming: readonly StreamKind[] = ['writeStreaming', 'copyStreaming', 'triadStreaming'];

function threadCounts(most: number): number[] {
  const counts: number[] = [];
  for (let n = 1; n < most; n *= 2) counts.push(n);
  return [...counts, most];
}

/** Bytes that `threads` threads pass over together so that the data lies in a level, and well within it. */
function workingSets(all: readonly Cache[], threads: number): readonly [MemoryLevel, number][] {
  const largest = all.reduce((a, b) => (b.level > a.level ? b : a));
  const sets = all.map(({ level, bytes, sharedBy }): [MemoryLevel, number] => {
    const instances = sharedBy > 1 ? Math.ceil(threads / sharedBy) : threads;
    return [`L${level}`, (bytes * instances) / 2];
  });
  // Eight times what any cache holds, so that next to nothing is found there; never more than a quarter of free memory.
  const beyond = Math.max(8 * largest.bytes * Math.ceil(threads / largest.sharedBy), 64 << 20);
  return [...sets, ['DRAM', Math.min(beyond, os.freemem() / 4)]];
}

/**
 * Measures what this machine can do: multiply-adds of each instruction set, memory bandwidth at each cache level and
 * beyond, the cost of a call, each for several thread counts; of a GPU its arithmetic units, second-level cache and
 * memory. Takes about four seconds on an otherwise idle machine and
 * never blocks the event loop for long. Throws when `threads` holds no thread counts, or there is no such device.
 *
 * ```ts
 * const machine = await measureMachine();
 * console.log(roofline({ flops: 2 * 512 ** 3, bytes: 3 * 4 * 512 ** 2, machine }));
 * ```
 */
export async function measureMachine(options: MeasureOptions = {}): Promise<Machine> {
  const { isa, threads } = native.info();
  checkOptions('measureMachine', options, ['device', 'threads', 'quick']);
  checkFlag('measureMachine', 'quick', options.quick ?? false);
  const { device = 'cpu', quick = false, threads: counts = threadCounts(threads) } = options;
  if (!Array.isArray(counts) || counts.length === 0) fail('measureMachine', 'threads must list counts', show(counts));
  for (const n of counts) checkInteger('measureMachine', 'a thread count', n, 1, 1024);
  const index = checkDevice('measureMachine', device);
  if (index > 0) return measureDevice(index, quick);
  const windows = quick ? 5 : 9;
  const before = native.memory(0).cachedBytes;
  const found = caches();

  const compute: ComputeRoof[] = [];
  for (const [level, kinds] of Object.entries(native.roofs())) {
    if (quick && level !== isa) continue;
    for (const kind of kinds as ComputeKind[]) {
      for (const n of counts) {
        const rates = await native.measure({
          device: 0,
          isa: level,
          what: kind,
          threads: n,
          bytes: 0,
          seconds: 0.002,
          windows,
        });
        compute.push({ isa: level, kind, threads: n, ...peakOf(rates) });
      }
    }
  }
  const memory: MemoryRoof[] = [];
  for (const n of counts) {
    for (const [level, workingSet] of workingSets(found, n)) {
      const seconds = level === 'DRAM' ? 0.008 : 0.002;
      for (const kind of level === 'DRAM' ? [...cached, ...streaming] : cached) {
        const rates = await native.measure({
          device: 0,
          isa,
          what: kind,
          threads: n,
          bytes: workingSet,
          seconds,
          windows,
        });
        const peak = peakOf(rates);
        // Memory is shared with whoever else is on the host: a single window may find more of it than any other does.
        memory.push({ level, kind, threads: n, workingSet, ...peak, ...(level === 'DRAM' && { best: peak.high }) });
      }
    }
  }
  native.configure({ trim: before });
  const roofs: readonly Spread[] = [...compute, ...memory];
  return {
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    isa,
    threads,
    caches: found,
    compute,
    memory,
    overhead: overheads(quick),
    jitter: spreadOf(roofs.map((r) => (r.high - r.low) / r.median / 2)).median,
    load: os.loadavg()[0] / os.cpus().length,
  };
}
