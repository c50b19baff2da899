import { ones, tensor } from '../../../lib/index.js';
import type { Case, ErrorCase, InputSpec } from '../case.js';

const shapes = [[7], [3, 5], [2, 3, 4], [], [0, 3], [2, 1, 3, 1, 2]];

/** One operand in several shapes, within the range where the op is smooth. */
const on = (range: Omit<InputSpec, 'shape'> = {}): Case[] => shapes.map((shape) => ({ inputs: [{ shape, ...range }] }));

/** A difference across a step between whole numbers shows no slope. */
const steps: Case[] = [
  { inputs: [{ shape: [5], low: 0.1, high: 0.4 }] },
  { inputs: [{ shape: [3, 4], low: -0.9, high: -0.6 }] },
  { inputs: [{ shape: [0, 2] }] },
  {
    inputs: [{ shape: [10], values: [-2.5, -1.5, -0.5, -0.49999, 0.49999, 0.5, 1.5, 2.5, 3.5, 1e9] }],
    skipGrad: 'steps',
  },
  { inputs: [{ shape: [4, 9], low: -300, high: 300 }], skipGrad: 'steps' },
];

export const cases: Record<string, Case[]> = {
  neg: on(),
  abs: [...on({ low: 0.1 }), ...on({ low: -2, high: -0.1 })],
  sign: [...on({ low: 0.1 }), ...on({ low: -2, high: -0.1 })],
  square: on(),
  reciprocal: on({ low: 0.3 }),
  sqrt: on({ low: 0.2 }),
  rsqrt: on({ low: 0.3 }),
  exp: [...on(), { inputs: [{ shape: [50], low: -80, high: 80, dtype: 'float32' }] }],
  exp2: [...on(), { inputs: [{ shape: [50], low: -120, high: 120, dtype: 'float32' }] }],
  expm1: [...on(), { inputs: [{ shape: [50], low: -20, high: 80, dtype: 'float32' }] }],
  log: [...on({ low: 0.2 }), { inputs: [{ shape: [50], low: 0.2, high: 1e9, dtype: 'float32' }] }],
  log2: [...on({ low: 0.2 }), { inputs: [{ shape: [50], low: 0.2, high: 1e9, dtype: 'float32' }] }],
  log10: [...on({ low: 0.2 }), { inputs: [{ shape: [50], low: 0.2, high: 1e9, dtype: 'float32' }] }],
  log1p: on({ low: -0.8 }),
  sin: [...on(), { inputs: [{ shape: [60], low: -1e7, high: 1e7, dtype: 'float32' }] }],
  cos: [...on(), { inputs: [{ shape: [60], low: -1e7, high: 1e7, dtype: 'float32' }] }],
  tan: [
    ...on({ low: -1.2, high: 1.2 }),
    { inputs: [{ shape: [60], low: -1e7, high: 1e7, dtype: 'float32' }], skipGrad: 'poles' },
  ],
  erf: [...on(), { inputs: [{ shape: [60], low: -5, high: 5, dtype: 'float32' }] }],
  floor: steps,
  ceil: steps,
  trunc: steps,
  round: steps,
};

export const errors: ErrorCase[] = [
  {
    name: 'negative of bool',
    call: () => tensor([true, false]).neg(),
    message: 'neg: not defined for bool elements; use cast(): [2] bool',
  },
  {
    name: 'disposed tensor',
    call: () => {
      const x = ones([2, 3]);
      x.dispose();
      return x.exp();
    },
    message: 'exp: the tensor was disposed of: x [2, 3] float32',
  },
];
