import { tensor, zeros } from '../../../lib/index.js';
import type { Case, ErrorCase, InputSpec } from '../case.js';

const labelsOf = (shape: number[], classes: number): InputSpec => ({ shape, dtype: 'int32', low: 0, high: classes });
const plain = { reduction: 'mean', ignoreIndex: -100, smoothing: 0 };

interface Setting {
  readonly shape: number[];
  readonly weight?: boolean;
  readonly labels?: number[];
  readonly attrs?: object;
}

const { inf, nan } = { inf: Infinity, nan: Number.NaN };

/** Dense classes, positions side by side, many of them; weights, ignored labels and each way to reduce. */
const settings: Setting[] = [
  { shape: [4, 3] },
  { shape: [1, 1] },
  { shape: [5, 40], attrs: { reduction: 'sum' } },
  { shape: [3, 7], attrs: { reduction: 'none' } },
  { shape: [2, 5, 4], attrs: { reduction: 'none' } },
  { shape: [2, 3, 2, 2] },
  { shape: [6, 4], weight: true },
  { shape: [6, 4], weight: true, labels: [0, 3, 2, 1, 1, 3], attrs: { ignoreIndex: 3, reduction: 'none' } },
  { shape: [4, 3], labels: [2, -100, 0, -100] },
  { shape: [2, 3, 2], labels: [1, 7, 7, 0], weight: true, attrs: { ignoreIndex: 7 } },
  { shape: [0, 3], attrs: { reduction: 'sum' } },
];

function caseOf({ shape, weight, labels, attrs }: Setting): Case {
  const positions = [shape[0], ...shape.slice(2)];
  return {
    inputs: [
      { shape },
      { ...labelsOf(positions, shape[1]), values: labels },
      weight ? { shape: [shape[1]], low: 0.5, high: 2 } : 1,
    ],
    attrs: { ...plain, ...attrs },
  };
}

const tooMany = 'the gradient of so many elements takes too long one by one';
const many: Case[] = [
  { ...caseOf({ shape: [1500, 10] }), skipGrad: tooMany },
  { ...caseOf({ shape: [20, 700] }), skipGrad: tooMany },
  { ...caseOf({ shape: [3, 10, 600], attrs: { reduction: 'none' } }), skipGrad: tooMany },
];

const smooth = (s: Setting): Case => caseOf({ ...s, attrs: { ...s.attrs, smoothing: 0.15 } });

/** Scores that are infinite or nan: at the label, elsewhere, everywhere. */
const extreme: Case = {
  inputs: [
    { shape: [6, 3], values: [1, -inf, 2, -inf, 1, 2, inf, 0, 1, nan, 0, 1, -inf, -inf, -inf, 1e4, 1e4, -1e4] },
    { ...labelsOf([6], 3), values: [0, 0, 1, 1, 2, 1] },
    1,
  ],
  attrs: { ...plain, reduction: 'none' },
  skipGrad: 'infinite',
};

function gradientOf({ inputs, attrs, skipGrad }: Case): Case {
  const { ignoreIndex, smoothing } = attrs as typeof plain;
  const positions = (inputs[1] as InputSpec).shape;
  const more: (InputSpec | number)[] = [
    { shape: positions, dtype: 'float64', low: 1, high: 3 },
    { shape: [], low: 2, high: 3 },
    { shape: positions },
    { shape: positions },
  ];
  return { inputs: [...inputs, ...more], attrs: { ignoreIndex, smoothing }, skipGrad };
}

function nllGradientOf({ inputs: [x, labels, weight], attrs, skipGrad }: Case): Case {
  const { ignoreIndex } = attrs as typeof plain;
  const { shape } = x as InputSpec;
  const g = { shape: (labels as InputSpec).shape };
  return {
    inputs: [g, { shape: [], low: 2, high: 3 }, labels, weight],
    attrs: { ignoreIndex, smoothing: 0, shape },
    skipGrad,
  };
}

