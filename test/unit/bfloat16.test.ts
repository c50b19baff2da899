import { promote } from '../../lib/dtype.js';
import {
  concat,
  conv2d,
  convTranspose2d,
  grad,
  linear,
  matmul,
  nn,
  ones,
  optim,
  type Tensor,
  tensor,
  tidy,
  uniform,
  zeros,
} from '../../lib/index.js';
import { roundedToBfloat16 } from '../../lib/ops/make/bfloat16.js';

const narrow = (shape: number[]) => uniform(shape, { low: -1, high: 1 }).to('bfloat16');

/** Every bfloat16 there is, from its bits. */
function everyNumber(): Float32Array {
  const bits = Uint32Array.from({ length: 1 << 16 }, (_, i) => i << 16);
  return new Float32Array(bits.buffer);
}

/** The bits of a float32 as bfloat16 by integer arithmetic: half a unit is added, less where the last bit is even. */
function roundedBits(x: number): number {
  const bits = new Uint32Array(Float32Array.of(x).buffer)[0];
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) / 2 ** 16) >>> 0;
}

const bitsOf = (x: number) => new Uint32Array(Float32Array.of(x).buffer)[0] >>> 16;

test('every bfloat16 comes back as it was', async () => {
  const all = everyNumber();
  const t = tensor(all).to('bfloat16');
  expect([t.dtype, t.isFloat]).toEqual(['bfloat16', true]);
  const back = t.dataSync();
  all.forEach((x, i) => {
    if (!Object.is(back[i], x)) throw new Error(`${i.toString(16)}: ${x} became ${back[i]}`);
  });
  expect(await t.dataAs('bfloat16')).toEqual(back);
});

test('numbers between are rounded to the nearest, ties to even, in native code and in the reference', () => {
  // Around every bfloat16 of one sign: a quarter, half, just less and just more than half, and nearly a whole step.
  const between: number[] = [];
  const steps = [0x4000, 0x7fff, 0x8000, 0x8001, 0xffff];
  for (let high = 0; high < 0x7f80; high += 3) {
    for (const low of steps) between.push(new Float32Array(Uint32Array.of(high * 65536 + low).buffer)[0]);
  }
  const found = tensor(Float32Array.from(between)).to('bfloat16').dataSync();
  between.forEach((x, i) => {
    if (bitsOf(found[i]) !== roundedBits(x)) throw new Error(`${x} became ${found[i]}`);
    if (roundedToBfloat16(x) !== found[i]) throw new Error(`${x}: the reference says ${roundedToBfloat16(x)}`);
  });
});

test('NaN stays NaN, whatever its bits', () => {
  const bits = Uint32Array.of(0x7f800001, 0xff800001, 0x7fffffff, 0x7fc00000);
  const t = tensor(new Float32Array(bits.buffer)).to('bfloat16');
  expect([...t.dataSync()].every(Number.isNaN)).toBe(true);
});

test('made, read, shown and moved like any other', () => {
  const x = tensor(
    [
      [1, 2.005, 3],
      [4, 5, 6],
    ],
    { dtype: 'bfloat16' },
  );
  expect(x.dataSync()).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6));
  expect(x.transpose().toArraySync()).toEqual([
    [1, 4],
    [2, 5],
    [3, 6],
  ]);
  expect(x.narrow(1, 1, 1).narrow(0, 1, 1).itemSync()).toBe(5);
  expect(`${tensor([0.1], { dtype: 'bfloat16' })}`).toBe('Tensor([1] bfloat16, [0.1001])');
  expect(concat([x, x.flip()]).dataSync()).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6, 6, 5, 4, 3, 2, 1));
  expect(x.pad([1, 0], { value: -1 }).dataSync()).toEqual(Float32Array.of(-1, 1, 2, 3, -1, 4, 5, 6));
  expect(x.indexSelect(0, tensor(Int32Array.of(1))).dtype).toBe('bfloat16');
  expect(x.to('bfloat16')).toBe(x);
  expect(x.to('cpu')).toBe(x);
  expect(zeros([2], { dtype: 'bfloat16' }).fill_(1.005).dataSync()).toEqual(Float32Array.of(1.0078125, 1.0078125));
  expect(
    zeros([2], { dtype: 'bfloat16' })
      .copy_(tensor([1, 2]))
      .dataSync(),
  ).toEqual(Float32Array.of(1, 2));
});

