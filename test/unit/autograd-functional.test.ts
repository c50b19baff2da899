import { grad, hessian, hvp, jacobian, jvp, memory, type Tensor, tensor, tidy, vjp, zeros } from '../../lib/index.js';
import { collectGarbage } from '../support/garbage.js';

const vector = (...values: number[]) => tensor(Float64Array.from(values));
const numbers = (t: Tensor) => [...t.dataSync()];

// f(x, y) = (x0 y0, x0^2 + y1): Jacobians [[y0, 0], [2 x0, 0]] and [[x0, 0], [0, 1]].
function f(x: Tensor, y: Tensor): Tensor {
  const x0 = x.select(0, 0);
  const first = x0.mul(y.select(0, 0)).reshape([1]);
  const second = x0.mul(x0).add(y.select(0, 1)).reshape([1]);
  return first.mul(vector(1, 0)).add(second.mul(vector(0, 1)));
}

const x = vector(3, 5);
const y = vector(7, 11);

describe('vjp', () => {
  test('value and v J for each input', () => {
    const { outputs, gradients } = vjp(f, [x, y], vector(1, 10));
    expect(numbers(outputs)).toEqual([21, 20]);
    expect(gradients.map(numbers)).toEqual([
      [67, 0],
      [3, 10],
    ]);
    expect(outputs.requiresGrad).toBe(false);
    expect(x.requiresGrad).toBe(false);
  });

  test('of one input and one element, as one tensor', () => {
    const { outputs, gradients } = vjp((t) => t.mul(t).sum(), x);
    expect(outputs.itemSync()).toBe(34);
    expect(numbers(gradients)).toEqual([6, 10]);
  });

  test('of several outputs, and 0 for an input that is not used', () => {
    const { outputs, gradients } = vjp((a) => [a.mul(2), a.sum()], [x, y], [vector(1, 0), tensor(100).cast('float64')]);
    expect(outputs.map(numbers)).toEqual([[6, 10], [8]]);
    expect(gradients.map(numbers)).toEqual([
      [102, 100],
      [0, 0],
    ]);
  });

  test('leaves the gradients of what the function closes over alone', () => {
    const w = vector(2, 2);
    w.requiresGrad = true;
    expect(numbers(vjp((t) => t.mul(w).sum(), x).gradients)).toEqual([2, 2]);
    expect(w.grad).toBeNull();
  });

  test('with createGraph the product can be differentiated by what the input was made from', () => {
    const w = vector(2, 3);
    w.requiresGrad = true;
    const { gradients } = vjp((t) => t.mul(t).mul(t).sum(), w.mul(2), undefined, { createGraph: true }); // 3 (2w)^2
    expect(numbers(grad(gradients.sum(), [w])[0])).toEqual([48, 72]);
  });
});

describe('jvp', () => {
  test('value and J t', () => {
    const { outputs, tangents } = jvp(f, [x, y], [vector(1, 0), vector(0, 1)]);
    expect(numbers(outputs)).toEqual([21, 20]);
    expect(numbers(tangents)).toEqual([7, 7]);
  });

  test('of several outputs, also of one that is constant', () => {
    const { tangents } = jvp((t) => [t.mul(t), t.mul(0).detach()], x, vector(1, 1));
    expect(tangents.map(numbers)).toEqual([
      [6, 10],
      [0, 0],
    ]);
  });

  test('of a linear function', () => {
    expect(numbers(jvp((t) => t.mul(3), x, vector(1, 2)).tangents)).toEqual([3, 6]);
  });
});

describe('hvp', () => {
  test('value and H v', () => {
    const { output, product } = hvp((a) => a.mul(a).mul(a).sum(), x, vector(1, 10));
    expect(output.itemSync()).toBe(152);
    expect(numbers(product)).toEqual([18, 300]);
  });

  test('of several inputs', () => {
    const { product } = hvp((a, b) => a.mul(b).sum(), [x, y], [vector(1, 2), vector(3, 4)]);
    expect(product.map(numbers)).toEqual([
      [3, 4],
      [1, 2],
    ]);
  });

  test('of a linear function is 0', () => {
    expect(numbers(hvp((a) => a.sum(), x, vector(1, 2)).product)).toEqual([0, 0]);
  });
});