const simple = settings.map(caseOf);
const smoothed = settings.filter((s) => s.shape[0] > 0).map(smooth);

export const cases: Record<string, Case[]> = {
  crossEntropy: [...simple, ...smoothed, ...many, extreme],
  crossEntropyGrad: [...simple, ...smoothed, ...many].map(gradientOf),
  nllLoss: [...simple, ...many],
  nllLossGrad: [...simple, ...many].map(nllGradientOf),
};

const scores = () => zeros([4, 3]);
const labels = (...values: number[]) => tensor(values, { dtype: 'int32' });

export const errors: ErrorCase[] = [
  {
    name: 'label past the last class',
    call: () =>
      scores()
        .crossEntropy(labels(0, 1, 2, 12))
        .data(),
    message: 'crossEntropy: label 12 is out of range [0, 3): at position [3]',
  },
  {
    name: 'negative label',
    call: () =>
      scores()
        .nllLoss(labels(0, -1, 2, -1))
        .data(),
    message: 'nllLoss: label -1 is out of range [0, 3): at position [1]',
  },
  {
    name: 'label out of range in an image',
    call: () =>
      zeros([2, 3, 2])
        .crossEntropy(labels(0, 1, 2, 3).reshape([2, 2]))
        .data(),
    message: 'crossEntropy: label 3 is out of range [0, 3): at position [1, 1]',
  },
  {
    name: 'float labels',
    call: () => scores().crossEntropy(tensor([0, 1, nan, 2])),
    message:
      'crossEntropy: labels must be int32 or uint8 indices of classes: x is [4, 3] float32, labels are [4] float32',
  },
  {
    name: 'too few labels',
    call: () => scores().crossEntropy(labels(0, 1)),
    message: 'crossEntropy: labels must have the shape of x without its classes: x is [4, 3], labels are [2]',
  },
  {
    name: 'labels of one sample',
    call: () => zeros([3]).crossEntropy(labels(1)),
    message: 'crossEntropy: labels must be a single index for one sample: labels are [1]',
  },
  {
    name: 'no classes',
    call: () => tensor(1).nllLoss(labels()),
    message: 'nllLoss: x must be [N, classes, ...]: []',
  },
  {
    name: 'weights of other classes',
    call: () => scores().crossEntropy(labels(0, 1, 2, 0), { weight: zeros([4]) }),
    message: 'crossEntropy: weight must have one number for each class: weight is [4] for 3 classes',
  },
  {
    name: 'unknown reduction',
    call: () => scores().crossEntropy(labels(0, 1, 2, 0), { reduction: 'avg' as never }),
    message: 'crossEntropy: reduction must be "mean", "sum" or "none": "avg"',
  },
  {
    name: 'too much smoothing',
    call: () => scores().crossEntropy(labels(0, 1, 2, 0), { labelSmoothing: 1.5 }),
    message: 'crossEntropy: labelSmoothing must be a number from 0 to 1: 1.5',
  },
  {
    name: 'fractional ignoreIndex',
    call: () => scores().nllLoss(labels(0, 1, 2, 0), { ignoreIndex: 0.5 }),
    message: /^nllLoss: ignoreIndex must be a whole number from .*: 0.5$/,
  },
  {
    name: 'target of another shape',
    call: () => zeros([3, 1]).mseLoss(zeros([3])),
    message: 'mseLoss: x and target differ in shape: x is [3, 1], target is [3]',
  },
  {
    name: 'target that is no tensor',
    call: () => zeros([3]).l1Loss([1, 2, 3] as never),
    message: 'l1Loss: target must be a tensor: [1, 2, 3]',
  },
  {
    name: 'factors that do not fit',
    call: () => zeros([3]).binaryCrossEntropyWithLogits(zeros([3]), { posWeight: zeros([2, 3]) }),
    message: 'binaryCrossEntropyWithLogits: posWeight does not broadcast to x: x is [3], posWeight is [2, 3]',
  },
];
