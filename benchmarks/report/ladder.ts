// How far a GPU's kernels have come, area by area: their speed relative to the peer's on the same GPU in the same run.
import { geometricMean } from './figures.js';
import type { Report, Result } from './report.js';

/** One area: which results count, and what is asked of it at three steps, as ratios of speed. */
interface Area {
  readonly name: string;
  readonly precision: 'exact' | 'tf32';
  readonly steps: readonly [first: number, solid: number, stretch: number];
  readonly counts: (r: Result) => boolean;
}

const large = 2 * 3072 ** 3; // FLOPs from which a product fills any GPU
const many = 64 << 20; // bytes from which a launch is no longer felt

const product = (r: Result) => r.group === 'gemm' && r.work === 'matmul' && r.flops >= large;
const bytes = (r: Result) => r.bytes >= many;

const areas: readonly Area[] = [
  {
    name: 'float32 products, exact',
    precision: 'exact',
    steps: [0.7, 0.9, 1],
    counts: (r) => product(r) && !/float64|bfloat16/.test(r.name),
  },
  {
    name: 'float32 products, tf32',
    precision: 'tf32',
    steps: [0.4, 0.75, 0.92],
    counts: (r) => product(r) && !/float64|bfloat16/.test(r.name),
  },
  {
    name: 'bfloat16 products',
    precision: 'exact',
    steps: [0.4, 0.8, 1],
    counts: (r) => product(r) && r.name.includes('bfloat16'),
  },
  {
    name: 'convolution, forward',
    precision: 'tf32',
    steps: [0.35, 0.6, 0.9],
    counts: (r) => r.work === 'conv2d' && !r.name.includes('gradient') && r.flops >= large / 8,
  },
  {
    name: 'convolution, gradients',
    precision: 'tf32',
    steps: [0.3, 0.5, 0.8],
    counts: (r) => r.work === 'conv2d' && r.name.includes('gradient') && r.flops >= large / 8,
  },
  {
    name: 'softmax, layer norm, cross entropy',
    precision: 'exact',
    steps: [1, 1.2, 1.5],
    counts: (r) => /^(softmax|logSoftmax|layerNorm|crossEntropy)$/.test(r.work) && bytes(r),
  },
  {
    name: 'batch norm, training',
    precision: 'exact',
    steps: [1, 1.5, 3],
    counts: (r) => r.work === 'batchNorm' && bytes(r),
  },
];

/** Elementwise, reductions and optimizers stand against a copy, which the run measures, not against the peer. */
const streamed = { name: 'elementwise, reductions, optimizers: of the roof', steps: [0.9, 0.95, 0.98] as const };

/** What has been reached in an area. */
export interface Rung {
  readonly area: string;
  /** The geometric mean over the cases; null where none was compared. */
  readonly reached: number | null;
  readonly cases: number;
  /** The case that is furthest behind. */
  readonly worst?: { readonly name: string; readonly reached: number };
  readonly steps: readonly [first: number, solid: number, stretch: number];
}

function rung(area: string, steps: Rung['steps'], found: readonly { name: string; reached: number }[]): Rung {
  if (found.length === 0) return { area, reached: null, cases: 0, steps };
  const worst = [...found].sort((a, b) => a.reached - b.reached)[0];
  return { area, reached: geometricMean(found.map((f) => f.reached)), cases: found.length, worst, steps };
}

/** athanor's speed by the fastest form of a peer. */
function againstPeer(r: Result): number | null {
  const own = r.timings.athanor;
  const others = Object.entries(r.timings).filter(([name]) => name !== 'athanor');
  if (own === undefined || others.length === 0) return null;
  return Math.min(...others.map(([, t]) => t.median)) / own.median;
}

/** The ladder of one exact run and one in tf32. */
export function ladderOf(exact: Report, tf32: Report): Rung[] {
  const list = areas.map(({ name, precision, steps, counts }) => {
    const { results } = precision === 'tf32' ? tf32 : exact;
    const found = results.filter(counts).flatMap((r) => {
      const reached = againstPeer(r);
      return reached === null ? [] : [{ name: r.name, reached }];
    });
    return rung(name, steps, found);
  });
  const passes = exact.results
    .filter((r) => ['elementwise', 'reduce', 'optim'].includes(r.group) && bytes(r))
    .flatMap((r) => {
      const own = r.timings.athanor;
      return own === undefined || r.roof === undefined ? [] : [{ name: r.name, reached: r.roof.time / own.median }];
    });
  return [...list, rung(streamed.name, streamed.steps, passes)];
}

/** The ladder as lines of text. */
export function ladderLines(rungs: readonly Rung[]): string[] {
  const percent = (value: number) => `${(100 * value).toFixed(0)} %`;
  return rungs.map(({ area, reached, cases, worst, steps }) => {
    const goal = `asked: ${steps.map(percent).join(' / ')}`;
    if (reached === null || worst === undefined) return `${area.padEnd(52)}not compared      ${goal}`;
    const lowest = `${cases} cases, the lowest ${percent(worst.reached)}: ${worst.name}`;
    return `${area.padEnd(52)}${percent(reached).padStart(6)}      ${goal}; ${lowest}`;
  });
}