test('dtypes meet as in PyTorch', () => {
  expect(promote('bfloat16', 'int32')).toBe('bfloat16');
  expect(promote('bfloat16', 'float32')).toBe('float32');
  expect(ones([2], { dtype: 'bfloat16' }).add(ones([2])).dtype).toBe('float32');
  expect(concat([ones([1], { dtype: 'bfloat16' }), ones([1], { dtype: 'uint8' })]).dtype).toBe('bfloat16');
});

test('what is not computed in bfloat16 says what to do', () => {
  const x = ones([2, 3], { dtype: 'bfloat16' });
  const refusals: [string, () => unknown][] = [
    ['add', () => x.add(1)],
    ['sum', () => x.sum()],
    ['exp', () => x.exp()],
    ['softmax', () => x.softmax(-1)],
    ['add_', () => x.add_(x)],
    ['uniform', () => uniform([2], { dtype: 'bfloat16' })],
  ];
  for (const [op, call] of refusals) {
    expect(call).toThrow(new RegExp(`^${op}: not computed in bfloat16; use to\\("float32"\\): \\[.*\\] bfloat16$`));
  }
  expect(() => new optim.SGD([ones([2], { dtype: 'bfloat16', requiresGrad: true })], { lr: 1 })).toThrow(
    /^SGD: bfloat16 is too coarse for small steps; learn float32 parameters/,
  );
  expect(() => new nn.Linear(2, 2).to('bfloat16' as never)).toThrow(
    /^to: a module converts to a float dtype: float32 or/,
  );
});

/** [m, n, k] around tiles, panels and cuts of the depth; odd depths end with half a pair. */
const sizes = [
  [1, 1, 1],
  [1, 40, 513],
  [14, 32, 64],
  [15, 33, 65],
  [3, 300, 1],
  [100, 1, 2049],
  [129, 97, 2050],
  [16, 16, 8200],
] as const;

test('products are within the classical bound of those in float64', () => {
  for (const [m, n, k] of sizes) {
    for (const [ta, tb] of [
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ]) {
      const a = ta ? narrow([k, m]).transpose() : narrow([m, k]);
      const b = tb ? narrow([n, k]).transpose() : narrow([k, n]);
      const found = a.matmul(b);
      expect(found.dtype).toBe('float32');
      const [x, y] = [a.to('float64'), b.to('float64')];
      const exact = x.matmul(y);
      // |error| <= gamma(k) |a| |b|, gamma(k) = k u / (1 - k u), u = 2^-24 (Higham, Accuracy and Stability, 3.5)
      const u = 2 ** -24;
      const bound = x
        .abs()
        .matmul(y.abs())
        .mul((k * u) / (1 - k * u));
      const excess = found.to('float64').sub(exact).abs().sub(bound).max().itemSync();
      if (!(excess <= 0)) throw new Error(`${m}x${n}x${k} ${ta} ${tb}: ${excess} past the bound`);
    }
  }
});

test('a batch of products shares one matrix, and the result is rounded where that is asked for', () => {
  const [a, b] = [narrow([3, 5, 7]), narrow([7, 4])];
  const exact = a.to('float32').matmul(b.to('float32'));
  const found = matmul(a, b, { outDtype: 'bfloat16' });
  expect([found.dtype, found.shape]).toEqual(['bfloat16', [3, 5, 4]]);
  expect(found.to('float32').sub(exact).abs().max().itemSync()).toBeLessThan(0.03);
  expect(linear(a, b.transpose(), null, { outDtype: 'float64' }).dtype).toBe('float64');
});

test('gradients are products of the rounded factors, in the dtype of each operand', () => {
  const [x, weight] = [narrow([6, 5]), narrow([4, 5])];
  const bias = zeros([4], { requiresGrad: true });
  x.requiresGrad = true;
  weight.requiresGrad = true;
  const g = narrow([6, 4]).to('float32'); // exact in bfloat16
  linear(x, weight, bias).backward(g);
  const [gx, gw] = [x.grad as Tensor, weight.grad as Tensor];
  expect([gx.dtype, gw.dtype, bias.grad?.dtype]).toEqual(['bfloat16', 'bfloat16', 'float32']);
  const wide = (t: Tensor) => t.detach().to('float64');
  const expected = [wide(g).matmul(wide(weight)), wide(g).transpose().matmul(wide(x))];
  [gx, gw].forEach((found, i) => {
    const exact = expected[i];
    // Half a unit of 8 bits, and float32's own error.
    expect(
      wide(found)
        .sub(exact)
        .abs()
        .sub(exact.abs().mul(2 ** -8))
        .max()
        .itemSync(),
    ).toBeLessThan(1e-5);
  });
  // A second pass, and a tensor that is used twice, add up.
  const once = gx.to('float32').clone();
  linear(x, weight, bias).backward(g);
  expect(x.grad?.to('float32').sub(once.mul(2)).abs().max().itemSync()).toBe(0);
  const [both] = grad(x.matmul(weight.transpose()).add(x.matmul(weight.transpose())), [x], { gradOutputs: [g] });
  expect([both.dtype, both.to('float32').sub(once.mul(2)).abs().max().itemSync()]).toEqual(['bfloat16', 0]);
});

