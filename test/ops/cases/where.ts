import { ones, tensor, where } from '../../../lib/index.js';
import type { Case, ErrorCase } from '../case.js';

const condition = (shape: number[]) => ({ shape, dtype: 'bool' as const });

export const cases: Record<string, Case[]> = {
  where: [
    { inputs: [condition([9]), { shape: [9] }, { shape: [9] }] },
    { inputs: [condition([3, 1]), { shape: [5] }, { shape: [2, 1, 1] }] },
    { inputs: [condition([]), { shape: [2, 3] }, { shape: [3] }] },
    { inputs: [condition([70, 300]), { shape: [70, 300] }, { shape: [] }] },
    { inputs: [condition([0, 2]), { shape: [2] }, { shape: [0, 2] }] },
  ],
  clamp: [
    { low: -0.5, high: 1.25 },
    { low: -Infinity, high: 1 },
    { low: 0, high: Infinity },
    { low: 1, high: 0 },
  ].flatMap((attrs) => [
    { inputs: [{ shape: [3, 7], distinct: true, low: -1.9 }], attrs },
    { inputs: [{ shape: [0] }], attrs },
  ]),
  clampGrad: [
    { inputs: [{ shape: [3, 7] }, { shape: [3, 7], distinct: true }], attrs: { low: -0.5, high: 1.25 } },
    {
      inputs: [{ shape: [4] }, { shape: [4], values: [-0.5, 1.25, -0.6, 1.3] }],
      attrs: { low: -0.5, high: 1.25 },
      skipGrad: 'kinks',
    },
  ],
};

export const errors: ErrorCase[] = [
  {
    name: 'a condition of numbers',
    call: () => where(ones([2]), 1, 2),
    message: 'where: the condition must be bool; compare, or cast it: float32',
  },
  {
    name: 'shapes that do not broadcast',
    call: () => tensor([true, false]).where(ones([3]), 0),
    message: 'where: shapes do not broadcast: a is [2], b is [3]',
  },
  {
    name: 'a mask of numbers',
    call: () => ones([2]).maskedFill(ones([2]), 0),
    message: /^maskedFill: mask must be a bool tensor: /,
  },
  { name: 'no bound', call: () => ones([2]).clamp(), message: 'clamp: give min, max or both: neither' },
  {
    name: 'a bound that is no number',
    call: () => ones([2]).clamp({ min: Number.NaN }),
    message: 'clamp: min and max must be numbers: NaN',
  },
  {
    name: 'bool',
    call: () => tensor([true]).clamp({ max: 1 }),
    message: 'clamp: not defined for bool elements; use cast(): [1] bool',
  },
];
