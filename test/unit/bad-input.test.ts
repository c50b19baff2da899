// What callers can get wrong: each mistake is one AthanorError that names the operation and what was given, and the engine
// works on afterwards as if nothing had been.
import { MessageChannel } from 'node:worker_threads';
import * as athanor from '../../lib/index.js';
import {
  AthanorError,
  add,
  arange,
  eye,
  full,
  inspectSafetensors,
  linspace,
  loadSafetensors,
  matmul,
  memory,
  models,
  nn,
  ones,
  onesLike,
  readIdx,
  saveSafetensors,
  setNumThreads,
  Tensor,
  TensorDataset,
  tensor,
  zeros,
  zerosLike,
} from '../../lib/index.js';

const any = (value: unknown) => value as never;
const x = ones([2, 3]);

function detached(): Float32Array {
  const data = Float32Array.of(1, 2, 3);
  const { port1 } = new MessageChannel();
  port1.postMessage(data, [data.buffer]);
  port1.close();
  return data;
}

/** name of the mistake, the call, the whole message or its beginning */
type Mistake = [what: string, call: () => unknown, message: string];

const data: Mistake[] = [
  [
    'null',
    () => tensor(any(null)),
    'tensor: data must be a number, nested arrays, or a Float32, Float64, Int32 or Uint8 array: null',
  ],
  ['nothing', () => tensor(any(undefined)), 'tensor: data must be a number, nested arrays, or a'],
  [
    'text',
    () => tensor(any('1, 2')),
    'tensor: data must be a number, nested arrays, or a Float32, Float64, Int32 or Uint8 array: "1, 2"',
  ],
  [
    'an object',
    () => tensor(any({ length: 2 })),
    'tensor: data must be a number, nested arrays, or a Float32, Float64, Int32 or Uint8 array: Object',
  ],
  [
    'a bigint',
    () => tensor(any(5n)),
    'tensor: data must be a number, nested arrays, or a Float32, Float64, Int32 or Uint8 array: 5n',
  ],
  [
    'a symbol',
    () => tensor(any(Symbol('s'))),
    'tensor: data must be a number, nested arrays, or a Float32, Float64, Int32 or Uint8 array: Symbol(s)',
  ],
  [
    'a function',
    () => tensor(any(Math.sin)),
    'tensor: data must be a number, nested arrays, or a Float32, Float64, Int32 or Uint8 array: function sin',
  ],
  ['an ArrayBuffer', () => tensor(any(new ArrayBuffer(8))), 'tensor: data must be a number, nested arrays, or a'],
  [
    'a DataView',
    () => tensor(any(new DataView(new ArrayBuffer(8)))),
    'tensor: data must be a number, nested arrays, or a',
  ],
  [
    'a BigInt64Array',
    () => tensor(any(new BigInt64Array(2))),
    'tensor: data must be a number, nested arrays, or a Float32, Float64, Int32 or Uint8 array: BigInt64Array of 16 bytes',
  ],
  [
    'a tensor',
    () => tensor(any(x)),
    'tensor: the data is a tensor already; use clone(), detach() or cast(): [2, 3] float32',
  ],
  [
    'an array with text',
    () => tensor(any([1, 'a'])),
    'tensor: elements must be numbers or booleans of one nesting: "a"',
  ],
  [
    'an array with null',
    () => tensor(any([null])),
    'tensor: elements must be numbers or booleans of one nesting: null',
  ],
  [
    'an array with a hole',
    () => tensor(any(new Array(2))),
    'tensor: elements must be numbers or booleans of one nesting: undefined',
  ],
  [
    'an array with a tensor',
    () => tensor(any([x])),
    'tensor: elements must be numbers or booleans of one nesting: Tensor',
  ],
  [
    'ragged rows',
    () => tensor([[1], [2, 3]]),
    'tensor: nested arrays must have one shape: at depth 1 1 items were expected: 2 items',
  ],
  [
    'a row that is a number',
    () => tensor([[1], 2]),
    'tensor: nested arrays must have one shape: at depth 1 1 items were expected: 2',
  ],
  [
    'a number that is a row',
    () => tensor([1, [2]]),
    'tensor: elements must be numbers or booleans of one nesting: [2]',
  ],
  ['nine levels', () => tensor([[[[[[[[[1]]]]]]]]]), 'tensor: a tensor has at most 8 dimensions: deeper nested arrays'],
  [
    'a detached buffer',
    () => tensor(detached()),
    "tensor: the typed array's buffer is detached (was it transferred?): Float32Array of 0 bytes",
  ],
  ['a fraction as int32', () => tensor([1.5], { dtype: 'int32' }), 'tensor: an element does not fit int32: 1.5'],
  ['256 as uint8', () => tensor([256], { dtype: 'uint8' }), 'tensor: an element does not fit uint8: 256'],
  ['-1 as uint8', () => tensor([-1], { dtype: 'uint8' }), 'tensor: an element does not fit uint8: -1'],
  ['NaN as int32', () => tensor([Number.NaN], { dtype: 'int32' }), 'tensor: an element does not fit int32: NaN'],
  [
    'another number of elements than the shape',
    () => tensor(new Float32Array(2), { shape: [3] }),
    'tensor: shape and data differ in their number of elements: [3] and 2',
  ],
];

