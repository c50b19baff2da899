// What all optimizers share: groups, gradients, states and their saving.
import { nn, optim, type Tensor, tensor, tidy, zeros } from '../../lib/index.js';
import { settledBuffers } from '../support/garbage.js';

const leaf = (values: number[], dtype: 'float32' | 'float64' = 'float64') =>
  tensor(values, { dtype, requiresGrad: true });
const numbers = (t: Tensor) => [...t.dataSync()];

/** Gives each parameter the gradient of the sum of its squares: twice itself. */
function backward(...params: Tensor[]): void {
  for (const p of params) tidy(() => p.mul(p).sum().backward());
}

describe('step', () => {
  test('updates in place: the leaf stays what it is, its version rises', () => {
    const p = leaf([1, 2]);
    const { storage } = p;
    const { version } = storage;
    backward(p);
    new optim.SGD([p], { lr: 0.25 }).step();
    expect(numbers(p)).toEqual([0.5, 1]);
    expect(p.storage).toBe(storage);
    expect(storage.version).toBe(version + 1);
    expect([p.isLeaf, p.requiresGrad]).toEqual([true, true]);
    expect(numbers(p.grad as Tensor)).toEqual([2, 4]);
  });

  test('a graph that saved the parameter refuses to run after it', () => {
    const p = leaf([1, 2]);
    const loss = p.mul(p).sum();
    backward(p);
    new optim.SGD([p], { lr: 0.25 }).step();
    expect(() => loss.backward()).toThrow(/was changed in place after it was saved/);
  });

  test('skips parameters without a gradient, and does not count the step for them', () => {
    const [a, b] = [leaf([1]), leaf([1])];
    const optimizer = new optim.Adam([a, b], { lr: 0.1 });
    backward(a);
    optimizer.step();
    expect(numbers(b)).toEqual([1]);
    backward(b);
    optimizer.step();
    expect(optimizer.stateDict().settings.steps).toEqual({ 0: 2, 1: 1 });
    expect(numbers(b)[0]).toBeCloseTo(0.9, 7);
  });

  test('takes groups with rates of their own, of several dtypes', () => {
    const [a, b, c] = [leaf([1]), leaf([1], 'float32'), leaf([1])];
    const optimizer = new optim.SGD([{ params: [a, b] }, { params: [c], lr: 0.25 }], { lr: 0.5 });
    backward(a, b, c);
    optimizer.step();
    expect([a, b, c].map((p) => numbers(p)[0])).toEqual([0, 0, 0.5]);
    expect(optimizer.lr).toBe(0.5);
    optimizer.lr = 0.125;
    expect(optimizer.paramGroups.map((g) => g.lr)).toEqual([0.125, 0.125]);
  });

  test('takes parameters from any iterable, and more of them than one native call', () => {
    const params = Array.from({ length: 700 }, (_, i) => leaf([i + 1]));
    const optimizer = new optim.SGD(new Set(params), { lr: 0.25 });
    backward(...params);
    optimizer.step();
    expect(params.map((p) => numbers(p)[0])).toEqual(params.map((_, i) => (i + 1) / 2));
  });

  test('takes transposed parameters and gradients', () => {
    const p = tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]).transpose();
    p.requiresGrad = true;
    p.grad = tensor([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    new optim.SGD([p], { lr: 1, momentum: 0.5 }).step();
    expect(p.toArraySync()).toEqual([
      [0, 2],
      [-1, 1],
      [-2, 0],
    ]);
  });

  test('two parameters on the same memory are updated one after the other', () => {
    const a = leaf([8]);
    const b = a.detach();
    b.requiresGrad = true;
    a.grad = tensor([1], { dtype: 'float64' });
    b.grad = tensor([2], { dtype: 'float64' });
    new optim.SGD([a, b], { lr: 1 }).step();
    expect(numbers(a)).toEqual([5]);
  });

  test('changes nothing when one gradient does not fit', () => {
    const [a, b] = [leaf([1]), leaf([1, 2])];
    backward(a);
    b.grad = zeros([1], { dtype: 'float64' });
    const optimizer = new optim.Adam([a, b]);
    expect(() => optimizer.step()).toThrow(/gradient and parameter differ in shape or dtype/);
    expect(numbers(a)).toEqual([1]);
    expect(optimizer.stateDict().settings.steps).toEqual({});
  });

  test('states made inside of tidy() survive it', () => {
    const p = leaf([1, 2]);
    const optimizer = new optim.SGD([p], { lr: 0.1, momentum: 0.9 });
    for (let i = 0; i < 3; i++) {
      tidy(() => {
        p.mul(p).sum().backward();
        optimizer.step();
        optimizer.zeroGrad();
      });
    }
    expect(numbers(optimizer.stateDict().tensors['0.momentumBuffer'])).toHaveLength(2);
  });

  test('a training loop leaves no buffers behind', async () => {
    const p = leaf([1, 2]);
    const optimizer = new optim.AdamW([p], { amsgrad: true });
    const train = () => {
      const loss = p.mul(p).sum();
      loss.backward();
      optim.clipGradNorm_([p], 1).dispose();
      optimizer.step();
      optimizer.zeroGrad();
      loss.dispose();
    };
    train();
    const before = await settledBuffers();
    for (let i = 0; i < 20; i++) train();
    expect(await settledBuffers()).toBe(before);
    optimizer.dispose();
    expect(await settledBuffers()).toBe(before - 3);
  });
});

