import { ones, tensor, zeros } from '../../../lib/index.js';
import { numel } from '../../../lib/shape.js';
import type { Case, ErrorCase } from '../case.js';

/** One index for each element: x, the indices' shape, the axis. */
const elementwise: [x: number[], index: number[], axis: number][] = [
  [[5], [3], 0],
  [[3, 5], [3, 2], 1],
  [[3, 5], [7, 5], 0],
  [[4, 6], [2, 9], 1],
  [[2, 3, 4], [2, 5, 4], 1],
  [[2, 3, 4], [1, 3, 2], 2],
  [[2, 3, 4], [2, 0, 4], 1],
  [[3, 40], [50, 33], 0],
  [[1, 1], [1, 1], 1],
  [[2, 1, 3, 2], [2, 4, 3, 1], 1],
  [[900], [40000], 0],
  [[7, 90], [400, 90], 0],
];

/** One index for each row. */
const rowwise: [x: number[], index: number[], axis: number][] = [
  [[5], [3], 0],
  [[5], [], 0],
  [[5, 3], [4], 0],
  [[5, 3], [], 1],
  [[3, 5], [7], 1],
  [[6, 4], [2, 3], 0],
  [[2, 6, 3], [2, 2], 1],
  [[2, 3, 6], [4, 1, 2], 2],
  [[4, 3], [0], 0],
  [[0, 4], [3], 1],
  [[2, 3, 4, 5], [5], 2],
  [[6, 784], [44], 0],
  [[50, 64], [20, 30], 0],
  [[900], [40000], 0],
];

/** What an index looks up in x has src's shape. */
const rows = (x: number[], index: number[], axis: number) => [...x.slice(0, axis), ...index, ...x.slice(axis + 1)];
/** Whole numbers where many terms may meet in one sum: it is exact then, in whatever order they come. */
const terms = (count: number) => ({ integers: count > 1000 });
const indices = (x: number[], shape: number[], axis: number) => ({ shape, dtype: 'int32' as const, high: x[axis] });

export const cases: Record<string, Case[]> = {
  gather: elementwise.map(([x, index, axis]) => ({
    inputs: [{ shape: x }, indices(x, index, axis)],
    attrs: { axis },
  })),
  scatterAdd: elementwise.map(([x, index, axis]) => ({
    inputs: [{ shape: x, ...terms(numel(index)) }, indices(x, index, axis), { shape: index, ...terms(numel(index)) }],
    attrs: { axis },
  })),
  indexSelect: rowwise.map(([x, index, axis]) => ({
    inputs: [{ shape: x }, indices(x, index, axis)],
    attrs: { axis },
  })),
  indexAdd: rowwise.map(([x, index, axis]) => ({
    inputs: [
      { shape: x, ...terms(numel(index)) },
      indices(x, index, axis),
      { shape: rows(x, index, axis), ...terms(numel(index)) },
    ],
    attrs: { axis },
  })),
  oneHot: [
    { inputs: [{ shape: [6], dtype: 'int32', high: 10 }], attrs: { classes: 10, dtype: 'float32' } },
    { inputs: [{ shape: [2, 3], dtype: 'int32', high: 4 }], attrs: { classes: 4, dtype: 'float64' } },
    { inputs: [{ shape: [], dtype: 'int32', high: 3 }], attrs: { classes: 3, dtype: 'int32' } },
    { inputs: [{ shape: [7], dtype: 'int32', high: 1 }], attrs: { classes: 1, dtype: 'bool' } },
    { inputs: [{ shape: [0], dtype: 'int32' }], attrs: { classes: 5, dtype: 'uint8' } },
    { inputs: [{ shape: [500], dtype: 'int32', high: 100 }], attrs: { classes: 100, dtype: 'float32' } },
  ],
};

const x = () => zeros([3, 4]);
const whole = (...values: number[]) => tensor(Int32Array.from(values));
const matrix = (...values: number[]) => tensor(Int32Array.from(values), { shape: [1, values.length] });

