import { batchNorm, groupNorm, instanceNorm, layerNorm, ones, rmsNorm, zeros } from '../../../lib/index.js';
import type { Case, ErrorCase, InputSpec } from '../case.js';

const tooMany = 'the gradient of so many elements takes too long one by one';
const rounded = 'central differences of numbers near 1000 have too few digits';
const positive = { low: 0.5, high: 2 };

interface Setting {
  readonly shape: number[];
  /** Normalisations of the last axes: how many of them. */
  readonly last?: number;
  /** Numbers in place of weight and bias. */
  readonly plain?: boolean;
  readonly relu?: boolean;
  readonly input?: Omit<InputSpec, 'shape'>;
  readonly skipGrad?: string;
}

/** Channels side by side and with planes, fewer than threads, enough of them, long ones; a large mean. */
const batches: Setting[] = [
  { shape: [6, 3] },
  { shape: [5, 70] },
  { shape: [5, 70], relu: true },
  { shape: [4, 1] },
  { shape: [3, 4, 5] },
  { shape: [3, 4, 5], relu: true },
  { shape: [2, 3, 4, 3], plain: true },
  { shape: [2, 3, 4, 3], plain: true, relu: true },
  { shape: [2, 2, 2, 2, 2] },
  { shape: [2, 19, 1, 1] },
  { shape: [40, 2, 30, 16], skipGrad: tooMany },
  { shape: [12, 64, 7, 7], skipGrad: tooMany },
  { shape: [12, 64, 7, 7], relu: true, skipGrad: tooMany },
  { shape: [300, 130], skipGrad: tooMany },
  { shape: [3, 1, 120, 120], skipGrad: tooMany },
  { shape: [1, 1, 150, 151], skipGrad: tooMany },
  { shape: [1, 1, 150, 151], relu: true, skipGrad: tooMany },
  { shape: [9, 4, 5], input: { low: 1000, high: 1001 }, skipGrad: rounded },
  { shape: [200, 3], input: { low: 1000, high: 1001 }, skipGrad: rounded },
];
const layers: Setting[] = [
  { shape: [4, 5], last: 1 },
  { shape: [3, 1], last: 1 },
  { shape: [2, 3, 40], last: 1, plain: true },
  { shape: [2, 3, 4, 2], last: 2 },
  { shape: [3, 4], last: 2 },
  { shape: [0, 7], last: 1 },
  { shape: [200, 300], last: 1, skipGrad: tooMany },
  { shape: [3, 5000], last: 1, skipGrad: tooMany },
  { shape: [5, 37], last: 1, input: { low: 1000, high: 1001 }, skipGrad: rounded },
];
const grouped: Setting[] = [
  { shape: [2, 3, 1, 5] },
  { shape: [3, 2, 2, 3] },
  { shape: [3, 2, 2, 3], plain: true },
  { shape: [2, 1, 4, 1] },
  { shape: [0, 2, 2, 3] },
  { shape: [6, 4, 8, 49], skipGrad: tooMany },
  { shape: [2, 3, 2, 37], input: { low: 1000, high: 1001 }, skipGrad: rounded },
];

interface Kind {
  readonly parameter: (s: Setting) => number[];
  readonly kept: (s: Setting, axis: number) => boolean;
  readonly centred: boolean;
  readonly masks: boolean;
  readonly adds?: boolean;
}

const batch: Kind = { parameter: ({ shape }) => [shape[1]], kept: (_, d) => d === 1, centred: true, masks: true };
const sum: Kind = { ...batch, adds: true };
const lastAxes = {
  parameter: ({ shape, last = 0 }: Setting) => shape.slice(shape.length - last),
  kept: ({ shape, last = 0 }: Setting, d: number) => d < shape.length - last,
  masks: false,
};
const layer: Kind = { ...lastAxes, centred: true };
const rootMeanSquare: Kind = { ...lastAxes, centred: false };
const group: Kind = { parameter: ({ shape }) => shape.slice(1, 3), kept: (_, d) => d < 2, centred: true, masks: false };

const attrsOf = ({ last = 0, relu = false }: Setting) => ({ eps: 1e-3, last, relu });

function parametersOf(s: Setting, shape: number[], count: number): (InputSpec | number)[] {
  return (s.plain ? [1, 0] : [{ shape, ...positive }, { shape }]).slice(0, count);
}

const residualOf = ({ adds }: Kind, { shape }: Setting) => (adds ? [{ shape }] : []);

const forward =
  (kind: Kind) =>
  (s: Setting): Case => {
    const parameters = parametersOf(s, kind.parameter(s), kind.centred ? 2 : 1);
    const inputs = [{ ...s.input, shape: s.shape }, ...parameters, ...residualOf(kind, s)];
    return { inputs, attrs: attrsOf(s), skipGrad: s.skipGrad };
  };

