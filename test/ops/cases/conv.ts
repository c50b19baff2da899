import {
  type ConvOptions,
  conv1d,
  conv2d,
  convTranspose1d,
  convTranspose2d,
  nn,
  tensor,
  zeros,
} from '../../../lib/index.js';
import type { Sweep } from '../../../lib/ops/conv-rows.js';
import type { Case, ErrorCase } from '../case.js';

const plain: Sweep = { stride: [1, 1], padding: [0, 0, 0, 0], dilation: [1, 1], groups: 1 };

/** Input and weight shapes of a convolution, and how it differs from the plain one. */
type Setting = [x: number[], weight: number[], sweep?: Partial<Sweep>];

const settings: Setting[] = [
  [
    [1, 1, 1, 1],
    [1, 1, 1, 1],
  ],
  [[2, 1, 7, 9], [3, 1, 3, 3], { padding: [1, 1, 1, 1] }],
  [[1, 2, 6, 5], [4, 2, 5, 5], { padding: [2, 2, 2, 2] }],
  [
    [2, 3, 6, 6],
    [2, 3, 1, 1],
  ],
  [[1, 2, 9, 8], [3, 2, 3, 2], { stride: [2, 3], padding: [1, 0, 1, 0] }],
  [[1, 2, 7, 9], [2, 2, 3, 3], { stride: [1, 2], padding: [2, 3, 2, 3], dilation: [2, 3] }],
  [[1, 2, 5, 5], [2, 2, 2, 2], { padding: [0, 0, 1, 1] }], // 'same'
  [[1, 3, 6, 6], [2, 3, 1, 1], { stride: [2, 2] }],
  [[1, 1, 7, 7], [2, 1, 2, 2], { stride: [4, 3] }], // rows that no tap reads
  [[2, 6, 4, 5], [4, 3, 3, 3], { groups: 2, padding: [1, 1, 1, 1] }],
  [[1, 4, 5, 18], [4, 1, 3, 3], { groups: 4, padding: [1, 1, 1, 1] }], // depthwise
  [[1, 3, 5, 5], [6, 1, 3, 3], { groups: 3, stride: [2, 2], padding: [1, 1, 1, 1] }],
  [[1, 2, 3, 3], [2, 2, 5, 4], { padding: [4, 3, 4, 3] }], // padding beyond the image
  [[1, 17, 1, 1], [18, 17, 1, 1], { stride: [3, 3], padding: [1, 1, 1, 1] }], // nothing but padding
  [[2, 2, 1, 20], [3, 2, 1, 5], { padding: [0, 2, 0, 2] }], // one-dimensional
  [
    [1, 15, 3, 3],
    [16, 15, 2, 2],
  ], // several panels of rows
  [
    [9, 1, 3, 4],
    [2, 1, 2, 3],
  ], // many small images
  [
    [0, 2, 4, 4],
    [3, 2, 3, 3],
  ],
  [[2, 3, 9, 35], [3, 1, 3, 3], { groups: 3, stride: [2, 2], padding: [1, 1, 1, 1] }], // depthwise, strided
  [[1, 2, 7, 66], [2, 1, 5, 2], { groups: 2, stride: [1, 3], dilation: [2, 1], padding: [4, 0, 4, 0] }],
  [[1, 2, 6, 21], [2, 1, 3, 3], { groups: 2, dilation: [1, 2], padding: [0, 2, 1, 3] }],
  [[1, 2, 64, 130], [2, 1, 3, 3], { groups: 2, padding: [1, 1, 1, 1] }], // depthwise, planes in several pieces
  [[3, 2, 2, 37], [2, 1, 3, 3], { groups: 2, stride: [2, 2], padding: [2, 0, 1, 2] }],
  // Both sides have more channels than a vector has lanes.
  [[2, 17, 7, 5], [18, 17, 3, 3], { padding: [1, 1, 1, 1] }],
  [[1, 18, 6, 7], [35, 18, 3, 3], { stride: [2, 2], padding: [1, 1, 1, 1] }],
  [[1, 19, 7, 4], [20, 19, 3, 2], { stride: [3, 1], dilation: [1, 2], padding: [2, 0, 2, 0] }],
  [
    [3, 33, 3, 3],
    [34, 33, 1, 1],
  ],
  [[1, 17, 5, 5], [18, 17, 1, 1], { stride: [2, 2] }],
  [[1, 34, 2, 17], [34, 17, 1, 3], { groups: 2, padding: [0, 1, 0, 1] }],
  [[1, 66, 4, 3], [17, 66, 3, 3], { padding: [1, 1, 1, 1] }], // nine taps of whole panels
  [[2, 18, 24, 13], [33, 18, 3, 2], { padding: [1, 0, 1, 1] }], // images in several pieces
  // Pixels as the rows of a matrix; two of each, of which one has a bias.
  ...Array.from({ length: 2 }, (): Setting => [[1, 34, 7, 9], [36, 17, 1, 1], { groups: 2 }]),
  ...Array.from(
    { length: 2 },
    (): Setting => [
      [2, 16, 23, 23],
      [17, 16, 1, 1],
    ],
  ),
  [[2, 3, 9, 8], [40, 3, 5, 3], { stride: [2, 2], padding: [2, 1, 2, 1] }], // few channels to many
  // Strides over rows of several vectors; kernels that leave rows and columns unread; rows that are finished in pairs.
  [[2, 17, 5, 71], [18, 17, 3, 3], { stride: [2, 2], padding: [1, 1, 1, 1] }],
  [[1, 17, 5, 70], [18, 17, 1, 1], { stride: [2, 2] }],
  [[2, 18, 7, 20], [17, 18, 1, 2], { stride: [3, 2], dilation: [1, 2], padding: [0, 2, 0, 0] }],
  [[2, 2, 9, 67], [20, 2, 3, 4], { stride: [2, 2], padding: [1, 1, 1, 1] }],
  [[1, 3, 11, 10], [17, 3, 5, 5], { stride: [3, 4], padding: [2, 1, 2, 1] }],
  [[1, 17, 9, 8], [18, 17, 3, 3], { padding: [1, 1, 1, 1] }],
];

