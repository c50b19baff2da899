import { isGradEnabled, maxPool2d, maxPool2dWithIndices, noGrad, randn, type Tensor, tensor } from '../../lib/index.js';

/** As the row's reference, but for float32 values as they are: [value, place] of the window of each output. */
function expected(x: Tensor, kernel: number, stride: number, padding: number): [number[], number[]] {
  const [n, c, height, width] = x.shape;
  const data = x.dataSync();
  const count = (size: number) => Math.floor((size + 2 * padding - kernel) / stride) + 1;
  const values: number[] = [];
  const places: number[] = [];
  for (let plane = 0; plane < n * c; plane++) {
    for (let i = 0; i < count(height); i++) {
      for (let j = 0; j < count(width); j++) {
        let best = -1;
        for (let h = i * stride - padding; h < i * stride - padding + kernel; h++) {
          for (let w = j * stride - padding; w < j * stride - padding + kernel; w++) {
            if (h < 0 || w < 0 || h >= height || w >= width) continue;
            const at = h * width + w;
            const value = Number(data[plane * height * width + at]);
            const highest = best < 0 ? 0 : Number(data[plane * height * width + best]);
            if (best < 0 || value > highest || (Number.isNaN(value) && !Number.isNaN(highest))) best = at;
          }
        }
        places.push(best);
        values.push(Number(data[plane * height * width + best]));
      }
    }
  }
  return [values, places];
}

/** Numbers of few values, so that many are equal, with infinities and NaN among them. */
function awkward(shape: readonly number[], seed: number): Tensor {
  const choices = [-Infinity, Infinity, Number.NaN, -1, 0, 1, 1, 2, -Infinity, -Infinity];
  let state = seed;
  const draw = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return choices[Math.floor((state / 2 ** 32) * choices.length)];
  };
  return tensor(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, draw)).reshape([...shape]);
}

const gradOf = (x: Tensor) => Array.from(x.grad?.dataSync() as Float32Array);

describe('maxPool2d', () => {
  it.each([
    [[2, 3, 10, 10], 2, 2, 0],
    [[3, 2, 11, 13], 3, 2, 1],
    [[1, 2, 9, 40], 2, 1, 1],
    [[2, 2, 12, 37], 4, 2, 2],
    [[1, 3, 20, 20], 2, 3, 0],
    [[70, 3, 4, 6], 2, 2, 1],
  ])(
    'takes the first of equal values, and NaN over all: %j, window %i, stride %i, padding %i',
    (shape, kernel, stride, padding) => {
      for (const dtype of ['float32', 'float64'] as const) {
        const x = awkward(shape, 7).cast(dtype);
        const [values, places] = expected(x, kernel, stride, padding);
        const [largest, indices] = maxPool2dWithIndices(x, kernel, { stride, padding });
        expect(Array.from(largest.dataSync() as Float32Array)).toEqual(values);
        expect(Array.from(indices.dataSync() as Int32Array)).toEqual(places);
        expect(indices.dtype).toBe('int32');
        expect(Array.from(maxPool2d(x, kernel, { stride, padding }).dataSync() as Float32Array)).toEqual(values);
      }
    },
  );

  it('gives the same gradient with indices and without, and for an image without a batch axis', () => {
    const x = randn([3, 8, 8], { requiresGrad: true });
    maxPool2d(x, 2).square().sum().backward();
    const direct = gradOf(x);
    x.grad = null;
    const [values, indices] = maxPool2dWithIndices(x, 2);
    expect(indices.shape).toEqual([3, 4, 4]);
    values.square().sum().backward();
    expect(gradOf(x)).toEqual(direct);
    expect(direct.filter((value) => value !== 0)).toHaveLength(3 * 4 * 4);
  });

  it('is the same value where nothing is recorded', () => {
    const x = randn([2, 3, 9, 9], { requiresGrad: true });
    const recorded = maxPool2d(x, 3, { stride: 2, padding: 1 });
    const plain = noGrad(() => {
      expect(isGradEnabled()).toBe(false);
      return maxPool2d(x, 3, { stride: 2, padding: 1 });
    });
    expect(plain.requiresGrad).toBe(false);
    expect(Array.from(plain.dataSync() as Float32Array)).toEqual(Array.from(recorded.dataSync() as Float32Array));
  });

  it('names itself in an error', () => {
    expect(() => maxPool2dWithIndices(randn([1, 1, 4, 4]), 2, { padding: 2 })).toThrow(
      'maxPool2dWithIndices: padding must be at most half of the window: [2, 2], window [2, 2]',
    );
  });
});
