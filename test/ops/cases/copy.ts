import { zeros } from '../../../lib/index.js';
import type { Case, ErrorCase } from '../case.js';

const shapes = [[7], [3, 5], [2, 3, 4], [], [0, 3], [2, 1, 3, 1, 2, 1, 1, 2]];
const wide = { low: -300, high: 300 };

export const cases: Record<string, Case[]> = {
  copy: [
    ...shapes.map((shape) => ({ inputs: [{ shape }], attrs: { dtype: 'float64' } })),
    { inputs: [{ shape: [40, 41], ...wide }], attrs: { dtype: 'float32' }, skipGrad: 'rounds to float32' },
    ...['int32', 'uint8', 'bool'].map((dtype) => ({ inputs: [{ shape: [4, 9], ...wide }], attrs: { dtype } })),
    // Larger than the squares in which transposed layouts are copied
    { inputs: [{ shape: [67, 130], dtype: 'float32' }], attrs: { dtype: 'float32' }, skipGrad: 'large' },
    { inputs: [{ shape: [67, 35], dtype: 'uint8', low: 0, high: 255 }], attrs: { dtype: 'uint8' } },
    // Ties go to the even neighbour; below 2^-126 numbers have fewer bits, above the largest they become infinite.
    {
      inputs: [
        {
          shape: [15],
          values: [
            1 + 2 ** -8,
            1 + 3 * 2 ** -8,
            1.1,
            -3.3e38,
            3.3961e38,
            -3.4e38,
            2 ** -133,
            2 ** -134,
            3 * 2 ** -134,
            2 ** -149,
            0,
            -0,
            Infinity,
            -Infinity,
            NaN,
          ],
        },
      ],
      attrs: { dtype: 'bfloat16' },
      skipGrad: 'rounds to bfloat16',
    },
    // Rounding to float32 first would make ties of these.
    {
      inputs: [
        {
          shape: [4],
          dtype: 'float64',
          values: [1 + 2 ** -8 + 2 ** -40, -1 - 3 * 2 ** -8 + 2 ** -40, 2 ** -134 + 2 ** -180, 1e300],
        },
      ],
      attrs: { dtype: 'bfloat16' },
      skipGrad: 'rounds to bfloat16',
    },
    {
      inputs: [{ shape: [3], dtype: 'int32', values: [2 ** 24 + 1, 2 ** 30 + 2 ** 22 + 1, -257] }],
      attrs: { dtype: 'bfloat16' },
    },
    { inputs: [{ shape: [67, 130], ...wide }], attrs: { dtype: 'bfloat16' }, skipGrad: 'rounds to bfloat16' },
    { inputs: [{ shape: [67, 130], dtype: 'bfloat16' }], attrs: { dtype: 'bfloat16' }, skipGrad: 'large' },
    {
      inputs: [{ shape: [8], values: [0.5, -0.5, 255.9, 256, -1, 3e9, -3e9, 0] }],
      attrs: { dtype: 'int32' },
    },
    { inputs: [{ shape: [5], dtype: 'float64', values: [255.9, 256, -1, 1e300, 127.5] }], attrs: { dtype: 'uint8' } },
  ],
  fill: [
    { inputs: [], attrs: { shape: [3, 4], dtype: 'float32', value: -2.5 } },
    { inputs: [], attrs: { shape: [], dtype: 'float64', value: 1e300 } },
    { inputs: [], attrs: { shape: [0], dtype: 'float32', value: 1 } },
    { inputs: [], attrs: { shape: [33], dtype: 'int32', value: -7 } },
    { inputs: [], attrs: { shape: [65], dtype: 'uint8', value: 200 } },
    { inputs: [], attrs: { shape: [2, 2], dtype: 'bool', value: 3 } },
    { inputs: [], attrs: { shape: [67], dtype: 'bfloat16', value: 1.005859376 } },
    { inputs: [], attrs: { shape: [300, 100], dtype: 'float32', value: 0.1 } },
  ],
  place: [
    { inputs: [{ shape: [3], dtype: 'float32' }], attrs: { shape: [5], starts: [0], steps: [2], value: -Infinity } },
    { inputs: [{ shape: [3], dtype: 'uint8' }], attrs: { shape: [5], starts: [0], steps: [2], value: 255 } },
    { inputs: [{ shape: [3], dtype: 'bfloat16' }], attrs: { shape: [5], starts: [0], steps: [2], value: -0.5 } },
    { inputs: [{ shape: [3] }], attrs: { shape: [7], starts: [1], steps: [2], value: 0 } },
    { inputs: [{ shape: [3] }], attrs: { shape: [3], starts: [2], steps: [-1], value: 1 } },
    { inputs: [{ shape: [2, 3] }], attrs: { shape: [4, 5], starts: [1, 4], steps: [1, -2], value: 1 } },
    { inputs: [{ shape: [2, 0] }], attrs: { shape: [4, 5], starts: [1, 0], steps: [1, 1], value: 1 } },
    { inputs: [{ shape: [2, 3, 4] }], attrs: { shape: [2, 5, 4], starts: [0, 1, 0], steps: [1, 1, 1], value: 0 } },
    { inputs: [{ shape: [2, 3, 4] }], attrs: { shape: [3, 5, 7], starts: [1, 1, 2], steps: [1, 1, 1], value: 2 } },
    { inputs: [{ shape: [3, 1] }], attrs: { shape: [3, 6], starts: [0, 5], steps: [1, 1], value: 3 } },
    { inputs: [{ shape: [] }], attrs: { shape: [], starts: [], steps: [], value: 0 } },
  ],
};

export const errors: ErrorCase[] = [
  { name: 'cast to no dtype', call: () => zeros([2]).cast('float16' as never), message: 'cast: dtype must be one of' },
  {
    name: 'fill_ with text',
    call: () => zeros([2]).fill_('3' as never),
    message: 'fill_: value must be a number: "3"',
  },
  { name: 'copy_ of a number', call: () => zeros([2]).copy_(3 as never), message: 'copy_: source must be a tensor: 3' },
  {
    name: 'copy_ of a larger shape',
    call: () => zeros([2]).copy_(zeros([3])),
    message: 'copy_: only axes of size 1 can be repeated: [3] to [2]',
  },
  {
    name: 'fill_ of an expanded tensor',
    call: () => zeros([1, 2]).expand([3, 2]).fill_(1),
    message: /an expanded tensor cannot be written in place: \[3, 2\] float32/,
  },
  {
    name: 'zero_ of a tensor that requires grad',
    call: () => zeros([2], { requiresGrad: true }).zero_(),
    message: /a tensor that requires grad is changed in place only inside noGrad/,
  },
];
