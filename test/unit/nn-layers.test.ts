import { Generator, manualSeed, nn, ones, type Tensor, tensor } from '../../lib/index.js';

describe('Linear', () => {
  test('computes x Wᵀ + b on the last axis', () => {
    const layer = new nn.Linear(2, 3);
    layer.loadStateDict({
      weight: tensor([
        [1, 2],
        [3, 4],
        [5, 6],
      ]),
      bias: tensor([10, 20, 30]),
    });
    expect(layer.forward(tensor([1, -1])).toArraySync()).toEqual([9, 19, 29]);
    expect(layer.forward(ones([4, 5, 2])).shape).toEqual([4, 5, 3]);
    expect(new nn.Linear(2, 3, { bias: false }).bias).toBeNull();
    expect(new nn.Linear(2, 3, { dtype: 'float64' }).weight.dtype).toBe('float64');
  });

  test('wrong arguments', () => {
    expect(() => new nn.Linear(0, 3)).toThrow('Linear: inFeatures must be a whole number of 1 or more: 0');
    expect(() => new nn.Linear(3, 2.5)).toThrow('Linear: outFeatures must be a whole number of 1 or more: 2.5');
    expect(() => new nn.Linear(3, 2, { bais: true } as never)).toThrow(
      'Linear: there is no option bais; known ones are bias, activation, dtype, device, generator: true',
    );
    expect(() => new nn.Linear(3, 2, { bias: 0 as never })).toThrow('Linear: bias must be true or false: 0');
    expect(() => new nn.Linear(3, 2, true as never)).toThrow('Linear: options must be an object: true');
    expect(() => new nn.Linear(3, 2, { dtype: 'int32' })).toThrow('Linear: dtype must be float32 or float64: "int32"');
    expect(() => new nn.Linear(3, 2, { device: 'tpu' })).toThrow(
      'Linear: device must be "cpu", "cuda" or "cuda:N": "tpu"',
    );
    expect(() => new nn.Linear(3, 2).forward(ones([4]))).toThrow('linear: inner sizes differ');
    expect(() => new nn.Linear(3, 2, { activation: 'swish' as never })).toThrow(
      'Linear: activation must be one of relu, sigmoid, tanh, or null: "swish"',
    );
  });

  test('applies its activation', () => {
    const layer = new nn.Linear(2, 1, { activation: 'relu' });
    layer.loadStateDict({ weight: tensor([[1, 2]]), bias: tensor([1]) });
    expect(
      layer
        .forward(
          tensor([
            [1, 1],
            [-2, -2],
          ]),
        )
        .toArraySync(),
    ).toEqual([[4], [0]]);
    expect(String(layer)).toBe("Linear(2, 1, { activation: 'relu' })");
  });
});

describe('a Linear and the activation behind it in a Sequential', () => {
  class Doubled extends nn.ReLU {
    override forward(x: Tensor): Tensor {
      return super.forward(x).mul(2);
    }
  }
  class Shifted extends nn.Linear {
    override forward(x: Tensor): Tensor {
      return super.forward(x).add(1);
    }
  }

  test.each([
    ['a ReLU', () => new nn.Linear(5, 4), () => new nn.ReLU()],
    ['a Sigmoid', () => new nn.Linear(5, 4, { bias: false }), () => new nn.Sigmoid()],
    ['a Tanh', () => new nn.Linear(5, 4), () => new nn.Tanh()],
    ['a module with a forward of its own', () => new nn.Linear(5, 4), () => new Doubled()],
    ['a layer with a forward of its own', () => new Shifted(5, 4), () => new nn.ReLU()],
    ['a layer that has an activation', () => new nn.Linear(5, 4, { activation: 'tanh' }), () => new nn.Sigmoid()],
  ] as const)('%s gives what both give one after another, gradients too', (_name, makeLayer, makeNext) => {
    const [layer, next] = [makeLayer(), makeNext()];
    const x = tensor([
      [0.5, -1, 2, 0.1, -0.3],
      [1, 1, -2, 0, 3],
    ]);
    const runs = [() => new nn.Sequential(layer, next).forward(x), () => next.forward(layer.forward(x))].map((run) => {
      const y = run();
      y.square().sum().backward();
      const gradient = layer.weight.grad?.toArraySync();
      layer.zeroGrad();
      return { y: y.toArraySync(), gradient };
    });
    expect(runs[0].gradient).toBeDefined();
    expect(runs[0]).toEqual(runs[1]);
  });
});

