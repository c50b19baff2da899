import { zeros } from '../../../lib/index.js';
import type { Case, ErrorCase } from '../case.js';
import { empty, long, over, shapes } from '../reductions.js';

// A sample of one has no variance: shapes() has groups of one only without a correction.
const spreads: Case[] = [
  ...shapes({}, { correction: 0 }),
  over({ shape: [37] }, [0], false, { correction: 1 }),
  over({ shape: [3, 5] }, [1], true, { correction: 1 }),
  over({ shape: [2, 3, 40] }, [1], false, { correction: 2 }),
  {
    ...over({ shape: [2, 1], low: 1 }, [1], false, { correction: 1 }),
    skipGrad: 'nan, as the variance of one element',
  },
  over({ shape: [300, 33], low: 1000, high: 1001 }, [0], false, { correction: 1 }),
  over({ shape: [5, 3000], low: -5000, high: -4999 }, [1], false, { correction: 1 }),
  ...empty({ correction: 1 }),
  ...long({}, { correction: 1 }),
];

export const cases: Record<string, Case[]> = { variance: spreads, std: spreads };

export const errors: ErrorCase[] = [
  {
    name: 'correction that is no number',
    call: () => zeros([3]).variance(0, { correction: true as never }),
    message: 'variance: correction must be a finite number: true',
  },
  {
    name: 'order that is no number',
    call: () => zeros([3]).norm(0, { p: 'fro' as never }),
    message: 'norm: p must be a number: "fro"',
  },
];
