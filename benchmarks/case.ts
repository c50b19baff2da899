// What is measured, as data: each case is run by athanor and by every peer from this one description.

/** The groups that `--only` chooses from, in the order of the tables. */
export const groups = [
  'overhead',
  'gemm',
  'conv',
  'elementwise',
  'reduce',
  'softmax',
  'norm',
  'layers',
  'pool',
  'index',
  'random',
  'optim',
  'jobs',
] as const;
export type Group = (typeof groups)[number];

/** One input; its values are the same wherever it is made: see data.ts. */
export interface Input {
  readonly shape: readonly number[];
  /** Default float32. */
  readonly dtype?: 'float32' | 'float64' | 'bfloat16' | 'int32' | 'bool';
  /** Values lie in [low, high), whole numbers where the dtype is int32. Defaults -1 and 1; bool: one in two is true. */
  readonly low?: number;
  readonly high?: number;
  /** The input is this one with its last two axes exchanged, as a view: shape is what the work sees. */
  readonly transposed?: boolean;
  /** The input is an image [N, C, H, W] whose channels lie together in memory, as a view. */
  readonly channelsLast?: boolean;
}

/** One measurement. */
export interface Case {
  readonly group: Group;
  /** Unique: "conv2d 64x64x56x56 to 64, 3x3: input gradient". */
  readonly name: string;
  /** What runs, by the name that works.ts and the peers know. */
  readonly work: string;
  readonly inputs: readonly Input[];
  /** What the work takes beside its inputs; peers read the same fields. */
  readonly options?: Readonly<Record<string, number | readonly number[] | boolean | string>>;
  /** Measured is not the work but its gradient with respect to the input of this index (`-1`: all of them). */
  readonly gradient?: number;
  /** Results are drawn at random: shapes are compared, values are not. */
  readonly random?: boolean;
  /** Peers that can write into a given output do so: their best form for large results. Default true. */
  readonly given?: boolean;
  /** Largest difference of results allowed, relative to the largest value. Default 1e-4. */
  readonly tolerance?: number;
  /** The first call makes what the others use, such as a packed weight: it is no part of the work. */
  readonly prepares?: boolean;
  /** Measured is not the work but what its first call makes for the others. */
  readonly preparation?: boolean;
  /** Part of a quick run. */
  readonly quick?: boolean;
  /** Of a size that a GPU needs to be busy: run there alone. */
  readonly gpu?: boolean;
}

/** Default of {@link Case.tolerance}: float32 sums of up to some thousand terms differ by their order. */
export const defaultTolerance = 1e-4;

/** `64x3x224x224`. */
export function times(shape: readonly number[]): string {
  return shape.length === 0 ? 'scalar' : shape.join('x');
}

/** `16`, `4K`, `64M`: a number of elements. */
export function count(n: number): string {
  if (n >= 1 << 20 && n % (1 << 20) === 0) return `${n >> 20}M`;
  return n >= 1 << 10 && n % (1 << 10) === 0 ? `${n >> 10}K` : String(n);
}
