import { Generator, nn, type Tensor, tensor, zeros } from '../../lib/index.js';

const { init } = nn;

/** Mean, variance and extremes of a tensor's values. */
function statistics(t: Tensor) {
  const values = Array.from(t.dataSync());
  const mean = values.reduce((s, v) => s + v, 0) / values.length;
  const variance = values.reduce((s, v) => s + (v - mean) ** 2, 0) / values.length;
  return { mean, variance, low: Math.min(...values), high: Math.max(...values) };
}

// 40,000 draws: the variance of a sample is off by about 1 % (normal: √(2 / n) = 0.7 %, uniform: √(0.8 / n) = 0.4 %),
// its mean by σ / 200. Bounds of five times that fail once in a million seeds, and this seed is fixed.
const draws = () => zeros([100, 400]);
const seeded = () => ({ generator: new Generator(7) });

function expectUniform(t: Tensor, bound: number): void {
  const { mean, variance, low, high } = statistics(t);
  expect(low).toBeGreaterThanOrEqual(-bound);
  expect(high).toBeLessThanOrEqual(bound);
  expect(high - low).toBeGreaterThan(1.99 * bound);
  expect(Math.abs(mean)).toBeLessThan((bound / Math.sqrt(3) / 200) * 5);
  expect(Math.abs(variance / (bound ** 2 / 3) - 1)).toBeLessThan(0.02);
}

function expectNormal(t: Tensor, std: number): void {
  const { mean, variance, high } = statistics(t);
  expect(Math.abs(mean)).toBeLessThan((std / 200) * 5);
  expect(Math.abs(variance / std ** 2 - 1)).toBeLessThan(0.035);
  expect(high).toBeGreaterThan(3 * std);
}

describe('distributions', () => {
  test('uniform_ and normal_', () => {
    const { mean, low, high } = statistics(init.uniform_(draws(), { low: 2, high: 6, ...seeded() }));
    expect(mean).toBeCloseTo(4, 1);
    expect([low >= 2, high < 6, high - low > 3.99]).toEqual([true, true, true]);
    const shifted = statistics(init.normal_(draws(), { mean: 3, std: 0.5, ...seeded() }));
    expect(shifted.mean).toBeCloseTo(3, 1);
    expect(Math.abs(shifted.variance / 0.25 - 1)).toBeLessThan(0.035);
  });

  test('xavier: gain √(2 / (fanIn + fanOut))', () => {
    expectUniform(init.xavierUniform_(draws(), seeded()), Math.sqrt(6 / 500));
    expectNormal(init.xavierNormal_(draws(), { gain: 2, ...seeded() }), 2 * Math.sqrt(2 / 500));
  });

  test('kaiming: gain / √fan', () => {
    expectUniform(init.kaimingUniform_(draws(), seeded()), Math.sqrt(6 / 400));
    expectUniform(init.kaimingUniform_(draws(), { a: Math.sqrt(5), ...seeded() }), 1 / Math.sqrt(400));
    expectNormal(
      init.kaimingNormal_(draws(), { mode: 'fanOut', nonlinearity: 'relu', ...seeded() }),
      Math.sqrt(2 / 100),
    );
  });

  test('kernels count towards the fans', () => {
    expect(init.calculateFans(zeros([8, 3, 5, 2]))).toEqual({ fanIn: 30, fanOut: 80 });
    expectUniform(init.kaimingUniform_(zeros([50, 8, 10, 10]), seeded()), Math.sqrt(6 / 800));
  });

  test('constants', () => {
    const t = zeros([2]);
    expect(init.constant_(t, 1.5)).toBe(t);
    expect(t.toArraySync()).toEqual([1.5, 1.5]);
    expect(init.ones_(t).toArraySync()).toEqual([1, 1]);
    expect(init.zeros_(t).toArraySync()).toEqual([0, 0]);
  });

  test('gains', () => {
    expect(init.calculateGain('linear')).toBe(1);
    expect(init.calculateGain('sigmoid')).toBe(1);
    expect(init.calculateGain('tanh')).toBe(5 / 3);
    expect(init.calculateGain('relu')).toBe(Math.SQRT2);
    expect(init.calculateGain('leakyRelu', 0.2)).toBeCloseTo(Math.sqrt(2 / 1.04), 14);
    expect(init.calculateGain('selu')).toBe(0.75);
  });

  test('the same generator seed gives the same values, parameters are written in place', () => {
    const a = nn.parameter(zeros([5]));
    const b = init.normal_(zeros([5]), { generator: new Generator(3) });
    init.normal_(a, { generator: new Generator(3) });
    expect(a.toArraySync()).toEqual(b.toArraySync());
    expect(a.requiresGrad).toBe(true);
    expect(init.normal_(zeros([5]), { generator: new Generator(4) }).toArraySync()).not.toEqual(b.toArraySync());
  });
});

