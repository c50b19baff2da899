import { zeros } from '../../../lib/index.js';
import type { Case, ErrorCase, InputSpec } from '../case.js';
import { empty, long, shapes } from '../reductions.js';

const axisOf = ([shape, axis]: [number[], number], more: Partial<InputSpec>[]): Case => ({
  inputs: more.map((m) => ({ ...m, shape })),
  attrs: { axis },
});

/** Dense lines, neighbouring lines, lines with gaps; short, long, and many enough for several threads. */
const lines: [number[], number][] = [
  [[1], 0],
  [[40], 0],
  [[3, 5], 1],
  [[5, 3], 0],
  [[2, 3, 4], 1],
  [[2, 7, 1], 1],
  [[3, 0], 1],
  [[3, 0], 0],
];
const many: [number[], number][] = [
  [[3, 2100], 1],
  [[21, 900], 0],
  [[4000, 10], 1],
];

const of = (...more: Partial<InputSpec>[]): Case[] => [
  ...lines.map((l) => axisOf(l, more)),
  ...many.map((l) => ({ ...axisOf(l, more), skipGrad: 'the gradient of so many elements takes too long one by one' })),
];

const wide: Case = { inputs: [{ shape: [4, 9], low: -500, high: 500 }], attrs: { axis: 1 }, skipGrad: 'saturated' };
const g: Partial<InputSpec> = {};
const probability: Partial<InputSpec> = { low: 0.001, high: 0.02 };
const logarithm: Partial<InputSpec> = { low: -4, high: -0.1 };

export const cases: Record<string, Case[]> = {
  softmax: [...of({}), wide],
  logSoftmax: [...of({}), wide],
  softmaxGrad: of(g, probability),
  logSoftmaxGrad: of(g, logarithm),
  logSumExp: [...shapes(), ...empty(), ...long()],
};

export const errors: ErrorCase[] = [
  {
    name: 'axis past the last',
    call: () => zeros([2, 3]).softmax(2),
    message: 'softmax: axis must be a whole number from -2 to 1: 2',
  },
  {
    name: 'fractional axis',
    call: () => zeros([2, 3]).logSoftmax(0.5),
    message: 'logSoftmax: axis must be a whole number from -2 to 1: 0.5',
  },
];