const shapes: Mistake[] = (
  [
    ['no shape', undefined, 'shape must be an array of sizes: undefined'],
    ['null', null, 'shape must be an array of sizes: null'],
    ['a number', 3, 'shape must be an array of sizes: 3'],
    ['text', '3', 'shape must be an array of sizes: "3"'],
    ['an object', {}, 'shape must be an array of sizes: Object'],
    ['a negative size', [2, -1], 'sizes must be whole numbers, 0 or more: [2, -1]'],
    ['a fractional size', [1.5], 'sizes must be whole numbers, 0 or more: [1.5]'],
    ['NaN', [Number.NaN], 'sizes must be whole numbers, 0 or more: [NaN]'],
    ['infinity', [Number.POSITIVE_INFINITY], 'sizes must be whole numbers, 0 or more: [Infinity]'],
    ['a size as text', ['2'], 'sizes must be whole numbers, 0 or more: ["2"]'],
    ['a nested shape', [[2]], 'sizes must be whole numbers, 0 or more: [[...]]'],
    ['nine dimensions', [1, 1, 1, 1, 1, 1, 1, 1, 1], 'a tensor has at most 8 dimensions: [1, 1, 1, 1, 1, 1, 1, 1, 1]'],
    ['too many elements to count', [2 ** 30, 2 ** 30], 'more elements than can be counted: [1073741824, 1073741824]'],
  ] as [string, unknown, string][]
).flatMap(([what, shape, message]) => [
  [`zeros of ${what}`, () => zeros(any(shape)), `zeros: ${message}`] as Mistake,
  [`ones of ${what}`, () => ones(any(shape)), `ones: ${message}`] as Mistake,
  [`full of ${what}`, () => full(any(shape), 1), `full: ${message}`] as Mistake,
]);

const options: Mistake[] = [
  ['options that are null', () => zeros([2], any(null)), 'zeros: options must be an object: null'],
  ['a dtype in place of options', () => zeros([2], any('float64')), 'zeros: options must be an object: "float64"'],
  [
    'an unknown dtype',
    () => zeros([2], { dtype: any('float16') }),
    'zeros: dtype must be one of float32, float64, bfloat16, int32, uint8, bool: "float16"',
  ],
  [
    'a dtype that is no text',
    () => tensor([1], { dtype: any(3) }),
    'tensor: dtype must be one of float32, float64, bfloat16, int32, uint8, bool: 3',
  ],
  [
    'a dtype named like a method',
    () => x.cast(any('toString')),
    'cast: dtype must be one of float32, float64, bfloat16, int32, uint8, bool: "toString"',
  ],
  [
    'an unknown device',
    () => zeros([2], { device: any('gpu') }),
    'zeros: device must be "cpu", "cuda" or "cuda:N": "gpu"',
  ],
  [
    'a device that is no text',
    () => zeros([2], { device: any(0) }),
    'zeros: device must be "cpu", "cuda" or "cuda:N": 0',
  ],
  [
    'gradients of integers',
    () => zeros([2], { dtype: 'int32', requiresGrad: true }),
    'zeros: only float tensors have gradients: [2] int32',
  ],
  ['a value that is text', () => full([2], any('1')), 'full: value must be a number: "1"'],
  [
    'a value the dtype cannot hold',
    () => full([2], 300, { dtype: 'uint8' }),
    'full: an element does not fit uint8: 300',
  ],
  ['zeros like a number', () => zerosLike(any(3)), 'zerosLike: like must be a tensor: 3'],
  ['ones like nothing', () => onesLike(any(undefined)), 'onesLike: like must be a tensor: undefined'],
  [
    'an endless arange',
    () => arange(0, Number.POSITIVE_INFINITY),
    'arange: start, end and step must be finite and step not 0: 0, Infinity, 1',
  ],
  [
    'an arange without numbers',
    () => arange(any('3')),
    'arange: start, end and step must be finite and step not 0: 0, "3", 1',
  ],
  ['an arange with null for options', () => arange(3, any(null)), 'arange: options must be an object: null'],
  [
    'an arange with step 0',
    () => arange(0, 1, { step: 0 }),
    'arange: start, end and step must be finite and step not 0: 0, 1, 0',
  ],
  ['an arange that does not fit', () => arange(3e9, 3e9 + 2), 'arange: an element does not fit int32: 3000000000'],
  [
    'an arange of too many',
    () => arange(1e13),
    'arange: more elements than a typed array can hold: 10000000000000 of int32',
  ],
  ['a linspace of -1', () => linspace(0, 1, -1), 'linspace: count must be a whole number of 0 or more: -1'],
  ['a linspace of a fraction', () => linspace(0, 1, 2.5), 'linspace: count must be a whole number of 0 or more: 2.5'],
  ['a linspace from a symbol', () => linspace(any(Symbol('s')), 1, 3), 'linspace: ends must be finite: Symbol(s) to 1'],
  ['a linspace to NaN', () => linspace(0, Number.NaN, 3), 'linspace: ends must be finite: 0 to NaN'],
  [
    'fractions in an int32 linspace',
    () => linspace(0, 1, 3, { dtype: 'int32' }),
    'linspace: an element does not fit int32: 0.5',
  ],
  ['a negative eye', () => eye(-1), 'eye: rows must be a whole number of 0 or more: -1'],
  ['an eye as text', () => eye(any('2')), 'eye: rows must be a whole number of 0 or more: "2"'],
  ['no threads', () => setNumThreads(0), 'setNumThreads: threads must be a whole number from 1 to 1024: 0'],
];

