import { zeros } from '../../../lib/index.js';
import type { Case, ErrorCase } from '../case.js';

const x = zeros([2, 3]);

export const cases: Record<string, Case[]> = {
  reshape: [
    { inputs: [{ shape: [2, 6] }], attrs: { shape: [3, 4] } },
    { inputs: [{ shape: [2, 3, 4] }], attrs: { shape: [24] } },
    { inputs: [{ shape: [1] }], attrs: { shape: [] } },
    { inputs: [{ shape: [0, 3] }], attrs: { shape: [5, 0] } },
    { inputs: [{ shape: [2, 1, 3] }], attrs: { shape: [2, 3, 1, 1] } },
  ],
  permute: [
    { inputs: [{ shape: [2, 3] }], attrs: { axes: [1, 0] } },
    { inputs: [{ shape: [2, 3, 4] }], attrs: { axes: [2, 0, 1] } },
    { inputs: [{ shape: [] }], attrs: { axes: [] } },
    { inputs: [{ shape: [2, 0, 3] }], attrs: { axes: [1, 2, 0] } },
  ],
  expand: [
    { inputs: [{ shape: [3, 1] }], attrs: { shape: [3, 4] } },
    { inputs: [{ shape: [] }], attrs: { shape: [2, 3] } },
    { inputs: [{ shape: [1, 3, 1] }], attrs: { shape: [2, 2, 3, 5] } },
    { inputs: [{ shape: [1, 3] }], attrs: { shape: [0, 3] } },
  ],
  slice: [
    { inputs: [{ shape: [7] }], attrs: { starts: [1], sizes: [3], steps: [2] } },
    { inputs: [{ shape: [7] }], attrs: { starts: [6], sizes: [4], steps: [-2] } },
    { inputs: [{ shape: [4, 5] }], attrs: { starts: [1, 4], sizes: [2, 5], steps: [1, -1] } },
    { inputs: [{ shape: [4, 5] }], attrs: { starts: [0, 0], sizes: [0, 5], steps: [1, 1] } },
  ],
};

export const errors: ErrorCase[] = [
  {
    name: 'reshape to another number of elements',
    call: () => x.reshape([4]),
    message: 'reshape: the number of elements differs: [2, 3] to [4]',
  },
  { name: 'reshape with two unknowns', call: () => x.reshape([-1, -1]), message: 'reshape: only one size may be -1' },
  {
    name: 'reshape with an unknown that does not fit',
    call: () => x.reshape([4, -1]),
    message: 'reshape: no size fits in place of -1: [2, 3] to [4, -1]',
  },
  {
    name: 'reshape to a fractional size',
    call: () => x.reshape([1.5, 4]),
    message: 'reshape: sizes must be whole numbers, 0 or more: [1.5, 4]',
  },
  {
    name: 'reshape to a number',
    call: () => x.reshape(6 as never),
    message: 'reshape: shape must be an array of sizes: 6',
  },
  {
    name: 'view of a transpose as rows',
    call: () => x.transpose().view([6]),
    message:
      'view: these elements have no view of that shape; reshape() copies them: [3, 2] with strides [1, 3] to [6]',
  },
  {
    name: 'view as another number of elements',
    call: () => x.view([4]),
    message: 'view: the number of elements differs: [2, 3] to [4]',
  },
  { name: 'flatten backwards', call: () => x.flatten(1, 0), message: 'flatten: the first axis comes after the last' },
  { name: 'squeeze of a larger axis', call: () => x.squeeze(0), message: 'squeeze: axis 0 is not of size 1: [2, 3]' },
  {
    name: 'unsqueeze past the end',
    call: () => x.unsqueeze(4),
    message: 'unsqueeze: axis must be a whole number from -3 to 2: 4',
  },
  {
    name: 'unsqueeze of eight dimensions',
    call: () => zeros([1, 1, 1, 1, 1, 1, 1, 1]).unsqueeze(0),
    message: 'unsqueeze: a tensor has at most 8 dimensions',
  },
  { name: 'permute with a repeat', call: () => x.permute([0, 0]), message: 'permute: an axis is named twice: [0, 0]' },
  {
    name: 'permute without an axis',
    call: () => x.permute([0]),
    message: 'permute: each of the 2 axes must be named once: [0]',
  },
  {
    name: 'transpose of a missing axis',
    call: () => x.transpose(0, 2),
    message: 'transpose: axis must be a whole number from -2 to 1: 2',
  },
  {
    name: 'expand of a larger axis',
    call: () => x.expand([4, 3]),
    message: 'expand: only axes of size 1 can be repeated: [2, 3] to [4, 3]',
  },
  {
    name: 'expand to fewer axes',
    call: () => x.expand([3]),
    message: 'expand: only axes of size 1 can be repeated: [2, 3] to [3]',
  },
  {
    name: 'slice with a step of 0',
    call: () => x.slice({ step: 0 }),
    message: 'slice: step must be a whole number other than 0: 0',
  },
  { name: 'slice of too many axes', call: () => x.slice({}, {}, {}), message: 'slice: more ranges than axes: 3 for' },
  {
    name: 'narrow past the end',
    call: () => x.narrow(1, 2, 2),
    message: 'narrow: length must be a whole number from 0 to 1: 2',
  },
  {
    name: 'select past the end',
    call: () => x.select(0, 2),
    message: 'select: index must be a whole number from -2 to 1: 2',
  },
  {
    name: 'select of an empty axis',
    call: () => zeros([0, 2]).select(0, 0),
    message: 'select: the axis is empty: [0, 2]',
  },
  {
    name: 'flip of a fractional axis',
    call: () => x.flip(0.5),
    message: 'flip: axis must be a whole number from -2 to 1: 0.5',
  },
];