const sweepOf = (s?: Partial<Sweep>): Sweep => ({ ...plain, ...s });

function outputOf([x, weight, s]: Setting): number[] {
  const { stride, padding, dilation } = sweepOf(s);
  const size = (d: number) =>
    Math.floor((x[d + 2] + padding[d] + padding[d + 2] - dilation[d] * (weight[d + 2] - 1) - 1) / stride[d]) + 1;
  return [x[0], weight[0], size(0), size(1)];
}

function withBias(settings: Setting[], inputs: (s: Setting) => number[][], bias: (s: Setting) => number): Case[] {
  return settings.map((s, i) => ({
    inputs: [...inputs(s), ...(i % 2 === 0 ? [[bias(s)]] : [])].map((shape) => ({ shape })),
    attrs: sweepOf(s[2]),
  }));
}

const forward = withBias(
  settings,
  ([x, weight]) => [x, weight],
  ([, weight]) => weight[0],
);

// What follows a convolution, all ways in turn. The kernels know from the numbers in front that nothing drawn here is a
// packed weight, and use the weight itself; packed ones are compared with it in test/unit/nn-prepare.test.ts.
const fused = settings.flatMap((s, i): Case[] =>
  [0, 1].map((k) => {
    const [relu, packed, biased, residual] = [1, 2, 4, 8].map((bit) => (((3 * i + 5 * k) % 16) & bit) !== 0);
    const shapes = [
      s[0],
      s[1],
      ...(packed ? [[21]] : []),
      ...(biased ? [[s[1][0]]] : []),
      ...(residual ? [outputOf(s)] : []),
    ];
    return { inputs: shapes.map((shape) => ({ shape })), attrs: { ...sweepOf(s[2]), relu, packed, biased, residual } };
  }),
);

const packs = settings.map(
  (s): Case => ({ inputs: [{ shape: s[1] }], attrs: { ...sweepOf(s[2]), columns: outputOf(s)[3] } }),
);

