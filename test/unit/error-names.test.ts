// An error names the function that was called, not the op that does its work.
import {
  clamp,
  embedding,
  Generator,
  linear,
  manualSeed,
  mm,
  mv,
  nn,
  ones,
  optim,
  rand,
  randn,
  type Tensor,
  tensor,
  zeros,
  zerosLike,
} from '../../lib/index.js';

const any = (value: unknown) => value as never;
const expanded = () => zeros([1]).expand([3]);

const cases: readonly (readonly [message: string, call: () => unknown])[] = [
  ['add_: shapes do not broadcast: a is [2, 3], b is [2]', () => ones([2, 3]).add_(ones([2]))],
  ['mul_: an expanded tensor cannot be written in place: [3] float32', () => expanded().mul_(2)],
  ['sub_: the tensor was disposed of: a [2] float32', () => disposed().sub_(1)],
  ['clamp_: an expanded tensor cannot be written in place: [3] float32', () => expanded().clamp_({ min: 0 })],
  ['fill_: an expanded tensor cannot be written in place: [3] float32', () => expanded().fill_(1)],
  ['zero_: an expanded tensor cannot be written in place: [3] float32', () => expanded().zero_()],
  ['copy_: an expanded tensor cannot be written in place: [3] float32', () => expanded().copy_(ones([3]))],
  ['copy_: ', () => zeros([2]).copy_(zeros([3]))],
  ['randn: sizes must be whole numbers, 0 or more: [2, -1]', () => randn([2, -1])],
  ['randn: no numbers of this dtype are drawn: "int32"', () => randn([2], { dtype: 'int32' })],
  ['rand: generator must be a Generator: 1', () => rand([2], any({ generator: 1 }))],
  ['zerosLike: ', () => zerosLike(ones([2]), any({ dtype: 'float31' }))],
  ['mm: ', () => mm(ones([2, 2]).cast('bfloat16'), ones([2, 2]))],
  ['mv: ', () => mv(ones([2, 2]).cast('bfloat16'), ones([2]))],
  ['linear: ', () => linear(ones([2, 3]), ones([4, 5]), null, { activation: 'relu' })],
  ['Generator: seed must be a whole number of 0 or more: NaN', () => new Generator(Number.NaN)],
  ['manualSeed: seed must be a whole number of 0 or more: NaN', () => manualSeed(Number.NaN)],
  ['clamp: options must be an object: 0', () => any(clamp(ones([2]), any(0)))],
  ['normal_: generator must be a Generator: 1', () => nn.init.normal_(ones([2]), any({ generator: 1 }))],
];

function disposed(): Tensor {
  const t = ones([2]);
  t.dispose();
  return t;
}

test.each(cases)('%s', (message, call) => {
  expect(call).toThrow(expect.objectContaining({ message: expect.stringMatching(begins(message)) }));
});

const begins = (text: string) => new RegExp(`^${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`);

test('the stack tells the same', () => {
  let error: Error | undefined;
  try {
    ones([2, 3]).add_(ones([2]));
  } catch (thrown) {
    error = thrown as Error;
  }
  expect(error?.stack).toMatch(/^\w*Error: add_: shapes do not broadcast/);
});

describe('failures that come with the data', () => {
  const ids = tensor([0, 9], { dtype: 'int32' });

  test('an index outside of an embedding', async () => {
    const table = new nn.Embedding(4, 2);
    await expect(async () => table.forward(ids).data()).rejects.toThrow(/^embedding: index 9 is out of range \[0, 4\)/);
    expect(() => embedding(ones([4, 2]), ids).dataSync()).toThrow(/^embedding: index 9 is out of range \[0, 4\)/);
    expect(() => ones([4, 2]).indexSelect(0, ids).dataSync()).toThrow(/^indexSelect: index 9 is out of range/);
  });

  test('an index outside of what is added to', () => {
    const x = zeros([3]);
    expect(() => x.scatterAdd_(0, ids, ones([2])).dataSync()).toThrow(/^scatterAdd_: index 9 is out of range/);
  });

  test('gradients without a finite norm', () => {
    const p = zeros([2], { requiresGrad: true });
    p.mul(Infinity).sum().backward();
    const clip = () => {
      optim.clipGradNorm_([p], 1, { errorIfNonfinite: true });
      p.grad?.dataSync();
    };
    expect(clip).toThrow(/^clipGradNorm_: the total norm is not finite/);
  });
});
