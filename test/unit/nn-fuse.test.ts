import { manualSeed, models, nn, noGrad, randn, type Tensor } from '../../lib/index.js';

const { BatchNorm1d, BatchNorm2d, Conv1d, Conv2d, Linear, ReLU, Sequential } = nn;

/** Statistics and factors other than the 0 and 1 that norms start with. */
function disturb(model: nn.Module): nn.Module {
  noGrad(() => {
    for (const layer of model.modules()) {
      if (!(layer instanceof BatchNorm1d || layer instanceof BatchNorm2d)) continue;
      for (const t of [layer.weight, layer.bias, layer.runningMean]) t?.add_(randn(t.shape).mul(0.3));
      layer.runningVar?.mul_(randn(layer.runningVar.shape).mul(0.3).exp());
    }
  });
  return model.eval();
}

const worst = (a: Tensor, b: Tensor) => a.sub(b).abs().max().div(b.abs().max()).itemSync();
const norms = (model: nn.Module) => model.modules().filter((m) => m.constructor.name.startsWith('BatchNorm')).length;

const build: Record<string, () => [nn.Module, number[]]> = {
  'a convolution without bias': () => [
    new Sequential(new Conv2d(2, 4, 3, { bias: false }), new BatchNorm2d(4)),
    [2, 2, 5, 5],
  ],
  'a grouped convolution with bias': () => [
    new Sequential(new Conv2d(4, 6, 3, { groups: 2 }), new BatchNorm2d(6, { activation: 'relu' }), new ReLU()),
    [2, 4, 5, 5],
  ],
  'a sequence': () => [new Sequential(new Conv1d(2, 4, 3), new BatchNorm1d(4, { affine: false })), [2, 2, 7]],
  'a linear layer': () => [new Sequential(new Linear(3, 4), new BatchNorm1d(4), new Linear(4, 2)), [5, 3]],
  'a residual network': () => [models.resnet20(), [2, 3, 32, 32]],
  bottlenecks: () => [new models.ResNet(models.Bottleneck, [1, 1, 1, 1], { numClasses: 5 }), [1, 3, 64, 64]],
};

test.each(Object.keys(build))('%s computes the same without its norms', (name) => {
  manualSeed(1);
  const [model, shape] = build[name]();
  disturb(model);
  const x = randn(shape);
  noGrad(() => {
    const before = model.forward(x);
    expect(norms(model)).toBeGreaterThan(0);
    expect(nn.foldBatchNorm(model, x)).toBe(model);
    expect(norms(model)).toBe(0);
    // Each output is a sum of a few thousand products at most, rounded in another order.
    expect(worst(model.forward(x), before)).toBeLessThan(2e-5);
  });
  expect(model.parameters().every((p) => p.requiresGrad)).toBe(true);
});

test('a norm that adds a residual stays as it is', () => {
  class Joined extends nn.Module {
    conv = new Conv2d(2, 2, 1);
    norm = new BatchNorm2d(2);
    forward(x: Tensor): Tensor {
      return this.norm.forward(this.conv.forward(x), { residual: x, activation: 'relu' });
    }
  }
  const model = new Joined().eval();
  const x = randn([2, 2, 3, 3]);
  const before = model.forward(x).toArraySync();
  nn.foldBatchNorm(model, x);
  expect(norms(model)).toBe(1);
  expect(model.forward(x).toArraySync()).toEqual(before);
});

test('what a norm is not the only reader of stays as it is', () => {
  class Both extends nn.Module {
    conv = new Conv2d(2, 2, 1);
    norm = new BatchNorm2d(2);
    forward(x: Tensor): Tensor {
      const y = this.conv.forward(x);
      return this.norm.forward(y).add(y);
    }
  }
  class Shared extends nn.Module {
    conv = new Conv2d(2, 2, 1);
    norm = new BatchNorm2d(2);
    forward(x: Tensor): Tensor {
      return this.norm.forward(this.norm.forward(this.conv.forward(x)));
    }
  }
  const x = randn([1, 2, 3, 3]);
  for (const model of [new Both(), new Shared(), new Sequential(new ReLU(), new BatchNorm2d(2))]) {
    disturb(model);
    const before = model.forward(x).toArraySync();
    nn.foldBatchNorm(model, x);
    expect(norms(model)).toBe(1);
    expect(model.forward(x).toArraySync()).toEqual(before);
  }
});

test('a norm without running statistics stays', () => {
  const model = new Sequential(new Conv2d(2, 2, 1), new BatchNorm2d(2, { trackRunningStats: false })).eval();
  nn.foldBatchNorm(model, randn([2, 2, 3, 3]));
  expect(norms(model)).toBe(1);
});

test('a model that trains, and what is no model', () => {
  const model = new Sequential(new Conv2d(2, 2, 1), new BatchNorm2d(2));
  expect(() => nn.foldBatchNorm(model, randn([2, 2, 3, 3]))).toThrow(
    'foldBatchNorm: statistics change while training; call eval() first: BatchNorm2d',
  );
  expect(() => nn.foldBatchNorm({} as never)).toThrow(/^foldBatchNorm: a module was expected/);
});

const views: Record<string, (y: Tensor) => Tensor> = {
  transposed: (y) => y.transpose(2, 3),
  'with other channels first': (y) => y.transpose(1, 2),
  'turned round': (y) => y.flip([1]),
  'a part': (y) => y.narrow(1, 0, 2),
  'another shape': (y) => y.reshape([2, 2, 8, 4]),
};

test.each(Object.keys(views))('a norm that reads a view of what the layer made stays: %s', (name) => {
  class Viewed extends nn.Module {
    conv = new Conv2d(3, 4, 1);
    norm = new BatchNorm2d(name === 'a part' || name === 'another shape' ? 2 : 4);
    forward(x: Tensor): Tensor {
      return this.norm.forward(views[name](this.conv.forward(x)));
    }
  }
  unchanged(new Viewed(), randn([2, 3, 4, 4]));
});

test('a norm stays where axis 1 is not what the layer makes', () => {
  unchanged(new Sequential(new Linear(4, 5), new BatchNorm1d(5)), randn([7, 5, 4]));
  unchanged(new Sequential(new Conv1d(3, 5, 3, { padding: 1 }), new BatchNorm1d(5)), randn([3, 5]));
});

test('a norm stays where the layer shares its weight', () => {
  const [first, second] = [new Linear(4, 4), new Linear(4, 4)];
  Object.assign(second, { weight: first.weight });
  unchanged(new Sequential(first, new BatchNorm1d(4), second), randn([7, 4]));
});

function unchanged(model: nn.Module<[Tensor], Tensor>, x: Tensor): void {
  disturb(model);
  noGrad(() => {
    const before = model.forward(x);
    nn.foldBatchNorm(model, x);
    expect(norms(model)).toBe(1);
    expect(worst(model.forward(x), before)).toBe(0);
  });
}
