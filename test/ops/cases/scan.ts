import { tensor, zeros } from '../../../lib/index.js';
import type { Case, ErrorCase, InputSpec } from '../case.js';

/** Rows in fours and alone, columns, gaps; long enough for several threads, and one line cut into pieces. */
const shapes: readonly (readonly [number[], number])[] = [
  [[1], 0],
  [[17], 0],
  [[7, 5], 1],
  [[5, 7], 0],
  [[2, 3, 4], 1],
  [[3, 0], 1],
  [[0, 3], 1],
];
const large: readonly (readonly [number[], number])[] = [
  [[90, 700], 1],
  [[300, 270], 0],
  [[150000], 0],
];

const of = (more: Partial<InputSpec> = {}): Case[] =>
  [false, true].flatMap((reverse) => [
    ...shapes.map(([shape, axis]): Case => ({ inputs: [{ ...more, shape }], attrs: { axis, reverse } })),
    ...large.map(
      ([shape, axis]): Case => ({
        inputs: [{ ...more, shape }],
        attrs: { axis, reverse },
        skipGrad: 'the gradient of so many elements takes too long one by one',
      }),
    ),
  ]);

export const cases: Record<string, Case[]> = {
  cumsum: [
    ...of(),
    { inputs: [{ shape: [6, 4], dtype: 'int32', low: -9, high: 9 }], attrs: { axis: 0, reverse: false } },
    {
      inputs: [{ shape: [3], dtype: 'int32', values: [2147483647, 1, 1] }],
      attrs: { axis: 0, reverse: false },
    },
  ],
};

export const errors: ErrorCase[] = [
  {
    name: 'cumsum past the last axis',
    call: () => zeros([2, 3]).cumsum(2),
    message: 'cumsum: axis must be a whole number from -2 to 1: 2',
  },
  {
    name: 'cumsum of a scalar',
    call: () => tensor(3).cumsum(0),
    message: 'cumsum: a scalar has no axes: 0',
  },
];
