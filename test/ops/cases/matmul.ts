import { arange, eye, matmul, ones, tensor, zeros } from '../../../lib/index.js';
import type { Case, ErrorCase } from '../case.js';

const product = (a: number[], b: number[]): Case => ({ inputs: [{ shape: a }, { shape: b }] });

// The sizes of a layer of bfloat16, whose bias is float32; float32 factors take it too.
const narrow = (x: number[], weight: number[]) => ({
  inputs: [{ shape: x }, { shape: weight }, { shape: weight.slice(0, 1), dtype: 'float32' }] as const,
  skipGrad: 'no float64 factor beside a float32 bias',
});

// Large enough for a CBLAS, where one is loaded.
const skipGrad = 'the gradient of so many elements takes too long one by one';

export const cases: Record<string, Case[]> = {
  matmul: [
    product([2, 3], [3, 4]),
    product([1, 1], [1, 1]),
    product([1, 37], [37, 5]), // a row
    product([5, 37], [37, 1]), // a column
    product([1, 40], [40, 1]),
    product([15, 9], [9, 33]), // ragged tiles
    product([29, 70], [70, 17]),
    product([3, 300], [300, 2]), // more than one cut of the depth
    product([1, 1030], [1030, 6]), // transposed, both lie along a long depth
    product([1, 9], [9, 1305]), // rows that lie more than a page apart
    product([2, 3, 4], [2, 4, 5]),
    product([3, 2, 4], [4, 5]), // one matrix for all
    product([2, 4], [3, 4, 5]),
    product([2, 1, 3, 4], [5, 4, 2]),
    product([3, 1, 4], [3, 4, 1]),
    product([2, 3, 1, 4], [2, 1, 4, 2]),
    product([0, 3], [3, 4]),
    product([2, 0], [0, 4]), // an empty sum is 0
    product([2, 3], [3, 0]),
    product([0, 2, 3], [3, 4]),
    { ...product([66, 65], [65, 70]), skipGrad },
    { ...product([2, 66, 65], [2, 65, 70]), skipGrad },
  ],
  linear: [
    { inputs: [{ shape: [4, 3] }, { shape: [5, 3] }, { shape: [5] }] },
    { inputs: [{ shape: [4, 3] }, { shape: [5, 3] }] },
    { inputs: [{ shape: [3] }, { shape: [5, 3] }, { shape: [5] }] },
    { inputs: [{ shape: [7] }, { shape: [1, 7] }, { shape: [1] }] },
    { inputs: [{ shape: [2, 3, 4] }, { shape: [6, 4] }, { shape: [6] }] },
    { inputs: [{ shape: [2, 3, 4] }, { shape: [6, 4] }] },
    { inputs: [{ shape: [1, 33] }, { shape: [17, 33] }, { shape: [17] }] },
    { inputs: [{ shape: [19, 270] }, { shape: [35, 270] }, { shape: [35] }] },
    { inputs: [{ shape: [2, 1030] }, { shape: [6, 1030] }, { shape: [6] }] },
    { inputs: [{ shape: [3, 0] }, { shape: [4, 0] }, { shape: [4] }] },
    { inputs: [{ shape: [0, 3] }, { shape: [4, 3] }, { shape: [4] }] },
    { inputs: [{ shape: [66, 65] }, { shape: [70, 65] }, { shape: [70] }], skipGrad },
    narrow([4, 3], [5, 3]),
    narrow([2, 3, 64], [33, 64]),
    narrow([29, 270], [35, 270]), // an even depth: pairs lie together
    narrow([66, 1031], [70, 1031]),
    narrow([7], [1, 7]),
    narrow([3, 0], [4, 0]),
  ],
  // The numbers in front say that what is drawn here is no packed weight: see test/unit/nn-prepare.test.ts.
  linearPacked: ([null, 'sigmoid', 'tanh'] as const).flatMap((attrs) =>
    [
      [[4, 3], [5, 3], [20], [5]],
      [[2, 3, 4], [6, 4], [20]],
      [[3], [5, 3], [20], [5]],
      [[19, 270], [35, 270], [0], [35]],
      [[3, 0], [4, 0], [20], [4]],
      [[0, 3], [4, 3], [20], [4]],
    ].map((shapes) => ({ inputs: shapes.map((shape) => ({ shape })), attrs })),
  ),
  linearPack: [
    [5, 3],
    [1, 7],
    [35, 270],
    [70, 1030],
    [4, 0],
    [0, 3],
  ].map((shape) => ({ inputs: [{ shape }] })),
  linearActivation: [
    ...(['sigmoid', 'tanh'] as const).flatMap((attrs) => [
      { inputs: [{ shape: [4, 3] }, { shape: [5, 3] }, { shape: [5] }], attrs },
      { inputs: [{ shape: [2, 3, 4] }, { shape: [6, 4] }], attrs },
      { inputs: [{ shape: [3] }, { shape: [5, 3] }, { shape: [5] }], attrs },
    ]),
    // Away from 0, where the rectifier has a kink: all pass, or none.
    ...[1, -1].map((sign) => ({
      inputs: [
        { shape: [4, 3], low: 0.1 },
        { shape: [5, 3], low: Math.min(0.1 * sign, 2 * sign), high: Math.max(0.1 * sign, 2 * sign) },
      ],
      attrs: 'relu',
    })),
    ...[
      [[7], [1, 7]],
      [
        [1, 33],
        [17, 33],
      ],
      [
        [19, 270],
        [35, 270],
      ],
      [
        [1, 1030],
        [6, 1030],
      ],
      [
        [3, 0],
        [4, 0],
      ],
      [
        [0, 3],
        [4, 3],
      ],
      [
        [66, 65],
        [70, 65],
      ],
    ].map(([x, weight]) => ({
      inputs: [{ shape: x }, { shape: weight }, { shape: weight.slice(0, 1) }],
      attrs: 'relu',
      skipGrad: 'kinks where a sum is 0',
    })),
    ...(['relu', 'sigmoid', 'tanh'] as const).map((attrs) => ({ ...narrow([19, 271], [35, 271]), attrs })),
  ],
};

