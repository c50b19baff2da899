import { ones } from '../../../lib/index.js';
import type { Case, ErrorCase } from '../case.js';

const values = [0, 1, 2, -1, 0, 3, 2, 2];

const pairs: Case[] = [
  { inputs: [{ shape: [33] }, { shape: [33] }] },
  {
    inputs: [
      { shape: [8], values },
      { shape: [8], values: [...values].reverse() },
    ],
  },
  {
    inputs: [
      { shape: [2, 1, 4], values },
      { shape: [3, 4], integers: true },
    ],
  },
  { inputs: [{ shape: [3, 5], integers: true }, 1] },
  { inputs: [0, { shape: [3, 5], integers: true }] },
  { inputs: [{ shape: [0, 3] }, { shape: [3] }] },
];

const singles: Case[] = [
  { inputs: [{ shape: [40], integers: true }] },
  { inputs: [{ shape: [3, 7] }] },
  { inputs: [{ shape: [4], values: [0, Number.NaN, Number.POSITIVE_INFINITY, 1] }] },
  { inputs: [{ shape: [] }] },
  { inputs: [{ shape: [0] }] },
];

export const cases: Record<string, Case[]> = {
  eq: pairs,
  ne: pairs,
  lt: pairs,
  le: pairs,
  gt: pairs,
  ge: pairs,
  logicalAnd: pairs,
  logicalOr: pairs,
  logicalXor: pairs,
  logicalNot: singles,
  isNaN: singles,
  isFinite: singles,
};

export const errors: ErrorCase[] = [
  {
    name: 'shapes that do not broadcast',
    call: () => ones([2, 3]).lt(ones([4])),
    message: 'lt: shapes do not broadcast: a is [2, 3], b is [4]',
  },
  {
    name: 'compared with nothing',
    call: () => ones([2]).eq(undefined as never),
    message: /^eq: operands must be tensors, or a tensor and a number: .* and undefined$/,
  },
];