describe('zeroGrad', () => {
  test('forgets gradients and frees them', () => {
    const p = leaf([1]);
    backward(p);
    const grad = p.grad as Tensor;
    const own = grad.detach();
    new optim.SGD([p]).zeroGrad();
    expect(p.grad).toBeNull();
    expect(() => grad.dataSync()).toThrow(/disposed of/);
    expect(numbers(own)).toEqual([2]);
  });

  test('or makes them zeros, in place where nobody else sees them', () => {
    const p = leaf([1]);
    const optimizer = new optim.SGD([p]);
    backward(p);
    const grad = p.grad as Tensor;
    optimizer.zeroGrad({ setToNone: false });
    expect(p.grad).toBe(grad);
    expect(numbers(grad)).toEqual([0]);
    backward(p);
    const seen = (p.grad as Tensor).detach();
    optimizer.zeroGrad({ setToNone: false });
    expect(numbers(p.grad as unknown as Tensor)).toEqual([0]);
    expect(numbers(seen)).toEqual([2]);
  });
});

describe('stateDict', () => {
  const build = () => {
    const params = [leaf([1, -2]), leaf([3])];
    return { params, optimizer: new optim.Adam([{ params: [params[0]], lr: 0.05 }, { params: [params[1]] }]) };
  };
  const train = ({ params, optimizer }: ReturnType<typeof build>, steps: number) => {
    for (let i = 0; i < steps; i++) {
      optimizer.zeroGrad();
      backward(...params);
      optimizer.step();
    }
    return params.map(numbers);
  };

  test('goes on exactly where it was saved, by way of JSON', () => {
    const [first, second] = [build(), build()];
    train(first, 4);
    const { tensors, settings } = first.optimizer.stateDict();
    expect(Object.keys(tensors)).toEqual(['0.expAvg', '0.expAvgSq', '1.expAvg', '1.expAvgSq']);
    second.params.forEach((p, i) => {
      p.detach().copy_(first.params[i].detach());
    });
    second.optimizer.loadStateDict({ tensors, settings: JSON.parse(JSON.stringify(settings)) });
    expect(second.optimizer.paramGroups.map((g) => g.lr)).toEqual([0.05, 1e-3]);
    expect(train(second, 3)).toEqual(train(first, 3));
  });

  test('can be loaded back into the optimizer it came from', () => {
    const one = build();
    train(one, 2);
    const before = numbers(one.optimizer.stateDict().tensors['1.expAvg']);
    one.optimizer.loadStateDict(one.optimizer.stateDict());
    expect(numbers(one.optimizer.stateDict().tensors['1.expAvg'])).toEqual(before);
  });

  test('what does not fit is refused, and changes nothing', () => {
    const one = build();
    train(one, 1);
    const { tensors, settings } = one.optimizer.stateDict();
    const load = (state: unknown) => () => one.optimizer.loadStateDict(state as optim.OptimizerState);
    expect(load({})).toThrow(
      'Adam.loadStateDict: the state of an optimizer was expected: { tensors, settings }: Object',
    );
    expect(load({ tensors, settings: { ...settings, groups: [] } })).toThrow(
      'the numbers of groups differ: 0 saved, 2 here',
    );
    expect(load({ tensors: { ...tensors, '1.expAvg': zeros([3]) }, settings })).toThrow(
      '1.expAvg does not fit its parameter: [3] float32 for [1] float64',
    );
    expect(load({ tensors: { '0.expAvg': tensors['0.expAvg'] }, settings })).toThrow('the state lacks 0.expAvgSq');
    expect(load({ tensors: { ...tensors, '2.expAvg': zeros([3]) }, settings })).toThrow(
      'the state has a tensor of no parameter here: 2.expAvg',
    );
    const wrongLr = settings.groups.map((g) => ({ ...g, lr: -1 }));
    expect(load({ tensors, settings: { ...settings, groups: wrongLr } })).toThrow(
      'lr must be 0 or more and finite: -1',
    );
    const foreign = settings.groups.map((g) => ({ ...g, momentum: 0 }));
    expect(load({ tensors, settings: { ...settings, groups: foreign } })).toThrow(
      'of another kind of optimizer: momentum',
    );
    expect(one.optimizer.stateDict()).toEqual({ tensors, settings });
  });
});

