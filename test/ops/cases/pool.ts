import { adaptiveAvgPool2d, avgPool2d, maxPool2d, ones } from '../../../lib/index.js';
import type { Windows } from '../../../lib/ops/pool-rows.js';
import type { Case, ErrorCase } from '../case.js';

const plain: Windows = {
  kernel: [2, 2],
  stride: [2, 2],
  padding: [0, 0],
  dilation: [1, 1],
  ceilMode: false,
  countIncludePad: true,
  divisor: 0,
};

const settings: [x: number[], w: Partial<Windows>, out: number[]][] = [
  [[2, 3, 4, 6], {}, [2, 3]],
  [[1, 2, 5, 5], { kernel: [3, 3], stride: [2, 2], padding: [1, 1] }, [3, 3]],
  [[1, 1, 5, 7], { kernel: [2, 3], stride: [1, 2] }, [4, 3]],
  [[1, 2, 5, 6], { ceilMode: true }, [3, 3]],
  [[2, 1, 6, 5], { kernel: [3, 2], stride: [2, 3], padding: [1, 1], ceilMode: true }, [4, 2]],
  [[1, 1, 1, 1], { kernel: [1, 1], stride: [1, 1] }, [1, 1]],
  [[0, 2, 4, 4], {}, [2, 2]],
  // Rows of outputs longer than a vector, and parts of one.
  [[1, 1, 4, 70], {}, [2, 35]],
  [[1, 2, 6, 37], { kernel: [3, 3], stride: [2, 2], padding: [1, 1] }, [3, 19]],
  [[1, 1, 3, 270], { kernel: [3, 3], stride: [2, 2], padding: [1, 1] }, [2, 135]],
  [[1, 1, 3, 55], { kernel: [1, 3], stride: [1, 3] }, [3, 18]],
  // Many short rows, whose windows do not overlap, in more than one piece of work; with padding, and gaps between windows.
  [[9, 7, 10, 10], {}, [5, 5]],
  [[3, 5, 9, 11], { padding: [1, 1], stride: [2, 3] }, [5, 4]],
];

const windows = (w: Partial<Windows>): Windows => ({ ...plain, ...w });

const maxima: Case[] = [
  ...settings.map(([shape, w]) => ({ inputs: [{ shape, distinct: true }], attrs: windows(w) })),
  { inputs: [{ shape: [1, 2, 7, 7], distinct: true }], attrs: windows({ dilation: [2, 3], stride: [1, 1] }) },
];

export const cases: Record<string, Case[]> = {
  maxPool2d: maxima,
  maxPool2dValues: maxima,
  maxPool2dGrad: settings.map(([[n, c, h, w], , out]) => ({
    inputs: [
      { shape: [n, c, ...out] },
      { shape: [n, c, ...out], dtype: 'int32' as const, integers: true, low: 0, high: h * w - 1 },
    ],
    attrs: { size: [h, w] },
  })),
  avgPool2d: [
    ...settings.map(([shape, w]) => ({ inputs: [{ shape }], attrs: windows(w) })),
    ...settings.map(([shape, w]) => ({ inputs: [{ shape }], attrs: windows({ ...w, countIncludePad: false }) })),
    { inputs: [{ shape: [1, 2, 4, 4] }], attrs: windows({ divisor: 3 }) },
  ],
  avgPool2dGrad: settings.map(([[n, c, h, w], s, out]) => ({
    inputs: [{ shape: [n, c, ...out] }],
    attrs: { attrs: windows(s), size: [h, w] },
  })),
  adaptiveAvgPool2d: [
    { inputs: [{ shape: [2, 3, 6, 6] }], attrs: { size: [2, 3] } },
    { inputs: [{ shape: [1, 2, 5, 7] }], attrs: { size: [3, 3] } },
    { inputs: [{ shape: [1, 2, 3, 2] }], attrs: { size: [5, 4] } },
    { inputs: [{ shape: [2, 2, 4, 5] }], attrs: { size: [1, 1] } },
    { inputs: [{ shape: [2, 19, 3, 3] }], attrs: { size: [1, 1] } },
  ],
  adaptiveAvgPool2dGrad: [
    { inputs: [{ shape: [1, 2, 3, 3] }], attrs: { attrs: { size: [3, 3] }, size: [5, 7] } },
    { inputs: [{ shape: [2, 1, 1, 1] }], attrs: { attrs: { size: [1, 1] }, size: [4, 5] } },
  ],
};

export const errors: ErrorCase[] = [
  {
    name: 'a window larger than the input',
    call: () => maxPool2d(ones([1, 1, 2, 2]), 3),
    message: 'maxPool2d: the window is larger than the padded input: window [3, 3], x [1, 1, 2, 2]',
  },
  {
    name: 'padding beyond half of the window',
    call: () => avgPool2d(ones([1, 1, 4, 4]), 2, { padding: 2 }),
    message: 'avgPool2d: padding must be at most half of the window: [2, 2], window [2, 2]',
  },
  {
    name: 'a window without a place',
    call: () => maxPool2d(ones([1, 1, 2, 2]), 2, { dilation: 3, padding: 1 }),
    message: 'maxPool2d: a dilated window lies in the padding alone: dilation [3, 3], x [1, 1, 2, 2]',
  },
  {
    name: 'a fractional window',
    call: () => maxPool2d(ones([1, 1, 4, 4]), 1.5),
    message: 'maxPool2d: the window must be a whole number of 1 or more: 1.5',
  },
  {
    name: 'a vector',
    call: () => adaptiveAvgPool2d(ones([4]), 1),
    message: 'adaptiveAvgPool2d: x must be [N, C, H, W] or [C, H, W]: [4]',
  },
];
