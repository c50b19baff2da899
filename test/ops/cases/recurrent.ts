import { tensor, zeros } from '../../../lib/index.js';
import { GRU, LSTM, RNN } from '../../../lib/nn/recurrent.js';
import type { Case, ErrorCase, InputSpec } from '../case.js';

/** T steps, N rows, H units; whether there is an initial state. */
type Setting = readonly [steps: number, rows: number, units: number, state?: boolean, reverse?: boolean];

/** Units around the width of a tile, rows around its height, one step, one row, none; both directions. */
const settings: readonly Setting[] = [
  [3, 2, 4],
  [3, 2, 4, true],
  [4, 3, 2, true, true],
  [3, 1, 5, false, true],
  [1, 2, 3],
  [1, 2, 3, true],
  [2, 0, 3, true],
  [3, 1, 1, true],
];
const tooMany = 'the gradient of so many elements takes too long one by one';
const large: readonly Setting[] = [
  [2, 15, 33, true],
  [2, 29, 17],
  [2, 3, 70, true, true], // with several gates, enough to be shared by units
  [2, 150, 40, true], // by rows
  [2, 3, 530, true], // more than one cut of the depth, which falls inside of a gate
];

const state = (shape: readonly number[], there = false): InputSpec | number => (there ? { shape } : 0);
const both = (make: (setting: Setting) => Case): Case[] => [
  ...settings.map(make),
  ...large.map((s) => ({ ...make(s), skipGrad: tooMany })),
];
const open = { low: 0.1, high: 0.9 }; // values of gates

/** A gradient that is there, or not. */
const maybe = (there: boolean, shape: number[]): InputSpec | number => (there ? { shape } : 0);

export const cases: Record<string, Case[]> = {
  lstm: both(([t, n, h, initial, reverse = false]) => ({
    inputs: [
      { shape: [t, n, 4 * h] },
      { shape: [4 * h, h], low: -0.5, high: 0.5 },
      state([n, h], initial),
      state([n, h], initial),
    ],
    attrs: { reverse },
  })),
  lstmGrad: both(([t, n, h, initial = false, reverse = false]) => ({
    inputs: [
      { shape: [t, n, h] },
      maybe(initial, [t, n, h]),
      maybe(reverse, [t, n, 4 * h]),
      { shape: [t, n, h] },
      { shape: [t, n, 4 * h], ...open },
      { shape: [4 * h, h], low: -0.5, high: 0.5 },
      state([n, h], initial),
    ],
    attrs: { reverse, initial },
  })),
  gru: both(([t, n, h, initial, reverse = false]) => ({
    inputs: [
      { shape: [t, n, 3 * h] },
      { shape: [3 * h, h], low: -0.5, high: 0.5 },
      maybe(n > 1, [3 * h]),
      state([n, h], initial),
    ],
    attrs: { reverse },
  })),
  gruGrad: both(([t, n, h, initial = false, reverse = false]) => ({
    inputs: [
      maybe(t > 1, [t, n, h]),
      maybe(reverse || t === 1, [t, n, 4 * h]),
      { shape: [t, n, h] },
      { shape: [t, n, 4 * h], ...open },
      { shape: [3 * h, h], low: -0.5, high: 0.5 },
      state([n, h], initial),
    ],
    attrs: { reverse, initial },
  })),
  rnn: [
    ...both(([t, n, h, initial, reverse = false]) => ({
      inputs: [{ shape: [t, n, h] }, { shape: [h, h], low: -0.5, high: 0.5 }, state([n, h], initial)],
      attrs: { reverse, nonlinearity: 'tanh' },
    })),
    {
      // The sums stay away from 0, where relu has no derivative.
      inputs: [
        { shape: [3, 2, 4], low: 1 },
        { shape: [4, 4], low: -0.1, high: 0.1 },
        { shape: [2, 4], low: 0, high: 1 },
      ],
      attrs: { reverse: false, nonlinearity: 'relu' },
    },
  ],
  rnnGrad: ['tanh', 'relu'].flatMap((nonlinearity) =>
    both(([t, n, h, initial = false, reverse = false]) => ({
      inputs: [{ shape: [t, n, h] }, { shape: [t, n, h], low: -1, high: 1 }, { shape: [h, h], low: -0.5, high: 0.5 }],
      attrs: { reverse, initial, nonlinearity },
    })),
  ),
};

export const perf: Record<string, Case[]> = {
  lstm: [
    {
      inputs: [{ shape: [64, 64, 1024] }, { shape: [1024, 256], low: -0.1, high: 0.1 }, 0, 0],
      attrs: { reverse: false },
    },
  ],
  lstmGrad: [
    {
      inputs: [
        { shape: [64, 64, 256] },
        0,
        0,
        { shape: [64, 64, 256] },
        { shape: [64, 64, 1024], ...open },
        { shape: [1024, 256], low: -0.1, high: 0.1 },
        0,
      ],
      attrs: { reverse: false, initial: false },
    },
  ],
  gru: [
    {
      inputs: [{ shape: [64, 64, 768] }, { shape: [768, 256], low: -0.1, high: 0.1 }, 0, 0],
      attrs: { reverse: false },
    },
  ],
};

const x = () => zeros([5, 2, 3]);

export const errors: ErrorCase[] = [
  {
    name: 'features that do not fit',
    call: () => new LSTM(4, 2).forward(x()),
    message: 'LSTM: the input must be [T, N, 4] or [T, 4]: [5, 2, 3]',
  },
  {
    name: 'batch first, features that do not fit',
    call: () => new GRU(4, 2, { batchFirst: true }).forward(x()),
    message: 'GRU: the input must be [N, T, 4] or [T, 4]: [5, 2, 3]',
  },
  {
    name: 'no steps',
    call: () => new RNN(3, 2).forward(zeros([0, 2, 3])),
    message: 'RNN: a sequence has at least one step: [0, 2, 3]',
  },
  {
    name: 'an input that is no tensor',
    call: () => new RNN(3, 2).forward([1] as never),
    message: 'RNN: the input must be a tensor: [1]',
  },
  {
    name: 'a state of another shape',
    call: () => new GRU(3, 2, { numLayers: 2 }).forward(x(), zeros([1, 2, 2])),
    message: 'GRU: h0 must be [2, 2, 2]: [1, 2, 2]',
  },
  {
    name: 'an LSTM state that is no pair',
    call: () => new LSTM(3, 2).forward(x(), zeros([1, 2, 2]) as never),
    message: /^LSTM: the state must be \[h0, c0\]: /,
  },
  {
    name: 'another dtype',
    call: () => new LSTM(3, 2).forward(tensor([[[1, 2, 3]]], { dtype: 'float64' })),
    message: /^LSTM: the input must be float32 like the parameters: /,
  },
];