describe('what layers start from', () => {
  test('Linear: weight and bias uniform in ±1 / √in', () => {
    const layer = new nn.Linear(400, 100, seeded());
    expectUniform(layer.weight, 1 / 20);
    const { low, high } = statistics(layer.bias as Tensor);
    expect([low >= -1 / 20, high <= 1 / 20, high - low > 0.09]).toEqual([true, true, true]);
  });

  test('Conv2d: weight and bias uniform in ±1 / √(in / groups * kernel)', () => {
    const layer = new nn.Conv2d(32, 100, [4, 5], { groups: 2, ...seeded() });
    expect(layer.weight.shape).toEqual([100, 16, 4, 5]);
    expectUniform(layer.weight, 1 / Math.sqrt(320));
    expect(Math.max(...(layer.bias as Tensor).dataSync().map(Math.abs))).toBeLessThanOrEqual(1 / Math.sqrt(320));
  });

  test('ConvTranspose2d: fanIn is out / groups * kernel', () => {
    const layer = new nn.ConvTranspose2d(100, 32, [4, 5], { groups: 2, ...seeded() });
    expect(layer.weight.shape).toEqual([100, 16, 4, 5]);
    expectUniform(layer.weight, 1 / Math.sqrt(320));
  });

  test('Embedding: normal, the padding row 0', () => {
    const layer = new nn.Embedding(100, 400, { paddingIdx: 3, ...seeded() });
    expect(Array.from(layer.weight.select(0, 3).dataSync())).toEqual(new Array(400).fill(0));
    expectNormal(new nn.Embedding(100, 400, seeded()).weight, 1);
  });

  test('norms: weight 1, bias 0', () => {
    const layer = new nn.BatchNorm2d(3);
    expect(Object.values(layer.stateDict()).map((t) => t.toArraySync())).toEqual([
      [1, 1, 1],
      [0, 0, 0],
      [0, 0, 0],
      [1, 1, 1],
      0,
    ]);
    expect(Object.keys(layer.stateDict())).toEqual([
      'weight',
      'bias',
      'runningMean',
      'runningVar',
      'numBatchesTracked',
    ]);
  });
});

describe('wrong arguments', () => {
  test('each is refused with what was given', () => {
    const t = zeros([2, 2]);
    expect(() => init.kaimingUniform_(zeros([3]))).toThrow(
      'calculateFans: a weight has at least two axes: [out, in, ...kernel]: [3] float32',
    );
    expect(() => init.xavierNormal_(zeros([3, 0]))).toThrow('xavierNormal_: the weight is empty: [3, 0]');
    expect(() => init.uniform_(t, { low: 1, high: 0 })).toThrow('uniform_: high must be a number of 1 or more: 0');
    expect(() => init.normal_(t, { std: -1 })).toThrow('normal_: std must be a number of 0 or more: -1');
    expect(() => init.normal_(t, { sigma: 1 } as never)).toThrow(
      'normal_: there is no option sigma; known ones are mean, std, generator: 1',
    );
    expect(() => init.kaimingNormal_(t, { mode: 'in' as never })).toThrow(
      'kaimingNormal_: mode must be "fanIn" or "fanOut": "in"',
    );
    expect(() => init.calculateGain('swish' as never)).toThrow('calculateGain: nonlinearity must be');
    expect(() => init.zeros_(tensor([1], { dtype: 'int32' }))).toThrow(
      'zeros_: a float tensor was expected: [1] int32',
    );
    expect(() => init.zeros_([0] as never)).toThrow('zeros_: a tensor was expected: [0]');
  });
});