export const errors: ErrorCase[] = [
  {
    name: 'gather by floats',
    call: () => x().gather(0, ones([3, 4])),
    message: 'gather: indices must be int32 or uint8; use cast("int32"): [3, 4] float32',
  },
  {
    name: 'gather by an index of other rank',
    call: () => x().gather(0, whole(0, 1)),
    message: 'gather: x and index must have as many axes: x is [3, 4], index is [2]',
  },
  {
    name: 'gather by an index that exceeds x',
    call: () => x().gather(0, matrix(0, 1, 2, 0, 1)),
    message: 'gather: index may exceed x only along axis 0: x is [3, 4], index is [1, 5]',
  },
  {
    name: 'gather along no axis',
    call: () => x().gather(2, matrix(0)),
    message: 'gather: axis must be a whole number from -2 to 1: 2',
  },
  {
    name: 'gather past the end',
    call: () => x().gather(1, matrix(0, 4)).data(),
    message: 'gather: index 4 is out of range [0, 4): at position [0, 1]',
  },
  {
    name: 'scatterAdd of another shape than its indices',
    call: () => x().scatterAdd(0, matrix(0, 1), ones([2, 2])),
    message: 'scatterAdd: index and src differ in shape: index is [1, 2], src is [2, 2]',
  },
  {
    name: 'scatterAdd of another dtype',
    call: () => x().scatterAdd(0, matrix(0, 1), ones([1, 2], { dtype: 'float64' })),
    message: 'scatterAdd: x and src differ in dtype: x is float32, src is float64',
  },
  {
    name: 'scatterAdd to bool',
    call: () =>
      x()
        .cast('bool')
        .scatterAdd(0, matrix(0), ones([1, 1], { dtype: 'bool' })),
    message: 'scatterAdd: bool tensors cannot be added to: [3, 4]',
  },
  {
    name: 'scatterAdd of a number',
    call: () => x().scatterAdd(0, matrix(0), 1 as never),
    message: 'scatterAdd: src must be a tensor: 1',
  },
  {
    name: 'scatterAdd at a negative index',
    call: () =>
      x()
        .scatterAdd(1, matrix(-1), ones([1, 1]))
        .data(),
    message: 'scatterAdd: index -1 is out of range [0, 4): at position [0, 0]',
  },
  {
    name: 'indexSelect by a fraction',
    call: () => x().indexSelect(0, [1.5]),
    message: 'indexSelect: an index must be a whole number from 0 to 2147483647: 1.5',
  },
  {
    name: 'indexSelect by text',
    call: () => x().indexSelect(0, '1' as never),
    message: 'indexSelect: indices must be an int32 tensor or an array of whole numbers: "1"',
  },
  {
    name: 'indexSelect of a scalar',
    call: () => tensor(1).indexSelect(0, [0]),
    message: 'indexSelect: a scalar has no axes: 0',
  },
  {
    name: 'indexSelect past the end',
    call: () => x().indexSelect(0, [0, 2, 3]).data(),
    message: 'indexSelect: index 3 is out of range [0, 3): at position [2]',
  },
  {
    name: 'indexSelect from an empty axis',
    call: () => zeros([0, 4]).indexSelect(0, [0]).data(),
    message: 'indexSelect: index 0 is out of range [0, 0): at position [0]',
  },
  {
    name: 'indexSelect with too many axes',
    call: () => zeros([1, 1, 1, 1, 1, 1]).indexSelect(0, zeros([1, 1, 1, 1], { dtype: 'int32' })),
    message: 'indexSelect: a tensor has at most 8 dimensions: [1, 1, 1, 1, 1, 1, 1, 1, 1]',
  },
  {
    name: 'indexAdd of another shape',
    call: () => x().indexAdd(0, [0, 1], ones([3, 4])),
    message:
      'indexAdd: src must be [2, 4], one row for each index along axis 0: x is [3, 4], index is [2], src is [3, 4]',
  },
  {
    name: 'indexAdd past the end',
    call: () =>
      x()
        .indexAdd(0, [7], ones([1, 4]))
        .data(),
    message: 'indexAdd: index 7 is out of range [0, 3): at position [0]',
  },
  {
    name: 'indexAdd_ to an expanded tensor',
    call: () =>
      zeros([1, 4])
        .expand([3, 4])
        .indexAdd_(0, [0], ones([1, 4])),
    message: /an expanded tensor cannot be written in place: \[3, 4\] float32/,
  },
  {
    name: 'take past the end',
    call: () => x().take([12]).data(),
    message: 'index 12 is out of range [0, 12): at position [0]',
  },
  {
    name: 'oneHot of floats',
    call: () => x().oneHot(4),
    message: 'oneHot: indices must be int32 or uint8; use cast("int32"): [3, 4] float32',
  },
  {
    name: 'oneHot past the last class',
    call: () => whole(0, 1, 3).oneHot(3).data(),
    message: 'oneHot: index 3 is out of range [0, 3): at position [2]',
  },
  {
    name: 'oneHot of half a class',
    call: () => whole(0).oneHot(0.5),
    message: 'oneHot: classes must be a whole number of 0 or more: 0.5',
  },
];
