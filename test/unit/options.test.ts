// Trailing options: a name that is none is an error wherever they are taken, and an undefined one counts as not given.
import * as athanor from '../../lib/index.js';
import {
  AthanorError,
  arange,
  batchSweep,
  DataLoader,
  loadMnist,
  manualSeed,
  measureMachine,
  mnistPlaces,
  nn,
  ones,
  optim,
  profile,
  randn,
  roofline,
  saveSafetensors,
  syntheticDigits,
  TensorDataset,
  tensor,
  zeros,
} from '../../lib/index.js';
import { withDefaults } from '../../lib/options.js';

const any = (value: unknown) => value as never;
const x = () => ones([2, 3]);
const image = ones([1, 2, 4, 4]);
const square = ones([3, 3], { requiresGrad: true });
const heads = ones([1, 2, 3, 4]);
const layer = new nn.Linear(2, 2);
const sgd = () => new optim.SGD(layer.parameters(), { lr: 1, momentum: 0.9 });
const dataset = () => new TensorDataset(arange(4));
const machine = { flops: 1e9, bandwidth: 1e9 };
const ids = tensor([0, 1], { dtype: 'int32' });
const typed = athanor as unknown as Record<string, (...args: unknown[]) => unknown>;

/** The name that the message begins with, and the call with options that hold one that there is not. */
const calls: readonly (readonly [name: string, call: (options: never) => unknown])[] = [
  ...['sum', 'mean', 'prod', 'max', 'min', 'argmax', 'argmin', 'variance', 'std', 'norm', 'logSumExp'].map(
    (name) => [name, (o: never) => typed[name](x(), 1, o)] as const,
  ),
  ...['any', 'all'].map((name) => [name, (o: never) => typed[name](x().gt(0), 1, o)] as const),
  ...['gelu', 'leakyRelu', 'elu', 'softplus', 'dropout', 'clamp'].map(
    (name) => [name, (o: never) => typed[name](x(), o)] as const,
  ),
  ...['mseLoss', 'l1Loss', 'binaryCrossEntropyWithLogits'].map(
    (name) => [name, (o: never) => typed[name](x(), x(), o)] as const,
  ),
  ...['crossEntropy', 'nllLoss'].map((name) => [name, (o: never) => typed[name](x(), ids, o)] as const),
  ...['zeros', 'ones', 'rand', 'randn', 'uniform', 'normal', 'bernoulli'].map(
    (name) => [name, (o: never) => typed[name]([2], o)] as const,
  ),
  ...['zerosLike', 'onesLike'].map((name) => [name, (o: never) => typed[name](x(), o)] as const),
  ['tensor', (o) => tensor([1], o)],
  ['tensor', (o) => tensor(Float32Array.of(1), o)],
  ['full', (o) => athanor.full([2], 1, o)],
  ['arange', (o) => arange(0, 3, o)],
  ['arange', (o) => arange(3, o)],
  ['linspace', (o) => athanor.linspace(0, 1, 3, o)],
  ['eye', (o) => athanor.eye(2, 2, o)],
  ['randint', (o) => athanor.randint(0, 2, [3], o)],
  ['permutation', (o) => athanor.permutation(3, o)],
  ['clamp_', (o) => x().clamp_(o)],
  ['slice', (o) => x().slice(o)],
  ['pad', (o) => athanor.pad(x(), [1, 1], o)],
  ['oneHot', (o) => athanor.oneHot(ids, 3, o)],
  ['embedding', (o) => athanor.embedding(x(), ids, o)],
  ['linear', (o) => athanor.linear(square, square, null, o)],
  ...['matmul', 'mm'].map((name) => [name, (o: never) => typed[name](square, square, o)] as const),
  ['bmm', (o) => athanor.bmm(ones([1, 2, 2]), ones([1, 2, 2]), o)],
  ['conv1d', (o) => athanor.conv1d(ones([1, 2, 4]), ones([2, 2, 1]), null, o)],
  ['conv2d', (o) => athanor.conv2d(image, ones([2, 2, 1, 1]), null, o)],
  ['convTranspose1d', (o) => athanor.convTranspose1d(ones([1, 2, 4]), ones([2, 2, 1]), null, o)],
  ['convTranspose2d', (o) => athanor.convTranspose2d(image, ones([2, 2, 1, 1]), null, o)],
  ['maxPool2d', (o) => athanor.maxPool2d(image, 2, o)],
  ['avgPool2d', (o) => athanor.avgPool2d(image, 2, o)],
  ['batchNorm', (o) => athanor.batchNorm(x(), zeros([3]), ones([3]), null, null, o)],
  ['layerNorm', (o) => athanor.layerNorm(x(), 3, null, null, o)],
  ['rmsNorm', (o) => athanor.rmsNorm(x(), 3, null, o)],
  ['groupNorm', (o) => athanor.groupNorm(image, 1, null, null, o)],
  ['instanceNorm', (o) => athanor.instanceNorm(image, null, null, o)],
  ['scaledDotProductAttention', (o) => athanor.scaledDotProductAttention(heads, heads, heads, o)],
  ['backward', (o) => square.sum().backward(undefined, o)],
  ['grad', (o) => athanor.grad(square.sum(), [square], o)],
  ['vjp', (o) => athanor.vjp((t) => t.sum(), x(), undefined, o)],
  ['jvp', (o) => athanor.jvp((t) => t.sum(), x(), x(), o)],
  ['hvp', (o) => athanor.hvp((t) => t.sum(), x(), x(), o)],
  ['jacobian', (o) => athanor.jacobian((t) => t.sum(), x(), o)],
  ['hessian', (o) => athanor.hessian((t) => t.sum(), x(), o)],
  ['gradcheck', (o) => athanor.gradcheck((t) => t.sum(), [square], o)],
  ['gradgradcheck', (o) => athanor.gradgradcheck((t) => t.sum(), [square], o)],
  ['SGD', (o) => new optim.SGD(layer.parameters(), o)],
  ['Adam', (o) => new optim.Adam(layer.parameters(), o)],
  ['SGD', (o: object) => sgd().addParamGroup({ params: [square], ...o })],
  ['SGD.zeroGrad', (o) => sgd().zeroGrad(o)],
  ['clipGradNorm_', (o) => optim.clipGradNorm_(layer.parameters(), 1, o)],
  ['StepLR', (o: object) => new optim.StepLR(sgd(), { stepSize: 1, ...o })],
  ['MultiStepLR', (o: object) => new optim.MultiStepLR(sgd(), { milestones: [1], ...o })],
  ['ExponentialLR', (o: object) => new optim.ExponentialLR(sgd(), { gamma: 1, ...o })],
  ['CosineAnnealingLR', (o: object) => new optim.CosineAnnealingLR(sgd(), { tMax: 1, ...o })],
  ['LinearLR', (o) => new optim.LinearLR(sgd(), o)],
  ['LambdaLR', (o: object) => new optim.LambdaLR(sgd(), { lrLambda: () => 1, ...o })],
  ['SequentialLR', (o: object) => new optim.SequentialLR(sgd(), { schedulers: [], milestones: [], ...o })],
  ['OneCycleLR', (o: object) => new optim.OneCycleLR(sgd(), { maxLr: 1, totalSteps: 5, ...o })],
  ['ReduceLROnPlateau', (o) => new optim.ReduceLROnPlateau(sgd(), o)],
  ['DataLoader', (o) => new DataLoader(dataset(), o)],
  ['parameter', (o) => nn.parameter(x(), o)],
  ['buffer', (o) => nn.buffer(x(), o)],
  ['loadStateDict', (o) => layer.loadStateDict(layer.stateDict(), o)],
  ['roofline', (o: object) => roofline({ flops: 1, bytes: 1, machine, ...o })],
  ['profile', (o) => profile(() => undefined, o)],
  ['measureMachine', (o) => measureMachine(o)],
  ['batchSweep', (o) => batchSweep(layer, (batch) => randn([batch, 2]), o)],
  ['mnistPlaces', (o) => mnistPlaces(o)],
  ['loadMnist', (o) => loadMnist(o)],
  ['syntheticDigits', (o) => syntheticDigits(o)],
  ['saveSafetensors', (o) => saveSafetensors('/nowhere/x', {}, o)],
];