// The transpose takes the output's shape back to x's: what the floor of the division dropped is its output padding.
const transposed = withBias(
  settings,
  (s) => [outputOf(s), s[1]],
  ([x]) => x[1],
).map((c, i): Case => {
  const [x, weight] = settings[i];
  const sweep = c.attrs as Sweep;
  const out = outputOf(settings[i]);
  const outputPadding = [0, 1].map(
    (d) =>
      x[d + 2] -
      ((out[d + 2] - 1) * sweep.stride[d] -
        sweep.padding[d] -
        sweep.padding[d + 2] +
        sweep.dilation[d] * (weight[d + 2] - 1) +
        1),
  );
  return { ...c, attrs: { ...sweep, outputPadding } };
});

const weightGradients = settings.map((s): Case => {
  return {
    inputs: [{ shape: s[0] }, { shape: outputOf(s) }],
    attrs: { ...sweepOf(s[2]), kernel: s[1].slice(2) },
  };
});

// A bias beside bfloat16 factors is float32; float32 factors take it too. Cases without one run in bfloat16 as they are.
const skipGrad = 'no float64 factor beside a float32 bias';
const bias = (channels: number) => ({ shape: [channels], dtype: 'float32' as const });
const narrow = ([x, weight, s]: Setting): Case => ({
  inputs: [{ shape: x }, { shape: weight }, bias(weight[0])],
  attrs: sweepOf(s),
  skipGrad,
});
const wide: Setting = [[2, 24, 9, 7], [40, 24, 3, 3], { stride: [2, 1], padding: [1, 1, 1, 1] }];

export const cases: Record<string, Case[]> = {
  conv2d: [...forward, ...settings.slice(20).map(narrow), narrow(wide)],
  conv2dFused: [
    ...fused,
    {
      inputs: [{ shape: wide[0] }, { shape: wide[1] }, bias(40), { shape: outputOf(wide), dtype: 'float32' }],
      attrs: { ...sweepOf(wide[2]), relu: true, packed: false, biased: true, residual: true },
      skipGrad,
    },
  ],
  conv2dPack: [...packs, { inputs: [{ shape: [70, 3, 2, 2] }], attrs: { ...plain, columns: 5 } }],
  convTranspose2d: [
    ...transposed,
    // Longer than any convolution would come back from: the last rows are bias alone.
    {
      inputs: [{ shape: [1, 2, 3, 3] }, { shape: [2, 3, 2, 2] }, { shape: [3] }],
      attrs: { ...plain, dilation: [3, 3], stride: [2, 2], outputPadding: [2, 0] },
    },
  ],
  conv2dWeightGradient: weightGradients,
};

const conv = (x: number[], weight: number[], options?: ConvOptions, bias?: number[]) => () =>
  conv2d(zeros(x), zeros(weight), bias && zeros(bias), options);

