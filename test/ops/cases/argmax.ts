import { zeros } from '../../../lib/index.js';
import type { Case, ErrorCase } from '../case.js';
import { over } from '../reductions.js';

const nan = Number.NaN;
const places: Case[] = [
  over({ shape: [37] }, [0]),
  over({ shape: [3, 5] }, [1], true),
  over({ shape: [5, 70] }, [0]),
  over({ shape: [2, 3, 4] }, [1]),
  over({ shape: [2, 0, 4] }, [0]),
  over({ shape: [2, 300], integers: true }, [1]),
  over({ shape: [90, 7], integers: true }, [0]),
  over({ shape: [2, 5], values: [1, nan, 3, nan, 2, nan, 1, 1, 0, 0] }, [1]),
  over({ shape: [3, 2], values: [1, nan, nan, 5, 7, nan] }, [0]),
  over({ shape: [40, 900] }, [0]),
  over({ shape: [34000] }, [0]),
];

export const cases: Record<string, Case[]> = { argmax: places, argmin: places };

export const errors: ErrorCase[] = [
  {
    name: 'nothing along the axis',
    call: () => zeros([2, 0]).argmax(1),
    message: 'argmax: there are no elements to choose from: [2, 0] along [1]',
  },
  {
    name: 'nothing at all',
    call: () => zeros([0]).argmin(),
    message: 'argmin: there are no elements to choose from: [0] along [0]',
  },
  {
    name: 'several axes',
    call: () => zeros([2, 3]).argmax([0, 1] as never),
    message: 'argmax: axis must be a whole number from -2 to 1: [0, 1]',
  },
];