describe('clipping', () => {
  const withGrad = (values: number[], dtype: 'float32' | 'float64' = 'float32') => {
    const p = zeros([values.length], { dtype, requiresGrad: true });
    p.grad = tensor(values, { dtype });
    return p;
  };

  test('scales all gradients by their common norm, which it returns', async () => {
    const params = [withGrad([3]), withGrad([0, 4]), zeros([2], { requiresGrad: true })];
    expect(await optim.clipGradNorm_(params, 1).item()).toBe(5);
    expect(numbers(params[0].grad as Tensor)[0]).toBeCloseTo(0.6, 6);
    expect(numbers(params[1].grad as Tensor)[1]).toBeCloseTo(0.8, 6);
  });

  test('leaves small gradients as they are', () => {
    const p = withGrad([0.3, 0.4]);
    const before = numbers(p.grad as Tensor);
    optim.clipGradNorm_(p, 1);
    expect(numbers(p.grad as Tensor)).toEqual(before);
  });

  test('knows other norms and mixed dtypes', () => {
    const params = () => [withGrad([-3]), withGrad([4], 'float64')];
    const norm = (normType: number) => optim.clipGradNorm_(params(), 100, { normType }).itemSync();
    expect([norm(1), norm(2), norm(Infinity)]).toEqual([7, 5, 4]);
    expect(optim.clipGradNorm_([zeros([2])], 1).itemSync()).toBe(0);
  });

  test('gradients that share memory are scaled once each', () => {
    const [a, b] = [zeros([1]), zeros([1])];
    const g = tensor([8]);
    a.grad = g;
    b.grad = g.detach();
    optim.clipGradNorm_([a, b, a], Math.SQRT2 * 4);
    expect([a, b].map((p) => numbers(p.grad as Tensor)[0])).toEqual([expect.closeTo(4, 5), expect.closeTo(4, 5)]);
  });

  test('a norm that is not finite changes nothing where it is an error', async () => {
    const p = withGrad([1, Number.NaN, 3]);
    const failed = async () => {
      optim.clipGradNorm_(p, 1, { errorIfNonfinite: true });
      await (p.grad as Tensor).data();
    };
    await expect(failed()).rejects.toThrow('the total norm is not finite: nan');
    expect(numbers(p.grad as Tensor)).toEqual([1, Number.NaN, 3]);
    optim.clipGradNorm_(p, 1);
    expect(numbers(p.grad as Tensor)).toEqual([Number.NaN, Number.NaN, Number.NaN]);
  });

  test('by value', () => {
    const p = withGrad([-3, 0.5, 2]);
    optim.clipGradValue_([p], 1);
    expect(numbers(p.grad as Tensor)).toEqual([-1, 0.5, 1]);
  });
});

