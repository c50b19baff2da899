// The roofs of a GPU, measured where it stands.
import * as os from 'node:os';
import { native } from '../native.js';
import type { ComputeKind, ComputeRoof, Machine, MemoryLevel, MemoryRoof, StreamKind } from './machine.js';
import { overheads } from './overhead.js';
import { peakOf, type Spread, spreadOf } from './statistics.js';

const arithmetic: readonly ComputeKind[] = ['f32', 'f64', 'bf16', 'tf32'];
const passes: readonly StreamKind[] = ['read', 'write', 'copy', 'triad'];

/** What {@link measureMachine} does for a device beside the CPU, by its number. */
export async function measureDevice(device: number, quick: boolean): Promise<Machine> {
  const { name, architecture, cacheBytes, memoryBytes } = native.devices()[device - 1];
  const isa = `sm_${architecture.replace('.', '')}`;
  const windows = quick ? 3 : 9;
  const measured = async (what: ComputeKind | StreamKind, bytes: number) =>
    peakOf(await native.measure({ device, isa, what, threads: 1, bytes, seconds: quick ? 0.002 : 0.01, windows }));

  const compute: ComputeRoof[] = [];
  for (const kind of arithmetic) compute.push({ isa, kind, threads: 1, ...(await measured(kind, 0)) });
  // Half of the cache is found there; sixteen times the cache is not.
  const sets: readonly (readonly [MemoryLevel, number])[] = [
    ['L2', cacheBytes / 2],
    ['DRAM', Math.min(16 * cacheBytes, memoryBytes / 4)],
  ];
  const memory: MemoryRoof[] = [];
  for (const [level, workingSet] of sets) {
    for (const kind of passes)
      memory.push({ level, kind, threads: 1, workingSet, ...(await measured(kind, workingSet)) });
  }
  const roofs: readonly Spread[] = [...compute, ...memory];
  return {
    cpu: name,
    isa,
    threads: 1,
    caches: [{ level: 2, bytes: cacheBytes, sharedBy: 1 }],
    compute,
    memory,
    overhead: overheads(quick, device),
    jitter: spreadOf(roofs.map((r) => (r.high - r.low) / r.median / 2)).median,
    load: os.loadavg()[0] / os.cpus().length,
  };
}
