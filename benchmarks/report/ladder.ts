// How far a GPU's kernels have come, area by area: their speed relative to the peer's on the same GPU in the same run.
import type { Float32Precision } from 'athanor';
import { cases as gpuCases } from '../cases/gpu.js';
import { geometricMean, ofRoof } from './figures.js';
import type { Report, Result } from './report.js';

/** What tells a case or a job from others, before it was run and after. */
type Named = Pick<Result, 'group' | 'name' | 'work'>;

/** The parts of `npm run gpu` that measure: cases in either precision, and jobs. */
export type Part = 'exact' | 'tf32' | 'jobs';

/** One area: which results of which part count, and what is asked of it at three steps, as ratios of speed. */
interface Area {
  readonly name: string;
  readonly part: Part;
  readonly steps: readonly [first: number, solid: number, stretch: number];
  readonly counts: (r: Named) => boolean;
  /** It stands against the roof, a copy measured in the same run, and not against the peer. */
  readonly roof?: boolean;
}

/** Cases that a processor is asked for too, and that are large enough for a GPU. */
const shared = [
  'matmul 4096x4096x4096',
  ...['add', 'exp', 'tanh', 'sigmoid', 'gelu', 'relu', 'sum'].map((work) => `${work} 64M`),
  ...['sgdStep', 'adamStep', 'rmspropStep', 'adagradStep', 'clipGradNorm'].map((work) => `${work}, 16M`),
];
const large: ReadonlySet<string> = new Set([...shared, ...gpuCases.map(({ name }) => name)]);

const product = (r: Named) => r.work === 'matmul' && large.has(r.name);
const bfloat16 = (r: Named) => r.name.includes('bfloat16');
const conv = (r: Named) => r.work === 'conv2d' && large.has(r.name);
const gradient = (r: Named) => r.name.includes('gradient');
const job = (work: string) => (r: Named) => r.group === 'jobs' && r.work === work && !r.name.includes('in small');

const areas: readonly Area[] = [
  {
    name: 'float32 products, exact',
    part: 'exact',
    steps: [0.7, 0.9, 1],
    counts: (r) => product(r) && !bfloat16(r),
  },
  {
    name: 'float32 products, tf32',
    part: 'tf32',
    steps: [0.4, 0.75, 0.92],
    counts: (r) => product(r) && !bfloat16(r),
  },
  {
    name: 'bfloat16 products',
    part: 'exact',
    steps: [0.4, 0.8, 1],
    counts: (r) => product(r) && bfloat16(r),
  },
  {
    name: 'convolution, forward',
    part: 'tf32',
    steps: [0.35, 0.6, 0.9],
    counts: (r) => conv(r) && !gradient(r),
  },
  {
    name: 'convolution, gradients',
    part: 'tf32',
    steps: [0.3, 0.5, 0.8],
    counts: (r) => conv(r) && gradient(r),
  },
  {
    name: 'elementwise, reductions, optimizers: of the roof',
    part: 'exact',
    steps: [0.9, 0.95, 0.98],
    counts: (r) => /^(elementwise|reduce|optim)$/.test(r.group) && large.has(r.name),
    roof: true,
  },
  {
    name: 'softmax, layer norm, cross entropy',
    part: 'exact',
    steps: [1, 1.2, 1.5],
    counts: (r) => /^(softmax|logSoftmax|layerNorm|crossEntropy)$/.test(r.work) && large.has(r.name),
  },
  {
    name: 'batch norm, training',
    part: 'exact',
    steps: [1, 1.5, 3],
    counts: (r) => r.work === 'batchNorm' && large.has(r.name),
  },
  { name: 'ResNet-50, training', part: 'jobs', steps: [0.4, 0.7, 1], counts: job('resnet50') },
  { name: 'GPT-2 124M, training', part: 'jobs', steps: [0.35, 0.65, 1], counts: job('gpt2') },
];

/** Whether the ladder counts a case or a job in a run of that precision. */
export function onLadder(work: Named, precision: Float32Precision): boolean {
  return areas.some(({ part, counts }) => (part === 'jobs' || part === precision) && counts(work));
}

/** What has been reached in an area. */
export interface Rung {
  readonly area: string;
  /** The geometric mean over the cases; null where none was compared. */
  readonly reached: number | null;
  readonly cases: number;
  /** The case that is furthest behind. */
  readonly worst?: { readonly name: string; readonly reached: number };
  /** The geometric mean of how near the cases came to the roofs of the same run: known without a peer too. */
  readonly ofRoof?: number;
  /** Of a job, by who ran it: images or tokens a second. */
  readonly speeds?: Readonly<Record<string, number>>;
  readonly unit?: string;
  readonly steps: Area['steps'];
}

/** In another precision than athanor: for the record, not for the comparison. */
const narrower = (runner: string) => runner.endsWith('-amp');

/** athanor's speed by the fastest form of a peer in the same precision. */
function againstPeer(r: Result): number | undefined {
  const own = r.timings.athanor;
  const others = Object.entries(r.timings).filter(([name]) => name !== 'athanor' && !narrower(name));
  if (own === undefined || others.length === 0) return undefined;
  return Math.min(...others.map(([, t]) => t.median)) / own.median;
}

function rung({ name: area, steps, roof }: Area, results: readonly Result[]): Rung {
  const measure = (of: (r: Result) => number | undefined) =>
    results.flatMap((r) => {
      const reached = of(r);
      return reached === undefined ? [] : [{ name: r.name, reached }];
    });
  const mean = (list: ReturnType<typeof measure>) => geometricMean(list.map((f) => f.reached));
  const placed = measure(ofRoof);
  const found = roof ? placed : measure(againstPeer);
  const [first] = results;
  const { items } = first ?? {};
  return {
    area,
    reached: found.length === 0 ? null : mean(found),
    cases: found.length,
    ...(found.length === 0 ? {} : { worst: [...found].sort((a, b) => a.reached - b.reached)[0] }),
    ...(placed.length === 0 ? {} : { ofRoof: mean(placed) }),
    ...(items === undefined
      ? {}
      : {
          speeds: Object.fromEntries(Object.entries(first.timings).map(([name, t]) => [name, items.count / t.median])),
          unit: items.unit,
        }),
    steps,
  };
}

/** The ladder of what was measured in each part; an area of which nothing was is in it, and says so. */
export function ladderOf(parts: Readonly<Partial<Record<Part, Report>>>): Rung[] {
  return areas.map((area) => rung(area, (parts[area.part]?.results ?? []).filter(area.counts)));
}

/** The ladder as lines of text. */
export function ladderLines(rungs: readonly Rung[]): string[] {
  const percent = (value: number) => `${(100 * value).toFixed(0)} %`;
  return rungs.map(({ area, reached, cases, worst, ofRoof: near, speeds, unit, steps }) => {
    const found = reached === null ? 'not compared' : percent(reached).padStart(6).padEnd(12);
    const notes = [
      `asked: ${steps.map(percent).join(' / ')}`,
      worst === undefined || cases < 2 ? '' : `${cases} cases, the lowest ${percent(worst.reached)}: ${worst.name}`,
      near === undefined ? '' : `${percent(near)} of the roof`,
      ...Object.entries(speeds ?? {}).map(([name, speed]) => `${name} ${speed.toFixed(0)} ${unit}/s`),
    ];
    return `${area.padEnd(52)}${found}  ${notes.filter((note) => note !== '').join('; ')}`;
  });
}
