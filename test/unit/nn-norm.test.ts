import { Generator, nn, noGrad, ones, randn, type Tensor, tensor, tidy } from '../../lib/index.js';

describe('BatchNorm', () => {
  const close = (t: Tensor | null, values: number[]) =>
    values.forEach((v, i) => {
      expect((t as Tensor).dataSync()[i]).toBeCloseTo(v, 6);
    });

  test('training normalises by the batch and moves the running statistics', () => {
    const layer = new nn.BatchNorm1d(1);
    // Mean 2, variance 1 (over N), 2 (over N - 1).
    close(layer.forward(tensor([[1], [3]])), [-0.999995, 0.999995]);
    close(layer.runningMean, [0.2]);
    close(layer.runningVar, [0.9 + 0.2]);
    layer.forward(tensor([[5], [9]])); // mean 7, variance 8 over N - 1
    close(layer.runningMean, [0.18 + 0.7]);
    close(layer.runningVar, [0.99 + 0.8]);
    expect(layer.numBatchesTracked?.itemSync()).toBe(2);
  });

  test.each([
    { shape: [6, 4, 5, 3], training: true },
    { shape: [6, 4, 5, 3], training: false },
    { shape: [40, 4], training: true },
  ])('a residual and relu in the same call: $shape, training $training', ({ shape, training }) => {
    const [x, residual, g] = [randn(shape), randn(shape), randn(shape)];
    const layer = () => (shape.length === 2 ? new nn.BatchNorm1d(4) : new nn.BatchNorm2d(4)).train(training);
    const run = (call: (norm: nn.BatchNorm1d | nn.BatchNorm2d, x: Tensor, residual: Tensor) => Tensor) => {
      const norm = layer();
      const [a, b] = [x.clone(), residual.clone()];
      for (const t of [a, b]) t.requiresGrad = true;
      const y = call(norm, a, b);
      y.backward(g);
      const weight = norm.weight as Tensor;
      return [y, a.grad, b.grad, weight.grad, norm.runningMean, norm.runningVar].map((t) => [
        ...(t as Tensor).dataSync(),
      ]);
    };
    const expected = run((norm, a, b) => norm.forward(a).add(b).relu());
    run((norm, a, b) => norm.forward(a, { residual: b, activation: 'relu' })).forEach((values, i) => {
      expect(values.length).toBe(expected[i].length);
      values.forEach((v, j) => {
        expect(Number(v)).toBeCloseTo(Number(expected[i][j]), 4);
      });
    });
  });

  test('what follows must be known', () => {
    const call = () => new nn.BatchNorm2d(2).forward(ones([2, 2, 3, 3]), { scale: 2 } as never);
    expect(call).toThrow(/^BatchNorm2d: /);
  });

  test('evaluating normalises by the running statistics and leaves them', () => {
    const layer = new nn.BatchNorm1d(1).eval();
    layer.loadStateDict({ runningMean: tensor([3]), runningVar: tensor([4]) }, { strict: false });
    close(layer.forward(tensor([[3], [7]])), [0, 4 / Math.sqrt(4 + 1e-5)]);
    close(layer.runningMean, [3]);
    expect(layer.numBatchesTracked?.itemSync()).toBe(0);
  });

  test('momentum null: the running statistics are means over all batches', () => {
    const layer = new nn.BatchNorm1d(1, { momentum: null });
    layer.forward(tensor([[1], [3]]));
    close(layer.runningMean, [2]);
    close(layer.runningVar, [2]);
    layer.forward(tensor([[5], [9]]));
    close(layer.runningMean, [4.5]);
    close(layer.runningVar, [5]);
  });

  test('without running statistics the batch is used always', () => {
    const layer = new nn.BatchNorm2d(2, { trackRunningStats: false, affine: false });
    expect(layer.stateDict()).toEqual({});
    const x = tensor([1, 2, 3, 4, 5, 6, 7, 8], { shape: [2, 2, 2, 1] });
    const y = layer.forward(x).toArraySync();
    expect(layer.eval().forward(x).toArraySync()).toEqual(y);
  });

  test('running statistics survive tidy, are not part of the graph, and move under noGrad too', () => {
    const layer = new nn.BatchNorm1d(2);
    tidy(() => {
      layer
        .forward(ones([4, 2], { requiresGrad: true }))
        .sum()
        .backward();
    });
    noGrad(() => layer.forward(ones([4, 2])));
    close(layer.runningMean, [0.19, 0.19]);
    expect(layer.runningMean?.requiresGrad).toBe(false);
    expect(layer.numBatchesTracked?.itemSync()).toBe(2);
  });

  test('an error leaves the running statistics as they were', () => {
    const layer = new nn.BatchNorm1d(2);
    expect(() => layer.forward(ones([4, 3]))).toThrow(/batchNorm/i);
    expect(() => layer.forward(ones([1, 2]))).toThrow(/more than one value/);
    expect(layer.numBatchesTracked?.itemSync()).toBe(0);
    expect(layer.runningMean?.toArraySync()).toEqual([0, 0]);
  });

  test('wrong arguments', () => {
    expect(() => new nn.BatchNorm2d(0)).toThrow('BatchNorm2d: numFeatures must be a whole number of 1 or more: 0');
    expect(() => new nn.BatchNorm2d(2, { momentum: 2 })).toThrow(
      'BatchNorm2d: momentum must be a number from 0 to 1: 2',
    );
    expect(() => new nn.BatchNorm2d(2, { eps: -1 })).toThrow('BatchNorm2d: eps must be a number of 0 or more: -1');
    expect(() => new nn.BatchNorm2d(2).forward(ones([4, 2]))).toThrow(
      'BatchNorm2d: the input must be [N, 2, H, W]: [4, 2]',
    );
    expect(() => new nn.BatchNorm1d(2).forward(ones([4, 2, 3, 3]))).toThrow(
      'BatchNorm1d: the input must be [N, 2] or [N, 2, L]: [4, 2, 3, 3]',
    );
  });
});

