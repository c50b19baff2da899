// What setFloat32Precision changes: products of float32 may be rounded to tf32 on their way to tensor cores, on a device
// and when asked for. Every row on its own default is in rows.test.ts.
import './support.js';

import {
  conv2d,
  grad,
  linear,
  manualSeed,
  matmul,
  scaledDotProductAttention,
  setFloat32Precision,
  type Tensor,
  uniform,
} from '../../lib/index.js';
import { packedAttention } from '../../lib/ops/attention.js';

afterEach(() => setFloat32Precision('exact'));

/** The largest difference, as a part of the largest number of the second. */
function distance(a: Tensor, b: Tensor): number {
  const [x, y] = [a.to('cpu').dataSync(), b.to('cpu').dataSync()];
  let [most, largest] = [0, 0];
  for (let i = 0; i < y.length; i++) {
    most = Math.max(most, Math.abs(x[i] - y[i]));
    largest = Math.max(largest, Math.abs(y[i]));
  }
  return most / largest;
}

type Call = (inputs: Tensor[]) => Tensor;

const draw = (shape: number[]) => uniform(shape, { low: -1, high: 1 });

const calls: [string, number[][], Call][] = [
  ['matmul', [[70, 90], [90, 50]], ([a, b]) => matmul(a, b)], // biome-ignore format: shapes
  ['linear', [[70, 90], [40, 90], [40]], ([x, w, b]) => linear(x, w, b, { activation: 'tanh' })], // biome-ignore format: shapes
  ['conv2d', [[2, 20, 9, 8], [24, 20, 3, 3], [24]], ([x, w, b]) => conv2d(x, w, b, { stride: 2, padding: 1 })], // biome-ignore format: shapes
];

/** The result and the gradients of its sum of squares, of inputs as `map` makes them. */
function everything(call: Call, inputs: Tensor[], map: (t: Tensor, i: number) => Tensor): Tensor[] {
  const own = inputs.map((t, i) => map(t, i).detach().clone());
  for (const t of own) t.requiresGrad = true;
  const out = call(own);
  return [out, ...grad(out.square().sum(), own)];
}

/** How far float32 and bfloat16 on a device are from float64; float32 exact and in tf32 is checked here. */
function comparison(call: Call, shapes: number[][]) {
  manualSeed(3);
  const inputs = shapes.map(draw);
  const run = (map: (t: Tensor, i: number) => Tensor) => everything(call, inputs, map);
  const expected = run((t) => t.to('float64'));
  const far = (given: Tensor[]) => Math.max(...given.map((t, i) => distance(t, expected[i])));
  const exact = far(run((t) => t.to('cuda')));
  expect(exact).toBeLessThan(1e-5);
  setFloat32Precision('tf32');
  const rounded = far(run((t) => t.to('cuda')));
  expect(rounded).toBeLessThan(4e-3);
  expect(rounded).toBeGreaterThan(exact); // it is another kernel
  setFloat32Precision('exact');
  return { run, far };
}

test.each(calls)(
  '%s and its gradients: exact by default, near in tf32, in float32 from bfloat16',
  (_, shapes, call) => {
    const { run, far } = comparison(call, shapes);
    const narrow = run((t, i) => (i < 2 ? t.to('bfloat16') : t).to('cuda'));
    expect(narrow.map((t) => t.dtype)).toEqual([
      'float32',
      'bfloat16',
      'bfloat16',
      ...shapes.slice(2).map(() => 'float32'),
    ]);
    expect(far(narrow.map((t) => t.to('float32')))).toBeLessThan(3e-2);
  },
);

/** Three heads' queries, keys or values, so wide. */
const heads = (width: number) => [1, 3, 70, width];

test.each([
  ['apart', [heads(32), heads(32), heads(32)], ([q, k, v]) => scaledDotProductAttention(q, k, v)],
  ['causal', [heads(64), heads(64), heads(64)], ([q, k, v]) => scaledDotProductAttention(q, k, v, { isCausal: true })],
  ['packed', [[1, 70, 3, 1, 128]], ([qkv]) => packedAttention(qkv, null, { scale: 0.1, causal: true })],
] as [string, number[][], Call][])(
  'attention and its gradients, %s: exact by default, near in tf32',
  (_, shapes, call) => {
    comparison(call, shapes);
  },
);
