// Sums over long depths: they keep their digits, and what packs them has the room that it needs.
import {
  avgPool2d,
  conv2d,
  full,
  matmul,
  randn,
  scaledDotProductAttention,
  type Tensor,
  vjp,
} from '../../lib/index.js';

/** The largest distance of float32 from float64, relative to the largest value. */
function distance(compute: (...inputs: Tensor[]) => Tensor, ...inputs: Tensor[]): number {
  const found = compute(...inputs).dataSync();
  const exact = compute(...inputs.map((t) => t.cast('float64'))).dataSync();
  let [most, largest] = [0, 0];
  for (let i = 0; i < exact.length; i++) {
    most = Math.max(most, Math.abs(Number(found[i]) - Number(exact[i])));
    largest = Math.max(largest, Math.abs(Number(exact[i])));
  }
  return most / largest;
}

// Equal values are the worst: a plain sum of 200,000 of them in float32 is wrong by 5e-4.
const constant = (...shape: number[]) => full(shape, 0.1);

test('of a vector times a matrix', () => {
  expect(distance((a, b) => matmul(a, b), constant(1, 200_000), constant(200_000, 24))).toBeLessThan(5e-5);
  expect(distance((a, b) => matmul(a, b), constant(24, 200_000), constant(200_000, 1))).toBeLessThan(5e-5);
  // Rows more than a page apart, and runs of columns with a rest.
  expect(distance((a, b) => matmul(a, b), constant(1, 20_003), constant(20_003, 1030))).toBeLessThan(5e-5);
  expect(distance((a, b) => matmul(a, b), randn([1, 1027]), randn([1027, 2500]))).toBeLessThan(2e-6);
});

test.each([
  { kind: 'dense', channels: 20, groups: 1 },
  { kind: 'depthwise', channels: 4, groups: 4 },
])('of the weight gradient of a $kind convolution', ({ channels, groups }) => {
  const x = constant(4, channels, 224, 224);
  const gradient = (image: Tensor, g: Tensor) =>
    vjp(
      (w) => conv2d(image, w, null, { groups }),
      full([channels, channels / groups, 1, 1], 1, { dtype: image.dtype }),
      g,
    ).gradients;
  expect(distance(gradient, x, x)).toBeLessThan(1e-4);
});

test('of a window of a million pixels', () => {
  expect(distance((x) => avgPool2d(x, 1000), constant(1, 1, 1000, 1000))).toBeLessThan(5e-5);
});

// Depths just before and just behind a place where a product is cut into one more part.
test.each([
  [512, 520],
  [520, 512],
  [256, 260],
  [384, 392],
])('attention with keys of %i and values of %i', (keys, values) => {
  const [q, k, v] = [randn([1, 2, 64, keys]), randn([1, 2, 128, keys]), randn([1, 2, 128, values])];
  expect(distance((...x) => scaledDotProductAttention(x[0], x[1], x[2]), q, k, v)).toBeLessThan(1e-5);
  const g = randn([1, 2, 64, values]);
  const back = (...x: Tensor[]) => vjp((key) => scaledDotProductAttention(x[0], key, x[2]), x[1], x[3]).gradients;
  expect(distance(back, q, k, v, g)).toBeLessThan(1e-5);
});