const operands: Mistake[] = [
  ['null beside a tensor', () => x.add(any(null)), 'add: '],
  ['text beside a tensor', () => x.add(any('2')), 'add: '],
  ['an array beside a tensor', () => x.mul(any([1, 2, 3])), 'mul: '],
  ['two numbers', () => add(any(1), 2), 'add: '],
  ['shapes that do not broadcast', () => x.add(ones([4])), 'add: shapes do not broadcast: a is [2, 3], b is [4]'],
  ['inner sizes that differ', () => matmul(x, x), 'matmul: inner sizes differ: a is [2, 3], b is [2, 3]'],
  ['matmul with a number', () => matmul(x, any(3)), 'matmul: '],
  ['an axis past the last', () => x.sum(2), 'sum: axis must be a whole number from -2 to 1: 2'],
  ['an axis before the first', () => x.sum(-3), 'sum: axis must be a whole number from -2 to 1: -3'],
  ['a fractional axis', () => x.sum(0.5), 'sum: axis must be a whole number from -2 to 1: 0.5'],
  ['an axis as text', () => x.sum(any('0')), 'sum: axis must be a whole number from -2 to 1: "0"'],
  ['an axis twice', () => x.sum([0, -2]), 'sum: an axis is named twice: [0, -2]'],
  ['a range that is a number', () => x.slice(any(5)), 'slice: a range must be an object: 5'],
  [
    'an element of several',
    () => x.itemSync(),
    'itemSync: the tensor does not have exactly one element: [2, 3] float32',
  ],
  ['keeping a number', () => athanor.keep(any(3)), 'keep: a tensor was expected: 3'],
];

