// Results so large that they are written past the caches: pieces of them, whole rows, planes put together first.
import { maxPool2d, ones, pad, randn, type Tensor } from '../../lib/index.js';

/** Elements of a float32 result that is certainly streamed: 32 MiB. */
const many = 8 << 20;

const differences = (a: Tensor, b: Tensor): number => a.ne(b).sum().itemSync();

describe('results past the caches', () => {
  test('a padded image', () => {
    const [planes, size] = [32, 511];
    const x = randn([planes, size, size]);
    const out = pad(x, [1, 2, 3, 0], { value: 5 });
    expect(out.size).toBeGreaterThan(many);
    expect(differences(out.slice({}, { start: 3 }, { start: 1, end: size + 1 }), x)).toBe(0);
    expect(out.eq(5).sum().itemSync()).toBe(out.size - x.size);
  });

  test('wide rows between values', () => {
    const x = randn([2, many >> 1]);
    const out = pad(x, [3, 1], { value: 5 });
    expect(differences(out.slice({}, { start: 3, end: -1 }), x)).toBe(0);
    expect(out.eq(5).sum().itemSync()).toBe(8);
  });

  test('what a pooling sends back', () => {
    const x = randn([32, 1, 512, 513], { requiresGrad: true });
    const out = maxPool2d(x, 2);
    out.backward(ones(out.shape));
    const gradient = x.grad as Tensor;
    expect(gradient.size).toBeGreaterThan(many);
    expect(gradient.sum().itemSync()).toBe(out.size);
    expect(differences(maxPool2d(x.detach().mul(gradient), 2), out.detach().relu())).toBe(0);
  });
});
