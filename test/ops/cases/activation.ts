import { ones, tensor } from '../../../lib/index.js';
import type { Case, ErrorCase, InputSpec } from '../case.js';

const shapes = [[7], [3, 5], [2, 3, 4], [], [0, 3]];

/** The activation itself; further out as far as its formula keeps the argument's precision. */
const on = (attrs?: unknown, range: Omit<InputSpec, 'shape'> = {}, reach = 12): Case[] => [
  ...shapes.map((shape) => ({ inputs: [{ shape, ...range }], attrs })),
  { inputs: [{ shape: [90], low: -reach, high: reach, dtype: 'float32' }], attrs },
];

/** A gradient row: the gradient, and the argument or result of the activation, away from where the derivative is 0. */
const gradients = (attrs?: unknown, range: Omit<InputSpec, 'shape'> = {}): Case[] =>
  shapes.map((shape) => ({ inputs: [{ shape }, { shape, ...range }], attrs }));

/** Both sides of a kink at 0, and the kink itself. */
const sides = (rows: (attrs: unknown, range: Omit<InputSpec, 'shape'>) => Case[], attrs?: unknown): Case[] => [
  ...rows(attrs, { low: 0.1, high: 2 }),
  ...rows(attrs, { low: -2, high: -0.1 }),
];

const kink = (attrs?: unknown): Case[] => [
  { inputs: [{ shape: [4], values: [-1, 0, 1, 2] }], attrs, skipGrad: 'kink at 0' },
];
const kinkGrad = (attrs?: unknown): Case[] => [
  { inputs: [{ shape: [4] }, { shape: [4], values: [-1, 0, 1, 2] }], attrs, skipGrad: 'kink at 0' },
];

export const cases: Record<string, Case[]> = {
  relu: [...sides(on), ...kink()],
  reluGrad: [...sides(gradients), ...kinkGrad()],
  sigmoid: on(),
  sigmoidGrad: gradients(undefined, { low: 0, high: 1 }),
  tanh: on(),
  tanhGrad: gradients(undefined, { low: -1, high: 1 }),
  silu: on(),
  siluGrad: [...gradients(undefined, { low: -1 }), ...gradients(undefined, { low: -9, high: -1.5 })],
  gelu: on(),
  geluGrad: [...gradients(undefined, { low: -0.6 }), ...gradients(undefined, { low: -3, high: -0.9 })],
  geluTanh: on(undefined, {}, 3),
  geluTanhGrad: [...gradients(undefined, { low: -0.6 }), ...gradients(undefined, { low: -3, high: -0.9 })],
  leakyRelu: [0.01, 0.3, -0.5].flatMap((negativeSlope) => [
    ...sides(on, { negativeSlope }),
    ...kink({ negativeSlope }),
  ]),
  leakyReluGrad: [0.01, 0.3].flatMap((negativeSlope) => [
    ...sides(gradients, { negativeSlope }),
    ...kinkGrad({ negativeSlope }),
  ]),
  elu: [1, 0.4].flatMap((alpha) => [...sides(on, { alpha }), ...kink({ alpha })]),
  eluGrad: [1, 0.4].flatMap((alpha) => [...sides(gradients, { alpha }), ...kinkGrad({ alpha })]),
  softplus: [1, 2.5, 0.5].flatMap((beta) => on({ beta }, {}, 3)),
};

export const errors: ErrorCase[] = [
  {
    name: 'no such formula',
    call: () => ones([2]).gelu({ approximate: 'erf' as never }),
    message: 'gelu: approximate must be none or tanh: "erf"',
  },
  {
    name: 'slope that is no number',
    call: () => ones([2]).leakyRelu({ negativeSlope: '0.1' as never }),
    message: 'leakyRelu: negativeSlope must be a number: "0.1"',
  },
  {
    name: 'number for options',
    call: () => ones([2]).elu(1 as never),
    message: 'elu: options must be an object: 1',
  },
  {
    name: 'beta of 0',
    call: () => ones([2]).softplus({ beta: 0 }),
    message: 'softplus: beta must be a number above 0: 0',
  },
  {
    name: 'rectifier of bool',
    call: () => tensor([true]).relu(),
    message: 'relu: not defined for bool elements; use cast(): [1] bool',
  },
];
