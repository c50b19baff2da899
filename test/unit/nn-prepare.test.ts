import { manualSeed, memory, models, nn, noGrad, randn, type Tensor, zeros } from '../../lib/index.js';
import { runProgram } from '../support/program.js';

const { BatchNorm2d, Conv1d, Conv2d, Identity, Linear, ReLU, Sequential } = nn;

const values = (t: Tensor) => [...t.dataSync()];
const worst = (a: Tensor, b: Tensor) => a.sub(b).abs().max().div(b.abs().max()).itemSync();

/** A layer whose weight is packed, with ones like it whose weight is not. */
function pair(layer: () => nn.Conv2d | nn.Conv1d, x: Tensor) {
  manualSeed(3);
  const plain = layer().eval();
  manualSeed(3);
  const packed = nn.prepareInference(layer().eval(), x);
  return { plain, packed };
}

describe('packed weights', () => {
  const layers: Record<string, [() => nn.Conv2d | nn.Conv1d, number[]]> = {
    '3x3': [() => new Conv2d(5, 40, 3, { padding: 1 }), [2, 5, 9, 30]],
    '3x3 on a small image': [() => new Conv2d(70, 130, 3, { padding: 1, bias: false }), [1, 70, 7, 7]],
    strided: [() => new Conv2d(3, 64, 7, { stride: 2, padding: 3 }), [1, 3, 33, 35]],
    '1x1 with relu': [() => new Conv2d(33, 48, 1, { activation: 'relu' }), [1, 33, 6, 5]],
    grouped: [() => new Conv2d(8, 80, 3, { groups: 2, dilation: 2 }), [1, 8, 9, 9]],
    depthwise: [() => new Conv2d(6, 6, 3, { groups: 6 }), [1, 6, 9, 9]],
    'few channels': [() => new Conv2d(4, 3, 3), [1, 4, 9, 9]],
    'one image': [() => new Conv2d(4, 30, 3), [4, 9, 9]],
    'one dimension': [() => new Conv1d(6, 50, 5, { padding: 2, activation: 'relu' }), [2, 6, 21]],
    float64: [() => new Conv2d(4, 30, 3, { dtype: 'float64' }), [1, 4, 9, 9]],
  };

  test.each(Object.keys(layers))('%s: the same numbers', (name) => {
    const [layer, shape] = layers[name];
    const x = randn(shape).cast(name === 'float64' ? 'float64' : 'float32');
    const { plain, packed } = pair(layer, x);
    expect(packed.packs).toBe(true);
    noGrad(() => {
      expect(values(packed.forward(x))).toEqual(values(plain.forward(x)));
      expect(values(packed.forward(x))).toEqual(values(plain.forward(x)));
    });
  });

  test.each([
    [5, 8, 40],
    [2, 300, 33],
    [200, 700, 70],
    [64, 1100, 500],
  ])('a linear layer, %i rows of %i to %i', (rows, inputs, outputs) => {
    for (const dtype of ['float32', 'float64'] as const) {
      const layer = new Linear(inputs, outputs, { dtype, activation: 'tanh' }).eval();
      const x = randn([rows, inputs]).cast(dtype);
      noGrad(() => {
        const before = layer.forward(x);
        nn.prepareInference(layer, x);
        for (let i = 0; i < 2; i++) expect(worst(layer.forward(x), before)).toBeLessThan(2e-6);
        const row = x.slice({ end: 1 });
        expect(worst(layer.forward(row), before.slice({ end: 1 }))).toBeLessThan(2e-6);
        layer.weight.mul_(0.5);
        const after = x
          .matmul(layer.weight.transpose(0, 1))
          .add(layer.bias as Tensor)
          .tanh();
        expect(worst(layer.forward(x), after)).toBeLessThan(2e-6);
      });
    }
  });

  test('rows of another length, for which panels are cut in another way', () => {
    const small = randn([1, 40, 5, 6]);
    const { plain, packed } = pair(() => new Conv2d(40, 100, 3, { padding: 1 }), small);
    noGrad(() => {
      for (const x of [small, randn([1, 40, 6, 30])])
        expect(worst(packed.forward(x), plain.forward(x))).toBeLessThan(1e-6);
    });
  });

  test('a weight that is written to is packed anew', () => {
    const x = randn([1, 4, 8, 8]);
    const { plain, packed } = pair(() => new Conv2d(4, 20, 3), x);
    noGrad(() => {
      packed.forward(x);
      for (const change of [
        (c: nn.Conv2d | nn.Conv1d) => c.weight.mul_(2),
        (c: nn.Conv2d | nn.Conv1d) => c.weight.slice({ end: 1 }).fill_(0.5),
        (c: nn.Conv2d | nn.Conv1d) => c.loadStateDict({ weight: zeros(c.weight.shape).add(1), bias: zeros([20]) }),
      ]) {
        change(plain);
        change(packed);
        expect(values(packed.forward(x))).toEqual(values(plain.forward(x)));
      }
      plain.to('float64');
      packed.to('float64');
      const exact = x.cast('float64');
      expect(values(packed.forward(exact))).toEqual(values(plain.forward(exact)));
    });
  });

  test('are counted, and freed with the weight', () => {
    const x = randn([1, 4, 8, 8]);
    const layer = new Conv2d(4, 32, 3, { bias: false }).eval();
    nn.prepareInference(layer, x);
    const before = memory();
    const again = new Conv2d(4, 32, 3, { bias: false }).eval();
    again.packs = true;
    noGrad(() => again.forward(x).dispose());
    const held = memory();
    expect(held.buffers - before.buffers).toBe(2);
    expect(held.bytes - before.bytes).toBeGreaterThanOrEqual(2 * 4 * again.weight.size);
    again.weight.dispose();
    expect(memory().buffers).toBe(before.buffers);
    expect(() => again.forward(x)).toThrow('the tensor was disposed of');
  });

  test('stay out of the state dict and of tidy', () => {
    const layer = new Conv2d(2, 20, 3).eval();
    const x = randn([1, 2, 6, 6]);
    const names = Object.keys(layer.stateDict());
    nn.prepareInference(layer, x);
    const first = noGrad(() => values(layer.forward(x)));
    expect(Object.keys(layer.stateDict())).toEqual(names);
    expect(noGrad(() => values(layer.forward(x)))).toEqual(first);
  });

  test('serve gradients too', () => {
    const x = randn([1, 3, 6, 6]);
    const { plain, packed } = pair(() => new Conv2d(3, 20, 3, { activation: 'relu' }), x);
    for (const layer of [plain, packed]) layer.forward(x).square().sum().backward();
    for (const name of ['weight', 'bias'] as const) {
      expect(worst(packed[name]?.grad as Tensor, plain[name]?.grad as Tensor)).toBeLessThan(1e-6);
    }
  });

  test('in worker threads', async () => {
    const { own, others } = await runProgram<{ own: number[]; others: number[][] }>(
      'unit/programs/prepared-workers.ts',
      [3],
    );
    expect(own).toHaveLength(40 * 144);
    expect(others).toEqual([own, own, own]);
  });
});