/** What a call throws or rejects with. */
async function failureOf(call: () => unknown): Promise<unknown> {
  try {
    await call();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('an option that there is not', () => {
  test.each(calls.map(([name, call], i) => ({ name, call, i })))(
    'is an error of $name ($i)',
    async ({ name, call }) => {
      const error = await failureOf(() => call(any({ label_smoothing: 0.5 })));
      expect(error).toBeInstanceOf(AthanorError);
      expect((error as Error).message).toMatch(
        new RegExp(`^${name}: there is no option label_smoothing; known ones are \\w+.*: 0.5$`),
      );
    },
  );

  test('says which there are', () => {
    expect(() => x().sum(1, any({ keepdim: true }))).toThrow(
      'sum: there is no option keepdim; known ones are keepDims, dtype: true',
    );
    expect(() => tensor([1], any({ requires_grad: true }))).toThrow(
      'tensor: there is no option requires_grad; known ones are dtype, device, requiresGrad, shape: true',
    );
  });

  test('is one when it is inherited too', () => {
    expect(() => x().sum(1, Object.create({ keepdim: true }))).toThrow('sum: there is no option keepdim');
  });
});

describe('what is no object of options', () => {
  test.each([1, true, 'x', null, [[1]], () => 1].map((given) => ({ given })))('$given', ({ given }) => {
    expect(() => x().sum(1, any(given))).toThrow(/^sum: options must be an object: /);
    expect(() => optim.clipGradNorm_(layer.parameters(), 1, any(given))).toThrow(
      /^clipGradNorm_: options must be an object: /,
    );
    expect(() => x().clamp(any(given))).toThrow(/^clamp: options must be an object: /);
    expect(() => new optim.StepLR(sgd(), any(given))).toThrow(/^StepLR: options must be an object: /);
  });
});

describe('flags', () => {
  const wrong: readonly (readonly [call: () => unknown, message: string])[] = [
    [() => tensor([1], any({ requiresGrad: 'no' })), 'tensor: requiresGrad must be true or false: "no"'],
    [() => new DataLoader(dataset(), any({ shuffle: 'no' })), 'DataLoader: shuffle must be true or false: "no"'],
    [() => new DataLoader(dataset(), any({ dropLast: 'x' })), 'DataLoader: dropLast must be true or false: "x"'],
    [() => layer.loadStateDict({}, any({ strict: 0 })), 'loadStateDict: strict must be true or false: 0'],
    [() => nn.parameter(x(), any({ requiresGrad: 1 })), 'parameter: requiresGrad must be true or false: 1'],
    [() => sgd().zeroGrad(any({ setToNone: 0 })), 'SGD.zeroGrad: setToNone must be true or false: 0'],
  ];
  test.each(wrong)('%s', (call, message) => expect(call).toThrow(message));
});

describe('an option that is undefined counts as not given', () => {
  /** Every option undefined, among them some that the constructors read with a spread. */
  const nothing = (...names: string[]) => any(Object.fromEntries(names.map((name) => [name, undefined])));

  const constructors: readonly (readonly [name: string, make: (options?: never) => unknown, options: never])[] = [
    ['LSTM', (o) => new nn.LSTM(2, 3, o), nothing('numLayers', 'bias', 'batchFirst', 'dropout', 'bidirectional')],
    ['GRU', (o) => new nn.GRU(2, 3, o), nothing('numLayers', 'bias', 'generator')],
    ['LSTMCell', (o) => new nn.LSTMCell(2, 3, o), nothing('bias', 'dtype')],
    [
      'BatchNorm1d',
      (o) => new nn.BatchNorm1d(2, o),
      nothing('eps', 'momentum', 'affine', 'trackRunningStats', 'activation'),
    ],
    ['MultiheadAttention', (o) => new nn.MultiheadAttention(4, 2, o), nothing('dropout', 'bias', 'batchFirst')],
    [
      'TransformerEncoderLayer',
      (o) => new nn.TransformerEncoderLayer(4, 2, o),
      nothing('dimFeedforward', 'dropout', 'activation', 'layerNormEps', 'batchFirst', 'normFirst', 'bias'),
    ],
    ['Embedding', (o) => new nn.Embedding(4, 2, o), nothing('paddingIdx')],
    ['Linear', (o) => new nn.Linear(4, 2, o), nothing('bias', 'activation')],
    ['Conv2d', (o) => new nn.Conv2d(4, 2, 1, o), nothing('bias', 'stride', 'padding', 'groups', 'dilation')],
  ];
  test.each(constructors)('of %s', (_name, make, options) => expect(String(make(options))).toBe(String(make())));

  test('of optimizers and schedules', () => {
    expect(new optim.Adam([square], { lr: 1, betas: undefined }).paramGroups[0].betas).toEqual([0.9, 0.999]);
    const rates = (options: object) => {
      const optimizer = sgd();
      const cycle = new optim.OneCycleLR(optimizer, { maxLr: 1, totalSteps: 5, ...options });
      const rates = [optimizer.lr];
      for (let i = 1; i < 4; i++) {
        cycle.step();
        rates.push(optimizer.lr);
      }
      return rates;
    };
    expect(rates({ pctStart: undefined, annealStrategy: undefined, cycleMomentum: undefined })).toEqual(rates({}));
    const optimizer = sgd();
    const plateau = new optim.ReduceLROnPlateau(optimizer, { factor: undefined, mode: undefined, patience: 0 });
    plateau.step(1);
    plateau.step(1);
    expect(optimizer.lr).toBeCloseTo(0.1);
  });

  test('of gradcheck and of tensors like others', () => {
    const y = ones([2], { dtype: 'float64', requiresGrad: true });
    expect(athanor.gradcheck((t) => t.square(), [y], { eps: undefined, samples: undefined })).toBe(true);
    expect(athanor.zerosLike(y, { dtype: undefined }).dtype).toBe('float64');
  });

  test('of a call of attention', () => {
    manualSeed(1);
    const attention = new nn.MultiheadAttention(4, 2);
    const input = randn([3, 1, 4]);
    const [expected, expectedWeights] = attention.forward(input, input, input);
    const options = nothing('needWeights', 'averageAttnWeights', 'isCausal', 'attnMask', 'keyPaddingMask');
    const [out, weights] = attention.forward(input, input, input, options);
    expect(out.toArraySync()).toEqual(expected.toArraySync());
    expect(weights?.toArraySync()).toEqual(expectedWeights?.toArraySync());
  });

  test('null does not', () => {
    expect(withDefaults({ a: 1, b: 2 }, { a: null, b: undefined })).toEqual({ a: null, b: 2 });
  });
});

describe('flags of a call of attention', () => {
  const attention = new nn.MultiheadAttention(4, 2);
  const block = new nn.TransformerEncoderLayer(4, 2);
  const input = ones([3, 1, 4]);
  test.each(['isCausal', 'needWeights', 'averageAttnWeights'])('%s must be one', (flag) => {
    expect(() => attention.forward(input, input, input, any({ [flag]: 'false' }))).toThrow(
      `MultiheadAttention: ${flag} must be true or false: "false"`,
    );
  });
  test('in a transformer too', () => {
    expect(() => block.forward(input, any({ isCausal: 'false' }))).toThrow(
      'TransformerEncoderLayer: isCausal must be true or false: "false"',
    );
    expect(block.forward(input, any({ isCausal: undefined, srcMask: undefined })).shape).toEqual([3, 1, 4]);
  });
});

describe('null where there is nothing', () => {
  test('no padding row', () => {
    const plain = new nn.Embedding(4, 2, { paddingIdx: null });
    expect(plain.paddingIdx).toBeNull();
    expect(plain.forward(ids).shape).toEqual([2, 2]);
    expect(athanor.embedding(plain.weight, ids, { paddingIdx: null }).requiresGrad).toBe(true);
  });

  test('no state: zeros', () => {
    const input = ones([3, 1, 2]);
    for (const net of [new nn.LSTM(2, 3), new nn.GRU(2, 3), new nn.RNN(2, 3)]) {
      expect(net.forward(input, null)[0].toArraySync()).toEqual(net.forward(input)[0].toArraySync());
    }
    for (const cell of [new nn.GRUCell(2, 3), new nn.RNNCell(2, 3)]) {
      expect(cell.forward(ones([1, 2]), null).toArraySync()).toEqual(cell.forward(ones([1, 2])).toArraySync());
    }
    const cell = new nn.LSTMCell(2, 3);
    expect(cell.forward(ones([1, 2]), null)[1].toArraySync()).toEqual(cell.forward(ones([1, 2]))[1].toArraySync());
  });
});