describe('what a user may get wrong', () => {
  test('a state saved between switching on a hyperparameter and the next step is loaded', () => {
    const p = leaf([1, 2]);
    const optimizer = new optim.SGD([p], { lr: 0.1 });
    backward(p);
    optimizer.step();
    optimizer.paramGroups[0].momentum = 0.9;
    const state = optimizer.stateDict();
    expect(Object.keys(state.tensors)).toEqual([]);
    optimizer.loadStateDict(state);
    optimizer.step();
    expect(Object.keys(optimizer.stateDict().tensors)).toEqual(['0.momentumBuffer']);
  });

  test('a tensor that one parameter of several lacks was lost', () => {
    const [p, q] = [leaf([1]), leaf([2])];
    const optimizer = new optim.SGD([p, q], { lr: 0.1, momentum: 0.9 });
    backward(p, q);
    optimizer.step();
    const { tensors, settings } = optimizer.stateDict();
    const { '1.momentumBuffer': _, ...rest } = tensors;
    expect(() => optimizer.loadStateDict({ tensors: rest, settings })).toThrow('the state lacks 1.momentumBuffer');
  });

  test('lists of hyperparameters belong to their group', () => {
    const betas: [number, number] = [0.8, 0.9];
    const given = new optim.Adam([leaf([1])], { betas });
    const plain = new optim.Adam([leaf([1])]);
    for (const { paramGroups } of [given, plain]) (paramGroups[0].betas as [number, number])[0] = 0.1;
    expect(betas).toEqual([0.8, 0.9]);
    expect(new optim.Adam([leaf([1])]).paramGroups[0].betas).toEqual([0.9, 0.999]);
  });

  test('a model that was converted has other parameters', () => {
    const model = new nn.Linear(2, 1);
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
    model.to('float64');
    expect(() => optimizer.step()).toThrow('SGD.step: the parameter was disposed of');
  });

  test.each([
    { tensors: null, settings: { groups: [], steps: {} } },
    { tensors: {}, settings: { groups: [], steps: null } },
    { tensors: {}, settings: { groups: [null], steps: {} } },
  ])('a state that is none: %j', (state) => {
    const optimizer = new optim.SGD([leaf([1])], { lr: 0.1 });
    expect(() => optimizer.loadStateDict(state as never)).toThrow('the state of an optimizer was expected');
  });

  test('what has no parameters is not clipped', () => {
    const message = 'clipGradNorm_: parameters must be a tensor or several';
    expect(() => optim.clipGradNorm_(new nn.Linear(1, 1) as never, 1)).toThrow(message);
  });

  test('one lrLambda serves groups that are added later; a list does not', () => {
    const optimizer = new optim.SGD([leaf([1])], { lr: 1 });
    const one = new optim.LambdaLR(optimizer, { lrLambda: () => 0.5 });
    const list = new optim.LambdaLR(new optim.SGD([leaf([1])], { lr: 1 }), { lrLambda: [() => 0.5] });
    optimizer.addParamGroup({ params: [leaf([2])] });
    expect(one.lrAt(1, 1, 1)).toBe(0.5);
    expect(() => list.lrAt(1, 1, 1)).toThrow('LambdaLR: a group was added that has no lrLambda: group 1');
  });
});
