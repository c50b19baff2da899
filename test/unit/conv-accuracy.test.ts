// A float32 convolution differs from the float64 one by at most gamma_K times the same sum of absolute values, K being
// the number of products added up: the classical bound of a sum in any order.
import { conv2d, convTranspose2d, randn, type Tensor } from '../../lib/index.js';

const settings = [
  { channels: 1, outputs: 6, kernel: 5, size: 9 },
  { channels: 32, outputs: 32, kernel: 3, size: 8 },
  { channels: 256, outputs: 48, kernel: 3, size: 7 },
  { channels: 512, outputs: 20, kernel: 1, size: 7 },
];

function worst(run: (x: Tensor, w: Tensor) => Tensor, x: Tensor, w: Tensor, products: number): number {
  const [wide, wideW] = [x.cast('float64'), w.cast('float64')];
  const exact = run(wide, wideW).dataSync();
  const scale = run(wide.abs(), wideW.abs()).dataSync();
  const found = run(x, w).dataSync();
  const unit = 2 ** -24;
  const gamma = (products * unit) / (1 - products * unit);
  return Math.max(
    ...Array.from(found, (value, i) => Math.abs(Number(value) - Number(exact[i])) / (gamma * Number(scale[i]))),
  );
}

describe.each(settings)('$channels to $outputs channels, kernel $kernel', ({ channels, outputs, kernel, size }) => {
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
