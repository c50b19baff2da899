import { noGrad, ones, tensor, zeros } from '../../../lib/index.js';
import type { Case, ErrorCase, InputSpec } from '../case.js';

type Range = Omit<InputSpec, 'shape'>;

/** Pairs that are alike, that broadcast one way and both ways, with a scalar, with a number, and empty. */
function pairs(a: Range = {}, b: Range = a): Case[] {
  const shapes: [number[], number[]][] = [
    [[7], [7]],
    [
      [3, 5],
      [3, 5],
    ],
    [[3, 5], [5]],
    [
      [3, 1],
      [2, 1, 5],
    ],
    [[], [4]],
    [[2, 3], []],
    [
      [4, 1, 3],
      [4, 2, 1],
    ],
    [[0, 3], [3]],
    [
      [2, 0],
      [1, 1],
    ],
    [[64, 300], [300]],
    [
      [300, 64],
      [300, 1],
    ],
  ];
  return shapes.map(([m, n]) => ({
    inputs: [
      { shape: m, ...a },
      { shape: n, ...b },
    ],
  }));
}

const withNumbers = (range: Range = {}): Case[] => [
  { inputs: [{ shape: [3, 5], ...range }, 2] },
  { inputs: [3, { shape: [3, 5], ...range }] },
];

/** Whole quotients jump where a passes a multiple of b: values away from there. */
const divisions: Case[] = [
  {
    inputs: [
      { shape: [6], values: [7.5, -7.5, 7.5, -7.5, 0.25, -1] },
      { shape: [6], values: [2, 2, -2, -2, 3, 3] },
    ],
  },
  {
    inputs: [
      { shape: [2, 3], values: [1, 5, 9, 13, 17, 21] },
      { shape: [3], values: [7, 3, 2] },
    ],
    skipGrad: 'some quotients are whole',
  },
  {
    inputs: [
      { shape: [40, 50], low: -90, high: 90 },
      { shape: [50], low: 1, high: 9 },
    ],
    skipGrad: 'steps',
  },
  { inputs: [{ shape: [4], values: [-8, 5, -1, 0] }, 4], skipGrad: 'some quotients are whole' },
  // Around the largest quotient of the vector path, and where the remainder is rounded
  {
    inputs: [
      {
        shape: [7],
        dtype: 'float32',
        values: [2.6843546e8, 5.3687091e8, -2.6843544e8, 1e-40, -1e-40, -0.7, -2.6843552e8],
      },
      { shape: [7], dtype: 'float32', values: [0.99999994, 1.5, 1, 1e38, 1e38, 0.1, 1] },
    ],
    skipGrad: 'some quotients are whole',
  },
  // Integers whose quotients float32 does not hold
  {
    inputs: [
      {
        shape: [8],
        dtype: 'int32',
        values: [-2147483648, -2147483648, 2147483647, 2147483647, -2147483647, 1, -1, 16777217],
      },
      { shape: [8], dtype: 'int32', values: [1, 3, -1, 2, 2147483647, -2147483648, 2147483647, -1] },
    ],
  },
  // Too large a quotient for the vector path
  {
    inputs: [
      { shape: [3], dtype: 'float32', values: [3e38, -1e30, 5e20] },
      { shape: [1], dtype: 'float32', values: [0.7] },
    ],
  },
  { inputs: [{ shape: [3, 0] }, 2] },
];

const apart: Case[] = [
  {
    inputs: [
      { shape: [3, 5], low: 0, high: 1 },
      { shape: [5], low: 1.1, high: 2 },
    ],
  },
  {
    inputs: [
      { shape: [3, 5], low: 1.1, high: 2 },
      { shape: [3, 1], low: 0, high: 1 },
    ],
  },
  {
    inputs: [
      { shape: [8], values: [1, 2, 3, 4, 4, 4, -1, 0] },
      { shape: [8], values: [1, 3, 2, 4, 0, 5, -1, 0] },
    ],
    skipGrad: 'ties',
  },
  { inputs: [{ shape: [0] }, { shape: [0] }] },
];

