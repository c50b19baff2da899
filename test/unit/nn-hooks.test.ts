import { nn, noGrad, ones, type Tensor, tensor } from '../../lib/index.js';

const numbers = (t: Tensor) => [...t.dataSync()];

/** y = factor x, elementwise. */
class Scale extends nn.Module {
  constructor(readonly factor: number) {
    super();
  }
  forward(x: Tensor): Tensor {
    return x.mul(this.factor);
  }
}

class Sum extends nn.Module<[a: Tensor, b: Tensor]> {
  forward(a: Tensor, b: Tensor): Tensor {
    return a.add(b);
  }
}

test('hooks see module, inputs and output of each call, in the order of their registration', () => {
  const model = new nn.Sequential(new Scale(2), new Scale(3));
  const seen: unknown[] = [];
  model[1].registerForwardPreHook((module, [x]) => void seen.push('before', module === model[1], numbers(x)));
  model[1].registerForwardHook(
    (module, [x], y) => void seen.push('first', module === model[1], numbers(x), numbers(y)),
  );
  model[1].registerForwardHook(() => void seen.push('second'));
  expect(numbers(model.forward(tensor([1, 2])))).toEqual([6, 12]);
  expect(seen).toEqual(['before', true, [2, 4], 'first', true, [2, 4], [6, 12], 'second']);
});

test('what hooks return takes the place of inputs and outputs, also for the hooks after them', () => {
  const sum = new Sum();
  sum.registerForwardPreHook((_module, [a, b]) => [a.mul(10), b]);
  sum.registerForwardPreHook((_module, [a, b]) => [b, a]);
  const inputs: number[][] = [];
  sum.registerForwardHook((_module, [a, b], y) => {
    inputs.push(numbers(a), numbers(b));
    return y.neg();
  });
  sum.registerForwardHook((_module, _inputs, y) => y.add(1));
  expect(numbers(sum.forward(ones([1]), tensor([2])))).toEqual([-11]);
  expect(inputs).toEqual([[2], [10]]);
});

test('remove() takes away one hook, again without effect, and with the last the module is as it was', () => {
  const scale = new Scale(2);
  let calls = 0;
  const hook = () => void calls++;
  const first = scale.registerForwardHook(hook);
  const second = scale.registerForwardHook(hook);
  scale.forward(ones([1]));
  expect(calls).toBe(2);
  first.remove();
  first.remove();
  scale.forward(ones([1]));
  expect(calls).toBe(3);
  second.remove();
  scale.forward(ones([1]));
  expect(calls).toBe(3);
  expect(Object.hasOwn(scale, 'forward')).toBe(false);
  {
    using _handle = scale.registerForwardPreHook(hook);
    scale.forward(ones([1]));
  }
  scale.forward(ones([1]));
  expect(calls).toBe(4);
});

test('a hook may remove itself, and a forward of its own comes back', () => {
  class Own extends nn.Module {
    override forward = (x: Tensor) => x.add(1);
  }
  const own = new Own();
  const { forward } = own;
  const seen: number[][] = [];
  const handle = own.registerForwardHook((_module, _inputs, y) => {
    seen.push(numbers(y));
    handle.remove();
  });
  own.forward(ones([1]));
  own.forward(ones([1]));
  expect(seen).toEqual([[2]]);
  expect(own.forward).toBe(forward);
});

test('hooks are no part of the module: not of its state, its text or its children', () => {
  const layer = new nn.Linear(2, 2);
  const before = [Object.keys(layer), Object.keys(layer.stateDict()), String(layer)];
  layer.registerForwardHook(() => {});
  expect([Object.keys(layer), Object.keys(layer.stateDict()), String(layer)]).toEqual(before);
  expect(layer.children()).toEqual([]);
});

test('layers that run as one op are called apart while one has a hook', () => {
  const model = new nn.Sequential(new nn.Linear(3, 4), new nn.ReLU());
  const x = ones([2, 3]);
  const expected = numbers(model.forward(x));
  const seen: string[] = [];
  const handles = [...model].map((m) => m.registerForwardHook(() => void seen.push(m.constructor.name)));
  const found = numbers(model.forward(x));
  for (const [i, y] of found.entries()) expect(y).toBeCloseTo(expected[i], 6);
  expect(seen).toEqual(['Linear', 'ReLU']);
  for (const handle of handles) handle.remove();
  expect(numbers(model.forward(x))).toEqual(expected);
});

test('prepareInference joins no module that has a hook', () => {
  const make = () => new nn.Sequential(new nn.Conv2d(1, 2, 3), new nn.BatchNorm2d(2), new nn.ReLU()).eval();
  const x = ones([1, 1, 4, 4]);
  const model = make();
  const seen: string[] = [];
  for (const m of model) m.registerForwardHook(() => void seen.push(m.constructor.name));
  nn.prepareInference(model, x);
  expect([...model].map((m) => m.constructor.name)).toEqual(['Conv2d', 'BatchNorm2d', 'ReLU']);
  seen.length = 0;
  noGrad(() => model.forward(x));
  expect(seen).toEqual(['Conv2d', 'BatchNorm2d', 'ReLU']);
  expect([...nn.prepareInference(make(), x)].map((m) => m.constructor.name)).toEqual([
    'Conv2d',
    'Identity',
    'Identity',
  ]);
});

test('wrong hooks are refused', () => {
  const scale = new Scale(2);
  expect(() => scale.registerForwardHook(3 as never)).toThrow('registerForwardHook: the hook must be a function: 3');
  expect(() => scale.registerForwardPreHook(null as never)).toThrow(
    'registerForwardPreHook: the hook must be a function: null',
  );
  scale.registerForwardPreHook((_module, [x]) => x as never);
  expect(() => scale.forward(ones([1]))).toThrow(
    'registerForwardPreHook: a hook returns a list of inputs, or nothing: ',
  );
});
