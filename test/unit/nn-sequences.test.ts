import { grad, manualSeed, nn, randn, scaledDotProductAttention, type Tensor, tensor, zeros } from '../../lib/index.js';

const worst = (a: Tensor, b: Tensor) => a.sub(b).abs().max().itemSync();
/** float32 sums of a few dozen numbers of size 1. */
const rounding = 2e-6;

beforeEach(() => {
  manualSeed(3);
});

describe('recurrent layers', () => {
  test("parameters have PyTorch's names", () => {
    const names = new nn.LSTM(3, 4, { numLayers: 2, bidirectional: true }).namedParameters().map(([name]) => name);
    expect(names).toHaveLength(16);
    expect(names.slice(0, 5)).toEqual(['weightIhL0', 'weightHhL0', 'biasIhL0', 'biasHhL0', 'weightIhL0Reverse']);
    expect(names[15]).toBe('biasHhL1Reverse');
    const shapes = new nn.GRU(3, 4, { numLayers: 2, bias: false }).namedParameters().map(([, p]) => p.shape);
    expect(shapes).toEqual([
      [12, 3],
      [12, 4],
      [12, 4],
      [12, 4],
    ]);
  });

  test('are drawn within 1/sqrt(hidden), from the generator that is given', () => {
    const high = new nn.RNN(3, 16).parameters().map((p) => p.abs().max().itemSync());
    for (const top of high) expect(top).toBeLessThanOrEqual(0.25);
    manualSeed(5);
    const [a] = new nn.GRU(2, 2).parameters();
    manualSeed(5);
    const [b] = new nn.GRU(2, 2).parameters();
    expect(a.toArraySync()).toEqual(b.toArraySync());
  });

  test('print as they would be constructed', () => {
    expect(String(new nn.LSTM(3, 4, { numLayers: 2, batchFirst: true }))).toBe(
      'LSTM(3, 4, { numLayers: 2, batchFirst: true })',
    );
    expect(String(new nn.RNN(3, 4, { nonlinearity: 'relu' }))).toBe("RNN(3, 4, { nonlinearity: 'relu' })");
    expect(String(new nn.GRUCell(3, 4, { bias: false }))).toBe('GRUCell(3, 4, { bias: false })');
  });

  test('a layer is its cell step by step', () => {
    const layer = new nn.LSTM(3, 5);
    const cell = new nn.LSTMCell(3, 5);
    const state = Object.entries(layer.stateDict()).map(([name, t]) => [name.replace(/L0$/, ''), t]);
    cell.loadStateDict(Object.fromEntries(state));
    const x = randn([4, 2, 3]);
    const [output, [h, c]] = layer.forward(x);
    let last: readonly [Tensor, Tensor] | undefined;
    for (let t = 0; t < 4; t++) {
      last = cell.forward(x.select(0, t), last);
      expect(worst(last[0], output.select(0, t))).toBeLessThan(rounding);
    }
    expect(worst((last as [Tensor, Tensor])[1], c.squeeze(0))).toBeLessThan(rounding);
    expect(worst((last as [Tensor, Tensor])[0], h.squeeze(0))).toBeLessThan(rounding);
  });

  test('a sequence in two parts, handing on the state, gives what the whole gives', () => {
    const layer = new nn.GRU(3, 4, { numLayers: 2 });
    const x = randn([6, 2, 3]);
    const [whole] = layer.forward(x);
    const [first, state] = layer.forward(x.narrow(0, 0, 2));
    const [second] = layer.forward(x.narrow(0, 2, 4), state);
    expect(worst(first, whole.narrow(0, 0, 2))).toBeLessThan(rounding);
    expect(worst(second, whole.narrow(0, 2, 4))).toBeLessThan(rounding);
  });

  test('dropout lies between layers, while training only', () => {
    const layer = new nn.RNN(3, 4, { numLayers: 2, dropout: 1 });
    const bias = (name: string) => layer.namedParameters().find(([n]) => n === name)?.[1] as Tensor;
    const x = randn([1, 2, 3]);
    const alone = bias('biasIhL1').add(bias('biasHhL1')).tanh().expand([2, 4]);
    expect(worst(layer.forward(x)[0].squeeze(0), alone)).toBeLessThan(rounding);
    expect(worst(layer.eval().forward(x)[0].squeeze(0), alone)).toBeGreaterThan(1e-3);
  });
});

