import { tensor, zeros } from '../../../lib/index.js';
import type { Case, ErrorCase, InputSpec } from '../case.js';

const over = (input: InputSpec, axes: number[], keepDims = false): Case => ({
  inputs: [input],
  attrs: { axes, keepDims },
});

/** Every way that the loops take: rows, columns, a few columns, both around a kept axis, all, none, long enough to split. */
function shapes(input: Omit<InputSpec, 'shape'> = {}): Case[] {
  return [
    over({ ...input, shape: [] }, []),
    over({ ...input, shape: [37] }, [0]),
    over({ ...input, shape: [3, 5] }, [1], true),
    over({ ...input, shape: [5, 70] }, [0]),
    over({ ...input, shape: [19, 3] }, [0]),
    over({ ...input, shape: [2, 3, 4] }, []),
    over({ ...input, shape: [2, 3, 4] }, [0, 2]),
    over({ ...input, shape: [2, 3, 4] }, [1], true),
    over({ ...input, shape: [2, 3, 2, 5] }, [0, 1, 3]),
    over({ ...input, shape: [2, 3, 2, 5] }, [0, 1, 2, 3], true),
    over({ ...input, shape: [4, 0] }, [0]),
  ];
}

const empty = [over({ shape: [4, 0] }, [1]), over({ shape: [0] }, [0], true)];
const long = [over({ shape: [40, 1700] }, [0]), over({ shape: [70000] }, [0]), over({ shape: [3, 30000] }, [1])];

export const cases: Record<string, Case[]> = {
  sum: [...shapes(), ...empty, ...long],
  mean: [...shapes(), ...empty, ...long],
  prod: [...shapes(), ...empty, over({ shape: [2, 4], values: [0, 2, 3, 4, 0, 0, 5, 6] }, [1])],
  any: [...shapes({ dtype: 'bool' }), over({ shape: [4, 0], dtype: 'bool' }, [1])],
  all: [...shapes({ dtype: 'bool' }), over({ shape: [4, 0], dtype: 'bool' }, [1])],
};

const x = () => zeros([2, 3]);

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
];
