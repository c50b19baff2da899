// A float32 convolution, and each of its gradients, differs from the float64 one by at most gamma_K times the same sum
// of absolute values, K being the number of products added up: the classical bound of a sum in any order.
import { conv2d, convTranspose2d, randn, type Tensor, vjp } from '../../lib/index.js';

type Compute = (a: Tensor, b: Tensor) => Tensor;

/** The largest error, where 1 is the bound. */
function worst(compute: Compute, a: Tensor, b: Tensor, products: number): number {
  const [wideA, wideB] = [a.cast('float64'), b.cast('float64')];
  const exact = compute(wideA, wideB).dataSync();
  const scale = compute(wideA.abs(), wideB.abs()).dataSync();
  const found = compute(a, b).dataSync();
  const unit = 2 ** -24;
  const gamma = (products * unit) / (1 - products * unit);
  const errors = Array.from(found, (value, i) => Math.abs(Number(value) - Number(exact[i])));
  expect(errors.length).toBe(exact.length);
  // Where all products are 0, as of weights that meet nothing but padding, the result must be 0 too.
  return errors.reduce((most, e, i) => Math.max(most, e === 0 ? 0 : e / (gamma * Number(scale[i]))), 0);
}

describe.each([
  { channels: 1, outputs: 6, kernel: 5, size: 9 },
  { channels: 32, outputs: 32, kernel: 3, size: 8 },
  { channels: 256, outputs: 48, kernel: 3, size: 7 },
  { channels: 512, outputs: 20, kernel: 1, size: 7 },
])('$channels to $outputs channels, kernel $kernel', ({ channels, outputs, kernel, size }) => {
  const options = { padding: Math.floor(kernel / 2) };
  test('forward', () => {
    const [x, w] = [randn([2, channels, size, size]), randn([outputs, channels, kernel, kernel])];
    expect(worst((a, b) => conv2d(a, b, null, options), x, w, channels * kernel ** 2)).toBeLessThanOrEqual(1);
  });
  test('transposed', () => {
    const [x, w] = [randn([2, channels, size, size]), randn([channels, outputs, kernel, kernel])];
    expect(worst((a, b) => convTranspose2d(a, b, null, options), x, w, channels * kernel ** 2)).toBeLessThanOrEqual(1);
  });
});

/** What flows from `g` to an input of the shape of `like`. */
const gradientOf = (like: Tensor, g: Tensor, compute: (input: Tensor) => Tensor): Tensor =>
  vjp(compute, like, g).gradients;

describe.each([
  { batch: 16, channels: 1, outputs: 6, groups: 1, kernel: 5, stride: 1, size: 28 },
  { batch: 16, channels: 16, outputs: 16, groups: 1, kernel: 3, stride: 1, size: 32 },
  { batch: 8, channels: 16, outputs: 40, groups: 1, kernel: 3, stride: 2, size: 17 },
  { batch: 64, channels: 64, outputs: 64, groups: 1, kernel: 3, stride: 1, size: 8 },
  { batch: 4, channels: 32, outputs: 80, groups: 1, kernel: 1, stride: 2, size: 14 },
  { batch: 4, channels: 24, outputs: 24, groups: 24, kernel: 3, stride: 1, size: 28 },
])('gradients of $channels to $outputs channels, kernel $kernel, stride $stride, $groups groups', (setting) => {
  const { batch, channels, outputs, groups, kernel, stride, size } = setting;
  const options = { padding: Math.floor(kernel / 2), stride, groups };
  const shapeX = [batch, channels, size, size];
  const shapeW = [outputs, channels / groups, kernel, kernel];
  const places = Math.floor((size - 1) / stride) + 1;
  const shapeG = [batch, outputs, places, places];

  test('of the weight', () => {
    const compute: Compute = (x, g) =>
      gradientOf(randn(shapeW, { dtype: x.dtype }), g, (w) => conv2d(x, w, null, options));
    expect(worst(compute, randn(shapeX), randn(shapeG), batch * places ** 2)).toBeLessThanOrEqual(1);
  });
  test('of the input', () => {
    const compute: Compute = (w, g) =>
      gradientOf(randn(shapeX, { dtype: w.dtype }), g, (x) => conv2d(x, w, null, options));
    expect(worst(compute, randn(shapeW), randn(shapeG), (outputs / groups) * kernel ** 2)).toBeLessThanOrEqual(1);
  });
});
