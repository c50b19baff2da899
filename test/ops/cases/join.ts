import { concat, ones, stack, zeros } from '../../../lib/index.js';
import type { Case, ErrorCase } from '../case.js';

const joined = (axis: number, ...shapes: number[][]): Case => ({
  inputs: shapes.map((shape) => ({ shape })),
  attrs: { axis },
});

export const cases: Record<string, Case[]> = {
  concat: [
    joined(0, [3], [2]),
    joined(0, [3, 4]),
    joined(0, [1, 4], [3, 4], [2, 4]),
    joined(1, [3, 1], [3, 4], [3, 2]),
    joined(1, [2, 3, 4], [2, 1, 4]),
    joined(2, [2, 3, 1], [2, 3, 1], [2, 3, 1]),
    joined(1, [2, 0, 3], [2, 4, 3]),
    joined(0, [0, 3], [0, 3]),
    joined(1, [0, 3], [0, 2]),
    joined(1, [150, 90], [150, 1], [150, 130]),
    joined(1, [3, 9000], [3, 11001]),
    joined(1, [20, 3, 500], [20, 0, 500], [20, 2, 500]),
    joined(0, ...Array.from({ length: 40 }, (_, i) => [i % 5, 3])),
  ],
};

const x = () => zeros([2, 3]);

export const errors: ErrorCase[] = [
  { name: 'concat of nothing', call: () => concat([]), message: 'concat: at least one tensor is needed: []' },
  {
    name: 'concat of one tensor alone',
    call: () => concat(x() as never),
    message: 'concat: an array of tensors was expected: Tensor',
  },
  { name: 'concat of a number', call: () => concat([x(), 3 as never]), message: 'concat: item 1 must be a tensor: 3' },
  {
    name: 'concat of other shapes',
    call: () => concat([x(), zeros([2, 4])]),
    message: 'concat: shapes may differ only along axis 0: tensor 0 is [2, 3], tensor 1 is [2, 4]',
  },
  {
    name: 'concat of other ranks',
    call: () => concat([x(), zeros([3])], 1),
    message: 'concat: shapes may differ only along axis 1: tensor 0 is [2, 3], tensor 1 is [3]',
  },
  { name: 'concat of scalars', call: () => concat([zeros([])]), message: 'concat: a scalar has no axes: 0' },
  {
    name: 'stack of other shapes',
    call: () => stack([x(), zeros([3, 2])]),
    message: 'stack: shapes differ: tensor 0 is [2, 3], tensor 1 is [3, 2]',
  },
  { name: 'stack past the last axis', call: () => stack([x()], 3), message: 'stack: axis must be a whole number' },
  {
    name: 'split into sizes of another sum',
    call: () => x().split([1, 1], 1),
    message: 'split: the sizes must add up to 3, the size of axis 1: [1, 1]',
  },
  {
    name: 'split into nothing',
    call: () => x().split(0),
    message: 'split: size must be a whole number of 1 or more: 0',
  },
  {
    name: 'chunk into none',
    call: () => x().chunk(0),
    message: 'chunk: chunks must be a whole number of 1 or more: 0',
  },
  { name: 'unbind of a scalar', call: () => zeros([]).unbind(), message: 'unbind: a scalar has no axes: 0' },
  {
    name: 'pad by half a pair',
    call: () => x().pad([1]),
    message: 'pad: padding must be pairs [before, after], at most 2 of them, from the last axis on: [1]',
  },
  {
    name: 'pad by a fraction',
    call: () => x().pad([0.5, 1]),
    message: 'pad: padding must be a whole number',
  },
  {
    name: 'pad that takes more than there is',
    call: () => x().pad([-2, -2]),
    message: 'pad: negative padding takes more than axis 1 has: [-2, -2] of [2, 3]',
  },
  {
    name: 'pad by reflection beyond the tensor',
    call: () => x().pad([3, 0], { mode: 'reflect' }),
    message: 'pad: reflect padding of axis 1 needs more elements than it has: 3 on [2, 3]',
  },
  {
    name: 'pad in no mode',
    call: () => x().pad([1, 0], { mode: 'mirror' as never }),
    message: 'pad: mode must be one of constant, replicate, reflect, circular: "mirror"',
  },
  {
    name: 'pad integers by a fraction',
    call: () => ones([2], { dtype: 'int32' }).pad([1, 0], { value: 0.5 }),
    message: 'pad: value does not fit int32: 0.5',
  },
  { name: 'tile by a fraction', call: () => x().tile([1.5]), message: 'tile: a count must be a whole number' },
  {
    name: 'repeat with too few counts',
    call: () => x().repeat([2]),
    message: 'repeat: a count for each of the 2 axes is needed: [2]',
  },
  {
    name: 'repeatInterleave a negative number of times',
    call: () => x().repeatInterleave(-1, 0),
    message: 'repeatInterleave: times must be a whole number of 0 or more: -1',
  },
];