test('gradients of gradients, of repeated rows and of picked ones', () => {
  const x = narrow([3, 4]);
  x.requiresGrad = true;
  const [first] = grad(x.matmul(x.transpose()).sum(), [x], { createGraph: true });
  const [second] = grad(first.to('float32').sum(), [x]);
  expect([first.dtype, second.dtype, second.dataSync()[0]]).toEqual(['bfloat16', 'bfloat16', 6]); // d^2/dx^2 of |sum|^2
  const row = ones([1, 4], { dtype: 'bfloat16', requiresGrad: true });
  row.expand([300, 4]).to('float32').sum().backward();
  expect(row.grad?.dataSync()).toEqual(Float32Array.of(300, 300, 300, 300));
  const table = ones([3, 2], { dtype: 'bfloat16', requiresGrad: true });
  table
    .indexSelect(0, tensor(Int32Array.of(1, 1, 2)))
    .to('float32')
    .sum()
    .backward();
  expect(table.grad?.dataSync()).toEqual(Float32Array.of(0, 0, 2, 2, 1, 1));
});

test('a network of float32 weights learns through bfloat16 products', () => {
  const x = uniform([64, 8], { low: -1, high: 1 });
  const target = x.square().sum(1, { keepDims: true });
  const [hidden, last] = [new nn.Linear(8, 32), new nn.Linear(32, 1)];
  const optimizer = new optim.Adam([...hidden.parameters(), ...last.parameters()], { lr: 0.01 });
  const layer = (m: nn.Linear, t: Tensor) => linear(t.to('bfloat16'), m.weight.to('bfloat16'), m.bias);
  const losses = Array.from({ length: 150 }, () =>
    tidy(() => {
      optimizer.zeroGrad();
      const loss = layer(last, layer(hidden, x).relu()).sub(target).square().mean();
      loss.backward();
      optimizer.step();
      return loss.itemSync();
    }),
  );
  expect(losses[losses.length - 1]).toBeLessThan(losses[0] / 10);
});

test('a float64 bias takes the product to float64', () => {
  const x = ones([2, 2], { dtype: 'bfloat16' });
  const y = linear(x, x, ones([2], { dtype: 'float64' }));
  expect([y.dtype, ...y.dataSync()]).toEqual(['float64', 3, 3, 3, 3]);
  expect(linear(x, x, ones([2])).dtype).toBe('float32');
});

test('a convolution of bfloat16 is float32, and its gradients are of their operands', () => {
  const x = narrow([2, 3, 5, 6]);
  const weight = narrow([4, 3, 3, 3]);
  const bias = uniform([4], { low: -1, high: 1 });
  const options = { stride: 2, padding: 1, activation: 'relu' } as const;
  const wide = conv2d(x.to('float32'), weight.to('float32'), bias, options);
  const found = conv2d(x, weight, bias, options);
  expect([found.dtype, found.sub(wide).abs().max().itemSync() < 1e-5]).toEqual(['float32', true]);
  for (const t of [x, weight, bias]) t.requiresGrad = true;
  conv2d(x, weight, bias, options).sum().backward();
  expect([x.grad?.dtype, weight.grad?.dtype, bias.grad?.dtype]).toEqual(['bfloat16', 'bfloat16', 'float32']);
  expect(convTranspose2d(x.detach(), narrow([3, 4, 2, 2])).dtype).toBe('float32');
  expect(() => conv2d(x, weight.to('float32'))).toThrow(
    /^conv2d: bfloat16 is multiplied by bfloat16 alone; use to\("bfloat16"\) or to\("float32"\): x is /,
  );
});