describe('attention', () => {
  const heads = () => [randn([2, 3, 5, 4]), randn([2, 3, 7, 4]), randn([2, 3, 7, 6])] as const;
  const plain = (q: Tensor, k: Tensor, v: Tensor) => q.matmul(k.transpose()).mul(0.5).softmax().matmul(v);

  test('is a softmax of scores times values, for any number of leading axes', () => {
    const [q, k, v] = heads();
    expect(worst(scaledDotProductAttention(q, k, v), plain(q, k, v))).toBeLessThan(rounding);
    const [a, b, c] = [q, k, v].map((t) => t.select(0, 0));
    expect(worst(scaledDotProductAttention(a, b, c), plain(a, b, c))).toBeLessThan(rounding);
    const flat = scaledDotProductAttention(a.select(0, 1), b.select(0, 1), c.select(0, 1));
    expect(worst(flat, plain(a, b, c).select(0, 1))).toBeLessThan(rounding);
    const wide = [q, k, v].map((t) => t.unsqueeze(1)) as [Tensor, Tensor, Tensor];
    expect(worst(scaledDotProductAttention(...wide).squeeze(1), plain(q, k, v))).toBeLessThan(rounding);
  });

  test('masks: bool says what is seen, numbers are added, a query that sees nothing gets zeros', () => {
    const [q, k, v] = heads();
    const seen = tensor([1, 1, 0, 1, 0, 0, 1], { dtype: 'bool' });
    const kept = [0, 1, 3, 6];
    const some = (t: Tensor) => t.indexSelect(2, tensor(kept, { dtype: 'int32' }));
    expect(worst(scaledDotProductAttention(q, k, v, { attnMask: seen }), plain(q, some(k), some(v)))).toBeLessThan(
      rounding,
    );
    const rows = tensor([1, 0, 1, 1, 1], { dtype: 'bool' }).unsqueeze(1);
    const out = scaledDotProductAttention(q, k, v, { attnMask: rows });
    expect(out.select(2, 1).abs().max().itemSync()).toBe(0);
    expect(worst(out.select(2, 0), plain(q, k, v).select(2, 0))).toBeLessThan(rounding);
    const bias = randn([5, 7]);
    const biased = q.matmul(k.transpose()).mul(0.5).add(bias).softmax().matmul(v);
    expect(worst(scaledDotProductAttention(q, k, v, { attnMask: bias }), biased)).toBeLessThan(rounding);
  });

  test('a mask of numbers has a gradient, with and without the fused kernel', () => {
    const [q, k, v] = heads();
    const [a, b] = [0, 1].map(() => zeros([5, 7], { requiresGrad: true }));
    const [fused] = grad(scaledDotProductAttention(q, k, v, { attnMask: a }).square().sum(), [a]);
    const plainly = q.matmul(k.transpose()).mul(0.5).add(b).softmax().matmul(v);
    const [composed] = grad(plainly.square().sum(), [b]);
    expect(worst(fused, composed)).toBeLessThan(10 * rounding);
  });

  test('dropout drops weights', () => {
    const [q, k] = heads();
    const v = zeros([2, 3, 7, 6]).add(1);
    const out = scaledDotProductAttention(q, k, v, { dropoutP: 0.5 });
    expect(out.sub(1).abs().max().itemSync()).toBeGreaterThan(0.01);
    expect(scaledDotProductAttention(q, k, v, { dropoutP: 1 }).abs().max().itemSync()).toBe(0);
  });
});

describe('MultiheadAttention', () => {
  const causal = tensor([0, 1, 1, 1, 0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0], { shape: [4, 4], dtype: 'bool' });

  test('gives the same with weights, without them, and of three tensors', () => {
    const layer = new nn.MultiheadAttention(6, 3, { batchFirst: true });
    const x = randn([2, 4, 6]);
    const [slow, weights] = layer.forward(x, x, x, { attnMask: causal });
    const [fast, none] = layer.forward(x, x, x, { isCausal: true, needWeights: false });
    const [apart] = layer.forward(x, x.clone(), x.clone(), { attnMask: causal, needWeights: false });
    expect(none).toBeNull();
    expect(weights?.shape).toEqual([2, 4, 4]);
    expect((weights as Tensor).sum(-1).sub(1).abs().max().itemSync()).toBeLessThan(rounding);
    expect(worst(fast, slow)).toBeLessThan(rounding);
    expect(worst(apart, slow)).toBeLessThan(rounding);
  });

  test('wrong inputs', () => {
    const layer = new nn.MultiheadAttention(6, 3);
    const x = randn([4, 2, 6]);
    expect(() => layer.forward(x, x, randn([3, 2, 6]))).toThrow(
      'MultiheadAttention: inputs must agree in batch, key and value in length: [4, 2, 6], [4, 2, 6], [3, 2, 6]',
    );
    expect(() => layer.forward(x, x, x, { attnMask: zeros([3, 4]) })).toThrow(
      'MultiheadAttention: attnMask must be [4, 4] or [6, 4, 4]: [3, 4]',
    );
    expect(() => layer.forward(x, x, x, { keyPaddingMask: zeros([4, 2]) })).toThrow(
      'MultiheadAttention: keyPaddingMask must be [2, 4]: [4, 2]',
    );
    expect(() => layer.forward(x, x, x, { mask: null } as never)).toThrow(
      /^MultiheadAttention: there is no option mask/,
    );
  });
});

test('a transformer block drops while training only, and prints', () => {
  const block = new nn.TransformerEncoderLayer(6, 3, { dimFeedforward: 8, dropout: 0.5, normFirst: true });
  const x = randn([4, 2, 6]);
  expect(worst(block.forward(x), block.forward(x))).toBeGreaterThan(0.01);
  block.eval();
  expect(block.forward(x).toArraySync()).toEqual(block.forward(x).toArraySync());
  expect(String(block)).toContain(
    'TransformerEncoderLayer(6, 3, { dimFeedforward: 8, dropout: 0.5, normFirst: true })',
  );
});

test('attention over no numbers is even', () => {
  const empty = zeros([1, 1, 2, 0]);
  const v = tensor([[[[1], [3]]]]);
  expect(scaledDotProductAttention(empty, empty, v).toArraySync()).toEqual([[[[2], [2]]]]);
});
