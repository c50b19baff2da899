import { AthanorError, gradcheck, gradgradcheck, noGrad, type Tensor, tensor, zeros } from '../../lib/index.js';

const vector = (...values: number[]) => tensor(Float64Array.from(values), { requiresGrad: true });

describe('gradcheck', () => {
  test('accepts right gradients, of several inputs and outputs', () => {
    const b = vector(0.5, -1.5, 2);
    expect(gradcheck((x, y) => [x.mul(y).add(x), x.mul(x)], [vector(1, 2, 3), b])).toBe(true);
    expect(gradgradcheck((x, y) => [x.mul(y).mul(x), x.mul(x).sum()], [vector(1, 2, 3), b])).toBe(true);
  });

  test('names input, element and both values where they differ', () => {
    // The part that runs without recording changes the value and not the gradient.
    const hidden = (x: Tensor, y: Tensor) => x.mul(y).add(noGrad(() => y.mul(y)));
    const call = () => gradcheck(hidden, [vector(1, 2), vector(3, 4)]);
    expect(call).toThrow(AthanorError);
    expect(call).toThrow(/^gradcheck: input 1 of shape \[2\], element \[0\]: analytic gradient \S+, numeric \S+$/);
  });

  test('a wrong second derivative is found where the first is right', () => {
    // The derivative of x * stop(x) + x * stop(x) equals that of x * x, but nothing leads from it back to x.
    const half = (x: Tensor) => x.mul(x.detach()).add(x.mul(x.detach()));
    expect(() => gradgradcheck(half, [vector(1, 2)])).toThrow(
      /^gradgradcheck: input 0 .*analytic gradient 0, numeric /,
    );
  });

  test('a wrong gradient that a sum of outputs would hide is found', () => {
    // Rows of a doubly centred value sum to 0 whatever the gradient is: only a random cotangent sees it.
    const centred = (x: Tensor) => x.add(x.sum().mul(-0.5));
    const hidden = (x: Tensor) => noGrad(() => centred(x)).add(x.mul(0));
    expect(() => gradcheck(hidden, [vector(1, 2)])).toThrow(/analytic gradient 0, numeric/);
  });

  test('NaN is never right', () => {
    expect(() => gradcheck((x) => x.mul(Number.NaN), [vector(1)])).toThrow(/numeric NaN|analytic gradient NaN/);
  });

  test('an output that does not depend on an input has gradient 0', () => {
    expect(gradcheck((x, y) => x.mul(2).add(y.detach().mul(0)), [vector(1), vector(2)])).toBe(true);
    expect(gradgradcheck((x) => x.mul(3), [vector(1)])).toBe(true);
  });

  test('samples limits the elements that are tried', () => {
    let calls = 0;
    const counted = (x: Tensor) => {
      calls++;
      return x.mul(x);
    };
    gradcheck(counted, [zeros([1000], { dtype: 'float64', requiresGrad: true })], { samples: 5 });
    expect(calls).toBe(1 + 2 * 5);
  });

  test.each([
    [
      'an input of float32',
      () => gradcheck((x) => x, [zeros([2], { requiresGrad: true })]),
      'gradcheck: input 0 must be float64: a central difference needs its precision: [2] float32',
    ],
    [
      'no input that requires grad',
      () => gradcheck((x) => x, [zeros([2])]),
      'gradcheck: no input requires grad: 1 inputs',
    ],
    [
      'inputs that are no array',
      () => gradcheck((x) => x, zeros([2]) as never),
      'gradcheck: inputs must be an array of tensors: Tensor',
    ],
    ['an input that is no tensor', () => gradcheck((x) => x, [3 as never]), 'gradcheck: input 0 must be a tensor: 3'],
    [
      'a function that returns a number',
      () => gradcheck((() => 3) as never, [vector(1)]),
      'gradcheck: the function must return a tensor or an array of tensors: 3',
    ],
    [
      'a float32 result',
      () => gradcheck((x) => x.cast('float32'), [vector(1)]),
      'gradcheck: the function returned no float64 tensor',
    ],
    ['a step of 0', () => gradcheck((x) => x, [vector(1)], { eps: 0 }), 'gradcheck: eps must be a positive number: 0'],
    [
      'a fractional seed',
      () => gradgradcheck((x) => x, [vector(1)], { seed: 0.5 }),
      'gradgradcheck: seed must be a whole number, 0 or more: 0.5',
    ],
  ])('refuses %s', (_name, call, message) => {
    expect(call).toThrow(AthanorError);
    expect(call).toThrow(message);
  });
});