describe('prepareInference', () => {
  const build: Record<string, () => [nn.Module, number[]]> = {
    'a residual network': () => [models.resnet20(), [2, 3, 32, 32]],
    bottlenecks: () => [new models.ResNet(models.Bottleneck, [1, 1, 1, 1], { numClasses: 5 }), [1, 3, 64, 64]],
    'a perceptron': () => [new Sequential(new Linear(8, 40), new ReLU(), new Linear(40, 3)), [5, 8]],
    'a sequence of layers': () => [
      new Sequential(new Conv2d(3, 20, 3), new BatchNorm2d(20), new ReLU(), new Conv2d(20, 20, 3), new ReLU()),
      [1, 3, 12, 12],
    ],
  };

  test.each(Object.keys(build))('%s computes the same', (name) => {
    manualSeed(1);
    const [model, shape] = build[name]();
    model.eval();
    const x = randn(shape);
    noGrad(() => {
      const before = model.forward(x);
      expect(nn.prepareInference(model, x)).toBe(model);
      expect(worst(model.forward(x), before)).toBeLessThan(2e-5);
    });
    expect(model.modules().some((m) => m instanceof BatchNorm2d || m instanceof ReLU)).toBe(false);
  });

  test('relu becomes part of the layer that it alone reads', () => {
    const model = new Sequential(new Conv2d(1, 2, 3), new ReLU(), new Linear(4, 4), new ReLU()).eval();
    nn.prepareInference(model, randn([1, 1, 6, 6]));
    expect(String(model)).toContain("Conv2d(1, 2, 3, { activation: 'relu' })");
    expect(model[1]).toBeInstanceOf(Identity);
    expect((model[2] as nn.Linear).activation).toBe('relu');
  });

  test('what others read too stays as it is', () => {
    class Net extends nn.Module<[x: Tensor], Tensor[]> {
      conv = new Conv2d(2, 2, 1);
      relu = new ReLU();
      forward(x: Tensor): Tensor[] {
        const y = this.conv.forward(x);
        return [y, this.relu.forward(y)];
      }
    }
    const model = new Net().eval();
    const x = randn([1, 2, 3, 3]);
    const before = model.forward(x).map(values);
    nn.prepareInference(model, x);
    expect(model.conv.activation).toBeNull();
    expect(model.forward(x).map(values)).toEqual(before);
  });

  test('a norm behind an activation is not folded', () => {
    const model = new Sequential(new Conv2d(2, 3, 1, { activation: 'relu' }), new BatchNorm2d(3)).eval();
    const x = randn([1, 2, 4, 4]);
    noGrad(() => (model[1] as nn.BatchNorm2d).runningMean?.fill_(0.3));
    const before = values(model.forward(x));
    nn.prepareInference(model, x);
    expect(model[1]).toBeInstanceOf(BatchNorm2d);
    expect(values(model.forward(x))).toEqual(before);
  });

  test('refuses a model that trains, and what is no model', () => {
    expect(() => nn.prepareInference(new Conv2d(1, 1, 1), randn([1, 1, 2, 2]))).toThrow(
      /^prepareInference: .*eval\(\)/,
    );
    expect(() => nn.prepareInference({} as never)).toThrow(/^prepareInference: a module was expected/);
  });
});