export const cases: Record<string, Case[]> = {
  add: [...pairs(), ...withNumbers()],
  sub: [...pairs(), ...withNumbers()],
  mul: [...pairs(), ...withNumbers()],
  div: [...pairs({}, { low: 0.3 }), ...withNumbers({ low: 0.3 })],
  pow: [
    ...pairs({ low: 0.3 }, { low: -1.5 }),
    ...withNumbers({ low: 0.3 }),
    {
      inputs: [
        { shape: [6], values: [-2, -2, 0, 0, -1, 3], dtype: 'float32' },
        { shape: [6], values: [3, 2, 2, 0, -3, 4], dtype: 'float32' },
      ],
      skipGrad: 'x < 0',
    },
    {
      inputs: [
        { shape: [4], dtype: 'int32', values: [3, -3, 2, -1] },
        { shape: [4], dtype: 'int32', values: [20, 3, 31, 0] },
      ],
    },
  ],
  powScalar: [3, -1, 0, 0.5, 1, -2.5, 4, -0.5, -1.5, -2, -3].map((exponent) => ({
    inputs: [{ shape: [4, 5], low: 0.3 }],
    attrs: { exponent },
  })),
  atan2: [
    ...pairs({ low: 0.3 }, { low: -1.5, high: -0.2 }),
    ...pairs({ low: -1.5, high: 1.5 }, { low: 0.3 }),
    ...withNumbers({ low: 0.3 }),
    {
      inputs: [
        { shape: [8], values: [0, 0, 1, -1, 0, 3, 1e-30, 1e30], dtype: 'float32' },
        { shape: [8], values: [1, -1, 0, 0, 0, 3, -1e30, 1e-30], dtype: 'float32' },
      ],
      skipGrad: 'edges of quadrants',
    },
  ],
  maximum: apart,
  minimum: apart,
  share: apart,
  remainder: divisions,
  floorDivide: divisions,
};

const a = () => ones([2, 3]);

export const errors: ErrorCase[] = [
  {
    name: 'shapes that do not broadcast',
    call: () => a().add(ones([2])),
    message: 'add: shapes do not broadcast: a is [2, 3], b is [2]',
  },
  {
    name: 'an operand that is neither tensor nor number',
    call: () => a().mul('2' as never),
    message: /^mul: operands must be tensors, or a tensor and a number: .* and "2"$/,
  },
  {
    name: 'difference of bool',
    call: () => tensor([true]).sub(tensor([false])),
    message: 'sub: not defined for bool elements; use cast(): [1] bool and [1] bool',
  },
  {
    name: 'negative power of integers',
    call: () => tensor([2], { dtype: 'int32' }).pow(-1),
    message: 'pow: an integer tensor has no negative powers; cast it to float32: [1] int32 to -1',
  },
  {
    name: 'integer remainder by zero',
    call: () =>
      tensor([2, 3], { dtype: 'int32' })
        .remainder(tensor([1, 0], { dtype: 'int32' }))
        .data(),
    message: /^remainder: integers cannot be divided by zero \(\[2\] int32, \[2\] int32, out \[2\] int32\)/,
  },
  {
    name: 'integer quotient by the number 0',
    call: () => tensor([2, 3], { dtype: 'int32' }).floorDivide(0).data(),
    message: /^floorDivide: integers cannot be divided by zero/,
  },
  {
    name: 'fraction into integers in place',
    call: () => tensor([2, 3], { dtype: 'int32' }).add_(0.5),
    message: 'add_: the result is float32 and does not fit the target: [2] int32 and 0.5',
  },
  {
    name: 'integers divided in place',
    call: () => tensor([2, 3], { dtype: 'int32' }).div_(2),
    message: 'div_: the result is float32 and does not fit the target: [2] int32 and 2',
  },
  {
    name: 'a result larger than the target',
    call: () => ones([3]).add_(a()),
    message:
      'add_: the target has another shape or dtype than the result: target is [3] float32, result is [2, 3] float32',
  },
  {
    name: 'a leaf changed in place',
    call: () => zeros([2], { requiresGrad: true }).add_(1),
    message: 'add_: a tensor that requires grad is changed in place only inside noGrad: [2] float32',
  },
  {
    name: 'an operand that requires grad, in place',
    call: () => zeros([2]).mul_(ones([2], { requiresGrad: true })),
    message:
      /^mul_: a change in place is not recorded for gradients; use noGrad, detach\(\) or a new tensor: \[2\] float32$/,
  },
  {
    name: 'an expanded target',
    call: () => noGrad(() => zeros([1]).expand([4]).add_(1)),
    message: 'add_: an expanded tensor cannot be written in place: [4] float32',
  },
];