export const errors: ErrorCase[] = [
  {
    name: 'channels',
    call: conv([1, 3, 8, 8], [6, 1, 5, 5]),
    message:
      "conv2d: x must have 1 channels (weight's second size times groups): x is [1, 3, 8, 8], weight is [6, 1, 5, 5], groups 1",
  },
  {
    name: 'activation',
    call: conv([1, 1, 4, 4], [1, 1, 1, 1], { activation: 'tanh' as never }),
    message: 'conv2d: activation must be \'relu\' or null: "tanh"',
  },
  {
    name: 'residual of another shape',
    call: () => new nn.Conv2d(1, 2, 3).forward(zeros([1, 1, 4, 4]), { residual: zeros([1, 2, 4, 4]) }),
    message: 'conv2d: residual must be [1, 2, 2, 2], like the output: [1, 2, 4, 4]',
  },
  { name: 'rank of x', call: conv([8, 8], [6, 1, 5, 5]), message: 'conv2d: x must be [N, C, H, W]: x is [8, 8]' },
  { name: 'rank of weight', call: conv([1, 1, 8, 8], [6, 5, 5]), message: 'conv2d: weight must have 4 dimensions' },
  {
    name: 'kernel larger than the image',
    call: conv([1, 1, 4, 4], [6, 1, 5, 5]),
    message: 'conv2d: the kernel is larger than the padded input: x is [1, 1, 4, 4], weight is [6, 1, 5, 5]',
  },
  { name: 'empty kernel', call: conv([1, 1, 4, 4], [6, 1, 0, 5]), message: 'conv2d: the kernel is empty' },
  {
    name: 'groups',
    call: conv([1, 4, 4, 4], [3, 2, 1, 1], { groups: 2 }),
    message: "conv2d: weight's first size must be a multiple of groups",
  },
  {
    name: 'groups of 0',
    call: conv([1, 1, 4, 4], [1, 1, 1, 1], { groups: 0 }),
    message: 'conv2d: groups must be a whole number of 1 or more: 0',
  },
  {
    name: 'stride of 0',
    call: conv([1, 1, 4, 4], [1, 1, 1, 1], { stride: 0 }),
    message: 'conv2d: stride must be a whole number of 1 or more: 0',
  },
  {
    name: 'fractional dilation',
    call: conv([1, 1, 4, 4], [1, 1, 1, 1], { dilation: [1, 1.5] }),
    message: 'conv2d: dilation must be a whole number of 1 or more: 1.5',
  },
  {
    name: 'negative padding',
    call: conv([1, 1, 4, 4], [1, 1, 1, 1], { padding: -1 }),
    message: 'conv2d: padding must be a whole number of 0 or more: -1',
  },
  {
    name: 'three strides',
    call: conv([1, 1, 4, 4], [1, 1, 1, 1], { stride: [1, 1, 1] as never }),
    message: 'conv2d: stride must be a number or a list of 2: [1, 1, 1]',
  },
  {
    name: 'unknown padding',
    call: conv([1, 1, 4, 4], [1, 1, 1, 1], { padding: 'full' as never }),
    message: "conv2d: padding must be 'same', 'valid', a number or a list of numbers",
  },
  {
    name: 'same with a stride',
    call: conv([1, 1, 4, 4], [1, 1, 3, 3], { padding: 'same', stride: 2 }),
    message: "conv2d: padding 'same' needs stride 1: stride [2, 2]",
  },
  {
    name: 'bias',
    call: conv([1, 1, 4, 4], [2, 1, 3, 3], {}, [3]),
    message: 'conv2d: bias must be [2], one number an output channel: bias is [3]',
  },
  { name: 'no tensor', call: () => conv2d(tensor([1]), [1] as never), message: /^conv2d: weight must be a tensor/ },
  {
    name: 'options',
    call: conv([1, 1, 4, 4], [2, 1, 3, 3], null as never),
    message: 'conv2d: options must be an object',
  },
  {
    name: 'conv1d of images',
    call: () => conv1d(zeros([1, 2, 3, 4]), zeros([1, 2, 3])),
    message: 'conv1d: x must be [N, C, L]: x is [1, 2, 3, 4]',
  },
  {
    name: 'channels of the transpose',
    call: () => convTranspose2d(zeros([1, 3, 4, 4]), zeros([2, 3, 2, 2])),
    message: "convTranspose2d: x must have 2 channels (weight's first size): x is [1, 3, 4, 4]",
  },
  {
    name: 'output padding',
    call: () => convTranspose2d(zeros([1, 2, 4, 4]), zeros([2, 3, 2, 2]), null, { stride: 2, outputPadding: [0, 2] }),
    message:
      'convTranspose2d: outputPadding must be smaller than stride or dilation: outputPadding [0, 2], stride [2, 2]',
  },
  {
    name: 'padding that leaves nothing',
    call: () => convTranspose2d(zeros([1, 2, 2, 2]), zeros([2, 3, 2, 2]), null, { padding: 2 }),
    message: 'convTranspose2d: the output would be empty',
  },
  {
    name: 'bias of the transpose',
    call: () => convTranspose1d(zeros([1, 2, 4]), zeros([2, 3, 2]), zeros([2])),
    message: 'convTranspose1d: bias must be [3]',
  },
];