describe('BatchNorm with a relu', () => {
  const random = (...shape: number[]) => randn(shape, { generator: new Generator(3) });

  test.each([true, false])('is relu of BatchNorm, gradients included; training: %s', (training) => {
    const plain = new nn.BatchNorm2d(3).train(training);
    const fused = new nn.BatchNorm2d(3, { activation: 'relu' }).train(training);
    for (const layer of [plain, fused]) layer.loadStateDict({ bias: tensor([0.3, -0.2, 0]) }, { strict: false });
    const g = random(4, 3, 5, 7);
    const [a, b] = [plain, fused].map((layer) => {
      const x = random(4, 3, 5, 7);
      x.requiresGrad = true;
      const y = layer === plain ? layer.forward(x).relu() : layer.forward(x);
      y.backward(g);
      return [y, x.grad, layer.weight?.grad, layer.bias?.grad, layer.runningVar] as Tensor[];
    });
    a.forEach((t, i) => {
      expect(Math.max(...t.sub(b[i]).abs().dataSync())).toBeLessThan(1e-5);
    });
    expect(a[0].eq(0).sum().itemSync()).toBeGreaterThan(100);
  });

  test('another activation is refused', () => {
    expect(() => new nn.BatchNorm1d(2, { activation: 'gelu' as 'relu' })).toThrow(
      'BatchNorm1d: activation must be \'relu\' or null: "gelu"',
    );
  });
});

describe('GroupNorm, InstanceNorm, RMSNorm', () => {
  const x = tensor([1, 3, 2, 6, 5, 5, 0, 10], { shape: [1, 4, 2] });
  const rounded = (t: Tensor) => Array.from(t.dataSync(), (v) => Number(v.toFixed(4)));

  test('groups of channels have one mean and variance', () => {
    const y = new nn.GroupNorm(2, 4, { eps: 0 }).forward(x);
    // Mean 3 and variance 3.5; mean 5 and variance 12.5.
    const [r, s] = [1 / Math.sqrt(3.5), 1 / Math.sqrt(12.5)];
    expect(rounded(y)).toEqual([-2 * r, 0, -r, 3 * r, 0, 0, -5 * s, 5 * s].map((v) => Number(v.toFixed(4))));
    expect(new nn.GroupNorm(2, 4).weight?.shape).toEqual([4]);
    expect(() => new nn.GroupNorm(3, 4)).toThrow('GroupNorm: numChannels must be a multiple of numGroups: 4 and 3');
    expect(() => new nn.GroupNorm(2, 4).forward(ones([1, 3, 2]))).toThrow(
      'GroupNorm: the input must be [N, 4, ...]: [1, 3, 2]',
    );
  });

  test('each channel of each item has its own', () => {
    const layer = new nn.InstanceNorm1d(4, { eps: 0.25 });
    expect(layer.weight).toBeNull();
    const small = 1 / Math.sqrt(1.25);
    expect(rounded(layer.forward(x)).slice(0, 2)).toEqual([-small, small].map((v) => Number(v.toFixed(4))));
    expect(() => new nn.InstanceNorm2d(4).forward(x)).toThrow(
      'InstanceNorm2d: the input must be [N, 4, H, W]: [1, 4, 2]',
    );
  });

  test('RMSNorm divides by the root of the mean square', () => {
    const layer = new nn.RMSNorm(2);
    expect(rounded(layer.forward(tensor([3, 4])))).toEqual([3, 4].map((v) => Number((v / Math.sqrt(12.5)).toFixed(4))));
    expect(String(new nn.RMSNorm(3, { eps: 1e-3 }))).toBe('RMSNorm(3, { eps: 0.001 })');
    expect(() => new nn.RMSNorm([])).toThrow('RMSNorm: normalizedShape must have at least one size: []');
  });
});

describe('LayerNorm', () => {
  test('LayerNorm normalises the last axes', () => {
    const y = new nn.LayerNorm(2, { eps: 0 }).forward(
      tensor([
        [1, 3],
        [10, 30],
      ]),
    );
    expect(y.toArraySync()).toEqual([
      [-1, 1],
      [-1, 1],
    ]);
    expect(new nn.LayerNorm([2, 3]).weight?.shape).toEqual([2, 3]);
    expect(new nn.LayerNorm(2, { elementwiseAffine: false }).weight).toBeNull();
    expect(new nn.LayerNorm(2, { bias: false }).bias).toBeNull();
    expect(() => new nn.LayerNorm([])).toThrow('LayerNorm: normalizedShape must have at least one size: []');
  });
});