const backward =
  (kind: Kind) =>
  (s: Setting): Case => {
    const { shape, skipGrad } = s;
    const statistics = shape.map((size, d) => (kind.kept(s, d) ? size : 1));
    const mean = kind.centred ? [{ shape: statistics, low: -0.3, high: 0.3 }] : [];
    const parameters = parametersOf(s, kind.parameter(s), kind.masks ? 2 : 1);
    const given = [{ shape }, { shape }, ...parameters, ...mean, { shape: statistics, ...positive }];
    const inputs = [...given, ...residualOf(kind, s)];
    return { inputs, attrs: attrsOf(s), skipGrad };
  };

function evaluated(s: Setting): Case {
  const { shape, input, skipGrad } = s;
  const [c] = batch.parameter(s);
  const statistics = [{ shape: [c] }, { shape: [c], ...positive }];
  return { inputs: [{ ...input, shape }, ...statistics, ...parametersOf(s, [c], 2)], attrs: attrsOf(s), skipGrad };
}

export const cases: Record<string, Case[]> = {
  batchNorm: batches.map(forward(batch)),
  batchNormGrad: batches.map(backward(batch)),
  batchNormAdd: batches.map(forward(sum)),
  batchNormAddGrad: batches.map(backward(sum)),
  batchNormEval: [...batches, { shape: [0, 3, 2] }].map(evaluated),
  layerNorm: layers.map(forward(layer)),
  layerNormGrad: layers.map(backward(layer)),
  rmsNorm: layers.map(forward(rootMeanSquare)),
  rmsNormGrad: layers.map(backward(rootMeanSquare)),
  groupNorm: grouped.map(forward(group)),
  groupNormGrad: grouped.map(backward(group)),
  moveRunning: [
    { inputs: [0.1, { shape: [5] }, { shape: [5] }], attrs: { factors: [1.25] } },
    { inputs: [{ shape: [] }, ...new Array(4).fill({ shape: [37] })], attrs: { factors: [1, 1.5] } },
  ],
};

const x = () => ones([4, 3]);

export const errors: ErrorCase[] = [
  {
    name: 'a vector',
    call: () => batchNorm(ones([4]), null, null),
    message: 'batchNorm: x must be [N, C, ...]: [4]',
  },
  {
    name: 'statistics of other channels',
    call: () => batchNorm(x(), zeros([4]), ones([3])),
    message: 'batchNorm: runningMean must be [3]: runningMean is [4]',
  },
  {
    name: 'no statistics',
    call: () => batchNorm(x(), null, null),
    message: 'batchNorm: evaluation needs running statistics: none',
  },
  {
    name: 'one value a channel',
    call: () => batchNorm(ones([1, 3]), null, null, null, null, { training: true }),
    message: 'batchNorm: training needs more than one value a channel: [1, 3]',
  },
  {
    name: 'weights of other channels',
    call: () => batchNorm(x(), null, null, ones([4]), null, { training: true }),
    message: 'batchNorm: weight must be [3]: weight is [4]',
  },
  {
    name: 'momentum past 1',
    call: () => batchNorm(x(), null, null, null, null, { training: true, momentum: 2 }),
    message: 'batchNorm: momentum must be a number from 0 to 1: 2',
  },
  {
    name: 'negative eps',
    call: () => layerNorm(x(), 3, null, null, { eps: -1 }),
    message: 'layerNorm: eps must be a number, 0 or more: -1',
  },
  {
    name: 'sizes that x does not end with',
    call: () => layerNorm(x(), [4]),
    message: 'layerNorm: the last axes must have the normalized sizes: x is [4, 3], sizes [4]',
  },
  {
    name: 'no sizes',
    call: () => layerNorm(x(), []),
    message: /^layerNorm: normalizedShape must be a size or a list of sizes/,
  },
  {
    name: 'a residual of another shape',
    call: () => batchNorm(x(), zeros([3]), ones([3]), null, null, { residual: ones([4, 2]) }),
    message: 'batchNorm: residual must be [4, 3]: residual is [4, 2]',
  },
  {
    name: 'a residual of another dtype',
    call: () => batchNorm(x(), zeros([3]), ones([3]), null, null, { residual: ones([4, 3], { dtype: 'float64' }) }),
    message: 'batchNorm: the residual must have the dtype of x: float64 and float32',
  },
  {
    name: 'an unknown activation',
    call: () => batchNorm(x(), zeros([3]), ones([3]), null, null, { activation: 'tanh' as 'relu' }),
    message: 'batchNorm: activation must be \'relu\' or null: "tanh"',
  },
  {
    name: 'sizes that x does not end with, of a root mean square',
    call: () => rmsNorm(x(), 4),
    message: 'rmsNorm: the last axes must have the normalized sizes: x is [4, 3], sizes [4]',
  },
  {
    name: 'channels that do not fall into groups',
    call: () => groupNorm(x(), 2),
    message: 'groupNorm: the channels must be a multiple of the groups: x is [4, 3], 2 groups',
  },
  {
    name: 'a channel of one place',
    call: () => instanceNorm(ones([2, 3, 1])),
    message: 'instanceNorm: a channel must have more than one place: [2, 3, 1]',
  },
];