export const errors: ErrorCase[] = [
  {
    name: 'inner sizes',
    call: () => zeros([2, 3]).matmul(zeros([4, 5])),
    message: 'matmul: inner sizes differ: a is [2, 3], b is [4, 5]',
  },
  {
    name: 'inner sizes of a vector',
    call: () => zeros([2, 3]).matmul(zeros([4])),
    message: 'matmul: inner sizes differ: a is [2, 3], b is [4]',
  },
  {
    name: 'leading sizes',
    call: () => zeros([2, 3, 4]).matmul(zeros([3, 4, 5])),
    message: 'matmul: leading sizes do not broadcast: a is [2, 3, 4], b is [3, 4, 5]',
  },
  {
    name: 'a scalar operand',
    call: () => tensor(2).matmul(zeros([2, 3])),
    message: 'matmul: operands need a dimension to sum over; use mul: a is [], b is [2, 3]',
  },
  {
    name: 'an operand that is no tensor',
    call: () => matmul(zeros([2, 3]), [[1, 2]] as never),
    message: /^matmul: b must be a tensor: /,
  },
  {
    name: 'bool operands',
    call: () => eye(2).cast('bool').matmul(eye(2).cast('bool')),
    message: /^matmul: operands must be numbers; cast bool first/,
  },
  {
    name: 'dot of matrices',
    call: () => ones([2, 2]).dot(ones([2])),
    message: 'dot: a must be a vector and b a vector',
  },
  { name: 'dot of other sizes', call: () => ones([2]).dot(ones([3])), message: 'dot: inner sizes differ' },
  { name: 'outer of a matrix', call: () => ones([2, 2]).outer(ones([2])), message: 'outer: a and b must be vectors' },
  {
    name: 'mv of a matrix',
    call: () => ones([2, 2]).mv(ones([2, 2])),
    message: 'mv: a must be a matrix and b a vector',
  },
  { name: 'mm of a vector', call: () => ones([2]).mm(ones([2, 2])), message: 'mm: a must be a matrix and b a matrix' },
  {
    name: 'bmm of other batches',
    call: () => ones([2, 2, 3]).bmm(ones([1, 3, 2])),
    message: 'bmm: batch sizes differ: a is [2, 2, 3], b is [1, 3, 2]',
  },
  {
    name: 'one bfloat16 operand',
    call: () => ones([2, 3]).matmul(ones([3, 2], { dtype: 'bfloat16' })),
    message:
      'matmul: bfloat16 is multiplied by bfloat16 alone; use to("bfloat16") or to("float32"): ' +
      'a is [2, 3] float32, b is [3, 2] bfloat16',
  },
  {
    name: 'a result of no dtype',
    call: () => ones([2, 2]).matmul(ones([2, 2]), { outDtype: 'half' as never }),
    message: /^matmul: dtype must be one of float32, float64, bfloat16, /,
  },
  {
    name: 'linear with other features',
    call: () => ones([32, 10]).linear(ones([5, 20])),
    message: 'linear: inner sizes differ: x is [32, 10], weight is [5, 20]',
  },
  {
    name: 'linear with a bias of another size',
    call: () => ones([3, 4]).linear(ones([5, 4]), arange(4)),
    message: 'linear: bias must be [5], one number an output: bias is [4], x is [3, 4], weight is [5, 4]',
  },
  {
    name: 'linear with a weight that is no matrix',
    call: () => ones([3, 4]).linear(ones([4])),
    message: 'linear: weight must be a matrix [out features, in features]',
  },
];