describe('convolutions', () => {
  test('print as they are constructed', () => {
    expect(String(new nn.Conv2d(1, 6, 5, { padding: 2 }))).toBe('Conv2d(1, 6, 5, { padding: 2 })');
    expect(String(new nn.Conv2d(4, 6, [3, 5], { padding: 'same', groups: 2, bias: false }))).toBe(
      "Conv2d(4, 6, [3, 5], { groups: 2, bias: false, padding: 'same' })",
    );
    expect(String(new nn.ConvTranspose2d(2, 2, 4, { stride: [2, 1], outputPadding: [1, 0] }))).toBe(
      'ConvTranspose2d(2, 2, 4, { stride: [2, 1], outputPadding: [1, 0] })',
    );
  });

  test('wrong arguments', () => {
    expect(() => new nn.Conv2d(3, 4, 0)).toThrow('Conv2d: kernelSize must be a whole number of 1 or more: 0');
    expect(() => new nn.Conv2d(3, 4, [3] as never)).toThrow('Conv2d: kernelSize must be one number or 2 of them: [3]');
    expect(() => new nn.Conv2d(3, 4, 3, { groups: 2 })).toThrow(
      'Conv2d: channels do not divide into 2 groups: 3 to 4 channels',
    );
    expect(() => new nn.Conv2d(3, 4, 3, { padding: -1 })).toThrow(
      'Conv2d: padding must be a whole number of 0 or more: -1',
    );
    expect(() => new nn.Conv2d(3, 4, 3, { padding: 'full' as never })).toThrow('must be "same" or "valid": "full"');
    expect(() => new nn.Conv2d(3, 4, 3, { padding: 'same', stride: 2 })).toThrow(
      'Conv2d: padding "same" needs a stride of 1: stride [2, 2]',
    );
    expect(() => new nn.Conv2d(3, 4, 3, { paddingMode: 'reflect' as never })).toThrow(
      'Conv2d: paddingMode must be "zeros": "reflect"',
    );
    expect(() => new nn.ConvTranspose2d(3, 4, 3, { stride: 2, outputPadding: 2 })).toThrow(
      'ConvTranspose2d: outputPadding must be smaller than stride or dilation: outputPadding [2, 2], stride [2, 2]',
    );
  });
});

describe('Dropout', () => {
  const x = ones([200, 500]);

  test('drops the given share and scales the rest, anew at each call', () => {
    const layer = new nn.Dropout(0.2, { generator: new Generator(1) });
    const y = layer.forward(x).dataSync();
    const dropped = y.filter((v) => v === 0).length;
    // 100,000 draws: σ is 126.
    expect(Math.abs(dropped - 20000)).toBeLessThan(600);
    expect(new Set(y)).toEqual(new Set([0, 1.25]));
    expect(layer.forward(x).dataSync()).not.toEqual(y);
  });

  test('the gradient is dropped and scaled alike', () => {
    const input = ones([50], { requiresGrad: true });
    const y = new nn.Dropout(0.5).forward(input);
    y.sum().backward();
    expect((input.grad as Tensor).toArraySync()).toEqual(y.toArraySync());
  });

  test('follows manualSeed', () => {
    const draw = () => {
      manualSeed(5);
      return new nn.Dropout().forward(ones([20])).toArraySync();
    };
    expect(draw()).toEqual(draw());
  });

  test('evaluating, and p = 0, leave the input as it is; p = 1 leaves nothing', () => {
    expect(new nn.Dropout(0.5).eval().forward(x)).toBe(x);
    expect(new nn.Dropout(0).forward(x).toArraySync()).toEqual(x.toArraySync());
    expect(new nn.Dropout(1).forward(ones([3])).toArraySync()).toEqual([0, 0, 0]);
  });

  test('wrong arguments', () => {
    expect(() => new nn.Dropout(1.5)).toThrow('Dropout: p must be a number from 0 to 1: 1.5');
    expect(() => new nn.Dropout(Number.NaN)).toThrow('Dropout: p must be a number from 0 to 1: NaN');
  });
});