describe.each([
  ['data', data],
  ['shapes', shapes],
  ['options', options],
  ['operands', operands],
])('%s', (_group, mistakes) => {
  test.each(mistakes)('%s', (_what, call, message) => {
    const { buffers } = memory();
    let error: unknown;
    try {
      call();
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(AthanorError);
    expect((error as AthanorError).message.startsWith(message)).toBe(true);
    expect((error as AthanorError).message).toMatch(/^\w+: .+: .+/);
    // The stack begins where the user can act on it.
    expect((error as AthanorError).stack).toContain('bad-input.test.ts');
    expect(memory().buffers).toBeLessThanOrEqual(buffers + 1);
    expect(x.add(1).sum().itemSync()).toBe(12);
  });
});

describe('what is unusual but right', () => {
  test('data in shared memory is copied', () => {
    const shared = new Float32Array(new SharedArrayBuffer(12));
    shared.set([1, 2, 3]);
    const t = tensor(shared);
    shared.fill(0);
    expect([...t.dataSync()]).toEqual([1, 2, 3]);
  });

  test('a view into the middle of a buffer', () => {
    const all = Float64Array.of(0, 1, 2, 3, 4);
    expect([...tensor(all.subarray(1, 4)).dataSync()]).toEqual([1, 2, 3]);
  });

  test('bytes of a Node Buffer and clamped bytes', () => {
    expect(tensor(Buffer.from([1, 2, 255])).dtype).toBe('uint8');
    expect([...tensor(any(Uint8ClampedArray.of(7, 8))).dataSync()]).toEqual([7, 8]);
  });

  test('empty data', () => {
    expect(tensor([]).shape).toEqual([0]);
    expect(tensor([[], []]).shape).toEqual([2, 0]);
    expect(tensor(new Float32Array(0)).shape).toEqual([0]);
    expect(zeros([3, 0]).sum().itemSync()).toBe(0);
    expect(zeros([0, 3]).sum(0).toArraySync()).toEqual([0, 0, 0]);
    expect(zeros([0]).toArraySync()).toEqual([]);
  });

  test('a buffer that is detached after the call does not matter', () => {
    const data = Float32Array.of(1, 2, 3);
    const t = tensor(data);
    const { port1 } = new MessageChannel();
    port1.postMessage(data, [data.buffer]);
    port1.close();
    expect([...t.dataSync()]).toEqual([1, 2, 3]);
  });

  test('data from another realm', () => {
    const other = require('node:vm').runInNewContext('Float32Array.of(1, 2)');
    expect(tensor(other).toArraySync()).toEqual([1, 2]);
  });
});

describe('a tensor where JavaScript wants a number', () => {
  const message = 'Tensor: a tensor is no number; use its methods, or await item() for its value: [] float32';
  const t = any(tensor(0.1));

  test.each<[string, () => unknown]>([
    ['<', () => t < 0.5],
    ['>', () => t > 0.5],
    ['+', () => t + 1],
    ['-', () => -t],
    // biome-ignore lint/suspicious/noDoubleEquals: what is tested
    ['==', () => t == 0.1],
    ['Math.max()', () => Math.max(t, 1)],
    ['Number()', () => Number(t)],
    ['Number.prototype.toFixed', () => (1).toFixed(t)],
    ['a Float32Array', () => Float32Array.of(t)],
  ])('%s is refused', (_, use) => {
    expect(use).toThrow(message);
  });

  test('text shows it', () => {
    expect(`${tensor([1, 2])}`).toBe(tensor([1, 2]).toString());
    expect(String(tensor([1, 2]))).toBe(tensor([1, 2]).toString());
    expect(['a', tensor(1)].join(' ')).toBe(`a ${tensor(1)}`);
  });
});

describe('what is made or read by hand', () => {
  const mistakes: Mistake[] = [
    [
      'a tensor by new',
      () => new (any(Tensor) as new (data: unknown) => Tensor)([1, 2]),
      'Tensor: tensor() and the like',
    ],
    [
      'a parameter by new',
      () => new (any(nn.Parameter) as new (t: Tensor) => Tensor)(x),
      'Tensor: tensor() and the like',
    ],
    [
      'a data set of something else',
      () => new TensorDataset(x, any([1])),
      'TensorDataset: only tensors hold samples: [1]',
    ],
    [
      'a block without channels',
      () => new models.Bottleneck(4, any('4')),
      'Bottleneck: channels must be a whole number',
    ],
  ];

  test.each(mistakes)('%s', (_, call, message) => {
    expect(call).toThrow(AthanorError);
    expect(call).toThrow(message);
  });

  const rejections: [what: string, call: () => Promise<unknown>, message: string][] = [
    [
      'a dtype that is a tensor',
      () => x.dataAs(any(ones([2]))),
      'dataAs: the tensor has another dtype: Tensor of [2, 3]',
    ],
    [
      'no path to inspect',
      () => inspectSafetensors(any(undefined)),
      'inspectSafetensors: path must be a string: undefined',
    ],
    ['no path to load', () => loadSafetensors(any({})), 'loadSafetensors: path must be a string: Object'],
    ['no path to save to', () => saveSafetensors(any(3), { x }), 'saveSafetensors: path must be a string: 3'],
    ['no path to an idx file', () => readIdx(any(null)), 'readIdx: path must be a string: null'],
  ];

  test.each(rejections)('%s', async (_, call, message) => {
    await expect(call()).rejects.toThrow(AthanorError);
    await expect(call()).rejects.toThrow(message);
  });
});

describe('mistakes that only the stream finds', () => {
  const huge = () => zeros([1e12]).add(1);

  test('reject the read and name op, shape and line', async () => {
    await expect(huge().sum().item()).rejects.toThrow(
      /^fill: out of memory on cpu: 4000000000000 bytes .*\(out \[1000000000000\] float32\)/,
    );
  });

  test('are told once, and what follows works', async () => {
    const big = huge();
    await expect(big.sum().data()).rejects.toThrow(AthanorError);
    expect(await x.add(1).sum().item()).toBe(12);
    expect(() => athanor.synchronize()).not.toThrow();
  });

  test('that nobody read from are told by the next read', async () => {
    huge();
    await expect(x.add(1).data()).rejects.toThrow(/^fill: out of memory/);
    expect(await x.add(1).sum().item()).toBe(12);
  });

  test('leave a tensor that was to be updated in place as it was', async () => {
    const w = ones([3]);
    const bad = zeros([1e12]).sum().expand([3]);
    w.add_(bad);
    await expect(bad.data()).rejects.toThrow(/^fill: out of memory/);
    expect([...w.dataSync()]).toEqual([1, 1, 1]);
  });
});