describe('jacobian and hessian', () => {
  test('all partial derivatives', () => {
    const [jx, jy] = jacobian(f, [x, y]);
    expect(jx.toArraySync()).toEqual([
      [7, 0],
      [6, 0],
    ]);
    expect(jy.toArraySync()).toEqual([
      [3, 0],
      [0, 1],
    ]);
  });

  test('shapes: those of the output, then those of the input', () => {
    const j = jacobian((t) => t.sum(0), zeros([2, 3], { dtype: 'float64' }));
    expect(j.shape).toEqual([3, 2, 3]);
    expect(j.toArraySync()).toEqual([
      [
        [1, 0, 0],
        [1, 0, 0],
      ],
      [
        [0, 1, 0],
        [0, 1, 0],
      ],
      [
        [0, 0, 1],
        [0, 0, 1],
      ],
    ]);
    expect(jacobian((t) => t.sum(), x).shape).toEqual([2]);
    expect(jacobian((t) => t.mul(2), zeros([0])).shape).toEqual([0, 0]);
  });

  test('a constant function has derivative 0', () => {
    expect(jacobian((t) => t.detach().mul(2), x).toArraySync()).toEqual([
      [0, 0],
      [0, 0],
    ]);
    expect(hessian(() => vector(1), x).toArraySync()).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  test('all second derivatives', () => {
    const h = hessian((t) => t.select(0, 0).mul(t.select(0, 0)).mul(t.select(0, 1)), x);
    expect(h.toArraySync()).toEqual([
      [10, 6],
      [6, 0],
    ]);
  });

  test('with createGraph, third ones', () => {
    const t = vector(2);
    t.requiresGrad = true;
    const h = hessian((s) => s.mul(s).mul(s).mul(s).sum(), t, { createGraph: true });
    expect(numbers(h)).toEqual([48]);
    expect(numbers(grad(h.sum(), [t])[0])).toEqual([48]);
  });
});

test('inside tidy() nothing is left but the results', () => {
  tidy(() => jacobian((t) => t.mul(t), x));
  collectGarbage();
  const before = memory().buffers;
  const j = tidy(() => jacobian((t) => t.mul(t), x));
  const h = tidy(() => hvp((a) => a.mul(a).sum(), x, x).product);
  collectGarbage();
  expect(memory().buffers - before).toBe(2);
  expect(j.shape).toEqual([2, 2]);
  expect(numbers(h)).toEqual([6, 10]);
});

test.each<[string, () => unknown, string]>([
  ['vjp of no function', () => vjp(3 as never, x), 'vjp: a function was expected: 3'],
  ['vjp of no tensor', () => vjp((t) => t, 3 as never), 'vjp: inputs must be a tensor or an array of tensors: 3'],
  [
    'vjp of integers',
    () => vjp((t) => t, tensor([1], { dtype: 'int32' })),
    'vjp: input 0 is not of a float dtype: [1] int32',
  ],
  ['vjp without v', () => vjp((t) => t.mul(2), x), 'vjp: the function must return one element: [2] float64'],
  [
    'vjp with v of another shape',
    () => vjp((t) => t.mul(2), x, vector(1)),
    'vjp: cotangents differ in shape from what they belong to: [1] for [2]',
  ],
  ['vjp with too few v', () => vjp((t) => [t, t], x, [x]), 'vjp: cotangents: one for each is needed: 1 for 2'],
  [
    'jvp of a function that returns a number',
    () => jvp((() => 3) as never, x, x),
    'jvp: what the function returns must be a tensor or an array of tensors: 3',
  ],
  [
    'jvp with tangents of another shape',
    () => jvp((t) => t, x, vector(1)),
    'jvp: tangents differ in shape from what they belong to: [1] for [2]',
  ],
  [
    'hvp of several elements',
    () => hvp((t) => t.mul(2), x, x),
    'hvp: the function must return one element: [2] float64',
  ],
  [
    'hessian of several elements',
    () => hessian((t) => t.mul(2), x),
    'hessian: the function must return one element: [2] float64',
  ],
  ['hessian of no tensor', () => hessian((t) => t, [x] as never), 'hessian: input must be a tensor: [Tensor]'],
  [
    'jacobian of two outputs',
    () => jacobian(((t: Tensor) => [t, t]) as never, x),
    'jacobian: the function must return one tensor: 2 tensors',
  ],
  [
    'jacobian of nine dimensions',
    () => jacobian((t) => t.mul(2), zeros([1, 1, 1, 1, 1])),
    'jacobian: a tensor has at most 8 dimensions: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]',
  ],
])('refuses %s', (_what, call, message) => {
  expect(call).toThrow(message);
});
