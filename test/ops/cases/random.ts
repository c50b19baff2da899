import type { DType } from '../../../lib/dtype.js';
import {
  bernoulli,
  dropout,
  Generator,
  normal,
  ones,
  permutation,
  randint,
  tensor,
  uniform,
} from '../../../lib/index.js';
import type { Case, ErrorCase } from '../case.js';

const stream = { seed: 2 ** 40 + 12345, offset: 3 };
const late = { seed: 7, offset: 2 ** 33 + 1 };

/** Nothing, one number, odd counts, blocks of 512 and one more, and enough for several threads. */
const draws = (attrs: object, dtypes: readonly DType[]): Case[] =>
  dtypes.flatMap((dtype) =>
    [[], [0], [7], [2, 3, 5], [1025], [70, 300]].map((shape) => ({
      inputs: [],
      attrs: { ...attrs, shape, dtype, stream },
    })),
  );

const floats = ['float32', 'float64'] as const;

export const cases: Record<string, Case[]> = {
  uniform: [
    ...draws({ low: 0, high: 1 }, floats),
    { inputs: [], attrs: { low: 5, high: 15, shape: [41], dtype: 'float32', stream: late } },
  ],
  normal: [
    ...draws({ mean: 0, std: 1 }, floats),
    { inputs: [], attrs: { mean: 50, std: 2, shape: [41], dtype: 'float32', stream: late } },
  ],
  bernoulli: [
    ...draws({ p: 0.3 }, ['float32', 'bool', 'int32']),
    ...[0, 1].map((p) => ({ inputs: [], attrs: { p, shape: [50], dtype: 'uint8', stream: late } })),
  ],
  randint: [
    ...draws({ low: -3, range: 10 }, ['int32', 'float32']),
    { inputs: [], attrs: { low: 0, range: 256, shape: [99], dtype: 'uint8', stream: late } },
    // Half of the words are rejected, and none
    { inputs: [], attrs: { low: -(2 ** 31), range: 2 ** 31 + 1, shape: [999], dtype: 'int32', stream } },
    { inputs: [], attrs: { low: -(2 ** 31), range: 2 ** 32, shape: [99], dtype: 'int32', stream } },
  ],
  permutation: [0, 1, 2, 511, 1030].map((count) => ({ inputs: [], attrs: { shape: [count], dtype: 'int32', stream } })),
  dropout: [0.25, 0.5, 1].flatMap((p) => [
    { inputs: [{ shape: [3, 50] }], attrs: { p, stream } },
    { inputs: [{ shape: [] }], attrs: { p, stream } },
    { inputs: [{ shape: [0, 4] }], attrs: { p, stream: late } },
  ]),
};

export const errors: ErrorCase[] = [
  {
    name: 'a seed that is no whole number',
    call: () => new Generator(0.5),
    message: /^Generator: seed must be a whole number of 0 or more: 0.5$/,
  },
  {
    name: 'a state of something else',
    call: () => new Generator(1).setState({} as never),
    message: /^setState: seed must be/,
  },
  {
    name: 'bounds in the wrong order',
    call: () => uniform([2], { low: 1, high: 0 }),
    message: 'uniform: low must not be above high: 1 and 0',
  },
  {
    name: 'bounds too far apart',
    call: () => uniform([2], { low: -3e38, high: 3e38 }),
    message: 'uniform: high - low is beyond float32: -3e+38 and 3e+38',
  },
  {
    name: 'uniform integers',
    call: () => uniform([2], { dtype: 'int32' }),
    message: 'uniform: no numbers of this dtype are drawn: "int32"',
  },
  { name: 'negative deviation', call: () => normal([2], { std: -1 }), message: 'normal: std must not be negative: -1' },
  {
    name: 'nan for a mean',
    call: () => normal([2], { mean: Number.NaN }),
    message: 'normal: mean must be a finite number: NaN',
  },
  {
    name: 'probability above 1',
    call: () => bernoulli([2], { p: 1.5 }),
    message: 'bernoulli: p must be from 0 to 1: 1.5',
  },
  {
    name: 'an empty range',
    call: () => randint(3, 3, [2]),
    message: /^randint: high must be a whole number from 4 to 2147483648: 3$/,
  },
  {
    name: 'beyond uint8',
    call: () => randint(0, 300, [2], { dtype: 'uint8' }),
    message: /^randint: high must be a whole number from 1 to 256: 300$/,
  },
  {
    name: 'negative count',
    call: () => permutation(-1),
    message: /^permutation: count must be a whole number from 0 to 2147483647: -1$/,
  },
  {
    name: 'negative size',
    call: () => normal([2, -1]),
    message: 'normal: sizes must be whole numbers, 0 or more: [2, -1]',
  },
  {
    name: 'probability of dropping',
    call: () => dropout(ones([2]), { p: -0.1 }),
    message: 'dropout: p must be a number from 0 to 1: -0.1',
  },
  { name: 'no tensor to drop from', call: () => dropout([1] as never), message: 'dropout: x must be a tensor: [1]' },
  {
    name: 'a generator of something else',
    call: () => tensor([1]).dropout({ generator: 5 as never }),
    message: 'dropout: generator must be a Generator: 5',
  },
];
