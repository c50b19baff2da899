import { fail, show } from './errors.js';
import { native } from './native.js';
import { checkInteger } from './shape.js';

/** What the engine runs on. */
export interface EngineInfo {
  /** The instruction set in use: "avx512", "avx2" or "baseline"; ATHANOR_CPU_ISA chooses. */
  readonly isa: string;
  /** The instruction sets this machine could run. */
  readonly isaLevels: readonly string[];
  /** Who multiplies large matrices: "own" kernels, or the file of the CBLAS that ATHANOR_BLAS chose. */
  readonly blas: string;
  /** Threads that work on one op. */
  readonly threads: number;
  /** The compiler that built the addon. */
  readonly compiler: string;
  /** Whether ATHANOR_SYNC=1 makes every op run at its call. */
  readonly synchronous: boolean;
}

/** What the engine runs on: instruction set, CBLAS, threads, build. */
export function info(): EngineInfo {
  return native.info();
}

/**
 * How many threads work on one op, in the whole process; starts at ATHANOR_NUM_THREADS, else at the cores that the
 * process may use. Results are reproducible for a given number. Waits for an op that is running.
 */
export function setNumThreads(threads: number): void {
  native.configure({ threads: checkInteger('setNumThreads', 'threads', threads, 1, 1024) });
}

/** How many threads work on one op. */
export function getNumThreads(): number {
  return native.info().threads;
}

/** What a GPU's products of float32 matrices may round their factors to. */
export type Float32Precision = 'exact' | 'tf32';

const precisions: readonly Float32Precision[] = ['exact', 'tf32'];
let precision: Float32Precision = 'exact';

/**
 * Lets products of float32 matrices on a GPU use its tensor cores, which take factors of 10 bits of fraction (`tf32`), in the
 * whole process; sums stay float32. The default, "exact", rounds as the CPU does. Throws for anything else.
 */
export function setFloat32Precision(value: Float32Precision): void {
  const index = precisions.indexOf(value);
  if (index < 0) fail('setFloat32Precision', 'precision must be "exact" or "tf32"', show(value));
  native.configure({ float32Precision: index });
  precision = value;
}

/** What {@link setFloat32Precision} was last told in this thread. */
export function getFloat32Precision(): Float32Precision {
  return precision;
}
