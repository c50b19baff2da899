import { tensor, zeros } from '../../../lib/index.js';
import type { Case, ErrorCase } from '../case.js';
import { empty, long, over, shapes } from '../reductions.js';

const tied = { shape: [2, 4], values: [1, 3, 3, -2, -2, 0, 3, -2] };
const ties = [0, 1].map((axis): Case => ({ ...over(tied, [axis]), skipGrad: 'a kink where elements are equal' }));
const extremes = [...shapes({ distinct: true }), ...long(), ...ties];
const noBools = over({ shape: [4, 0], dtype: 'bool' }, [1]);

export const cases: Record<string, Case[]> = {
  sum: [...shapes(), ...empty(), ...long()],
  mean: [...shapes(), ...empty(), ...long()],
  norm: [...shapes(), ...empty(), ...long()],
  prod: [...shapes(), ...empty(), over({ shape: [2, 4], values: [0, 2, 3, 4, 0, 0, 5, 6] }, [1])],
  max: extremes,
  min: extremes,
  any: [...shapes({ dtype: 'bool' }), noBools],
  all: [...shapes({ dtype: 'bool' }), noBools],
};

const x = () => zeros([2, 3]);
const none = () => zeros([0, 3]);

export const errors: ErrorCase[] = [
  { name: 'axis past the last', call: () => x().sum(2), message: 'sum: axis must be a whole number from -2 to 1: 2' },
  {
    name: 'fractional axis',
    call: () => x().mean(0.5),
    message: 'mean: axis must be a whole number from -2 to 1: 0.5',
  },
  { name: 'axis of a scalar', call: () => tensor(1).prod(0), message: 'prod: a scalar has no axes: 0' },
  { name: 'axis named twice', call: () => x().sum([1, -1]), message: 'sum: an axis is named twice: [1, -1]' },
  { name: 'flag for options', call: () => x().any(0, true as never), message: 'any: options must be an object: true' },
  {
    name: 'number for keepDims',
    call: () => x().sum(0, { keepDims: 1 as never }),
    message: 'sum: keepDims must be true or false: 1',
  },
  {
    name: 'no such dtype',
    call: () => x().sum(0, { dtype: 'float' as never }),
    message: /^sum: dtype must be one of .*: "float"$/,
  },
  {
    name: 'max of nothing',
    call: () => none().max(0),
    message: 'max: there are no elements to choose from: [0, 3] along [0]',
  },
  {
    name: 'min of nothing',
    call: () => none().min(),
    message: 'min: there are no elements to choose from: [0, 3] along [0, 1]',
  },
];
