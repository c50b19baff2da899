import { optim, zeros } from '../../../lib/index.js';
import type { Case, ErrorCase, InputSpec } from '../case.js';

// Whole-number parameters: steps of numbers at the ends of float32 leave its range half-way, where the float64 reference
// does not, so the suite must not stretch these cases to such inputs. Sizes around the vector widths stand here instead.
const sizes = [
  [[1], [3, 5], [70, 9]],
  [[16], [0], [31]],
  [[], [4, 1, 33], [64]],
];

/** All operands of a step on parameters of these shapes: states may not be negative where a root is taken of them. */
function operands(shapes: number[][], states: Partial<InputSpec>[]): InputSpec[] {
  const param: Partial<InputSpec> = { integers: true, low: -8, high: 8 };
  return [param, {}, ...states].flatMap((spec) => shapes.map((shape) => ({ ...spec, shape })));
}

const one = (shapes: number[][], states: Partial<InputSpec>[], attrs: object): Case => ({
  inputs: operands(shapes, states),
  attrs,
});
const many = (states: Partial<InputSpec>[], attrs: object): Case[] => sizes.map((shapes) => one(shapes, states, attrs));

const square = { low: 0.1, high: 4 };
const plain = { weightDecay: 0, maximize: false };
const sgd = { ...plain, lr: 0.1, momentum: 0, nesterov: false, shares: [1, 0.75, 1] };
const adam = { ...plain, lr: 0.1, betas: [0.9, 0.99], eps: 1e-3, decoupledDecay: 0, amsgrad: false };
const steps = [1, 2, 50];
const rmsprop = { ...plain, lr: 0.1, alpha: 0.9, eps: 1e-3, momentum: 0, centered: false };
const large = [[33000], [7]]; // enough to be cut among threads

export const cases: Record<string, Case[]> = {
  sgdStep: [
    ...many([], sgd),
    ...many([], { ...sgd, weightDecay: 0.3, maximize: true }),
    ...many([{}], { ...sgd, momentum: 0.9 }),
    ...many([{}], { ...sgd, momentum: 0.9, weightDecay: 0.3 }),
    ...many([{}], { ...sgd, momentum: 0.9, nesterov: true, weightDecay: 0.3, maximize: true }),
    one(large, [{}], { ...sgd, momentum: 0.9, nesterov: true }),
  ],
  adamStep: [
    ...many([{}, square], { ...adam, steps }),
    ...many([{}, square], { ...adam, steps, weightDecay: 0.2, maximize: true }),
    ...many([{}, square], { ...adam, steps, decoupledDecay: 0.2 }),
    ...many([{}, square, square], { ...adam, steps, amsgrad: true }),
    ...many([{}, square, square], { ...adam, steps, amsgrad: true, weightDecay: 0.2, betas: [0, 0.5] }),
  ],
  // The average of the gradient is kept small, so that its square leaves something of the average of squares.
  rmspropStep: [
    ...many([square], rmsprop),
    ...many([square], { ...rmsprop, weightDecay: 0.2, maximize: true }),
    ...many([square, {}], { ...rmsprop, momentum: 0.9 }),
    ...many(
      [
        { low: 2, high: 4 },
        { low: -0.1, high: 0.1 },
      ],
      { ...rmsprop, centered: true },
    ),
    ...many([{ low: 2, high: 4 }, {}, { low: -0.1, high: 0.1 }], { ...rmsprop, momentum: 0.5, centered: true }),
  ],
  adagradStep: [
    ...many([square], { ...plain, eps: 1e-10, lrs: steps.map((t) => 0.1 / t) }),
    ...many([square], { weightDecay: 0.2, maximize: true, eps: 1e-3, lrs: steps.map((t) => 0.1 / t) }),
  ],
  totalNorm: [
    ...[1, 2, 3, 0.5, Infinity].map((p) => one([[5], [2, 3], [], [0]], [], { p })),
    one([[33000], [64, 13]], [], { p: 2 }),
    one([[33000], [64, 13]], [], { p: Infinity }),
    { inputs: [{ shape: [0] }], attrs: { p: 2 } },
    { inputs: [{ shape: [33] }], attrs: { p: 2 } },
  ],
  clipScale: [
    { limit: 1, finite: false },
    { limit: 1e6, finite: true },
    { limit: 0, finite: false },
  ].flatMap((attrs) => [
    { inputs: [{ shape: [], low: 2, high: 3 }, { shape: [5] }, { shape: [3, 7] }, { shape: [] }], attrs },
    { inputs: [{ shape: [], low: 2, high: 3 }, { shape: [33000] }, { shape: [0] }], attrs },
  ]),
};

const weight = (shape = [2, 3]) => zeros(shape, { requiresGrad: true });

export const errors: ErrorCase[] = [
  {
    name: 'optimizer of nothing',
    call: () => new optim.SGD([]),
    message: 'SGD: there are no parameters to learn: []',
  },
  {
    name: 'optimizer of one tensor alone',
    call: () => new optim.SGD(weight() as never),
    message: 'SGD: parameters must be an array of tensors or of groups: Tensor',
  },
  {
    name: 'optimizer of numbers',
    call: () => new optim.Adam([weight(), 3 as never]),
    message: 'Adam: parameters must be tensors: 3',
  },
  {
    name: 'optimizer of integers',
    call: () => new optim.Adam([zeros([2], { dtype: 'int32' })]),
    message: 'Adam: parameters must be float32 or float64: [2] int32',
  },
  {
    name: 'optimizer of results',
    call: () => new optim.Adam([weight().mul(2)]),
    message: 'Adam: parameters must be leaves, not results of recorded ops: [2, 3] float32',
  },
  {
    name: 'optimizer of one parameter twice',
    call: () => {
      const w = weight();
      return new optim.SGD([w, weight([4]), w]);
    },
    message: 'SGD: a parameter occurs twice: number 2 of its group, [2, 3] float32',
  },
  {
    name: 'option that does not exist',
    call: () => new optim.SGD([weight()], { learningRate: 1 } as never),
    message:
      /^SGD: there is no option learningRate; known ones are lr, momentum, dampening, weightDecay, nesterov, maximize: /,
  },
  ...([-0.1, Number.NaN, Number.POSITIVE_INFINITY, '0.1' as never] as number[]).map((lr) => ({
    name: `lr of ${lr} (${typeof lr})`,
    call: () => new optim.SGD([weight()], { lr }),
    message: /^SGD: lr must be 0 or more and finite: /,
  })),
  {
    name: 'nesterov without momentum',
    call: () => new optim.SGD([weight()], { nesterov: true }),
    message: 'SGD: nesterov needs a momentum and no dampening: momentum 0, dampening 0',
  },
  {
    name: 'betas of 1',
    call: () => new optim.Adam([weight()], { betas: [0.9, 1] }),
    message: 'Adam: each of the betas must be in [0, 1): 1',
  },
  {
    name: 'one beta',
    call: () => new optim.AdamW([weight()], { betas: 0.9 as never }),
    message: 'AdamW: betas must be two numbers: 0.9',
  },
  {
    name: 'wrong option of a group',
    call: () => new optim.RMSprop([{ params: [weight()], alpha: -1 }]),
    message: 'RMSprop: alpha must be in [0, 1): -1',
  },
  {
    name: 'step after lr was made nan',
    call: () => {
      const optimizer = new optim.Adagrad([weight()]);
      optimizer.paramGroups[0].lr = Number.NaN;
      optimizer.step();
    },
    message: 'Adagrad.step: lr must be 0 or more and finite: NaN',
  },
  {
    name: 'gradient of another shape',
    call: () => {
      const w = weight();
      w.grad = zeros([3, 2]);
      new optim.SGD([w]).step();
    },
    message: 'SGD.step: gradient and parameter differ in shape or dtype: [3, 2] float32 for [2, 3] float32',
  },
  {
    name: 'gradient that was disposed of',
    call: () => {
      const w = weight();
      w.grad = zeros([2, 3]);
      w.grad.dispose();
      new optim.SGD([w]).step();
    },
    message: 'SGD.step: the gradient was disposed of: gradient of [2, 3] float32',
  },
  {
    name: 'clipping at a negative norm',
    call: () => optim.clipGradNorm_([weight()], -1),
    message: 'clipGradNorm_: maxNorm must be a number, 0 or more: -1',
  },
  {
    name: 'clipping by a norm of no kind',
    call: () => optim.clipGradNorm_([weight()], 1, { normType: 0 }),
    message: 'clipGradNorm_: normType must be a positive number: 0',
  },
  {
    name: 'clipping nan where it is an error',
    call: async () => {
      const w = weight([2]);
      w.grad = zeros([2]).fill_(Number.NaN);
      optim.clipGradNorm_(w, 1, { errorIfNonfinite: true });
      await w.grad.data();
    },
    message: 'clipGradNorm_: the total norm is not finite: nan',
  },
  {
    name: 'schedule of no optimizer',
    call: () => new optim.StepLR({} as never, { stepSize: 1 }),
    message: 'StepLR: an optimizer was expected',
  },
  {
    name: 'schedule without a step size',
    call: () => new optim.StepLR(new optim.SGD([weight()]), {} as never),
    message: 'StepLR: stepSize must be a whole number of 1 or more: undefined',
  },
  {
    name: 'one cycle run past its end',
    call: () => {
      const schedule = new optim.OneCycleLR(new optim.SGD([weight()]), { maxLr: 1, totalSteps: 2 });
      schedule.step();
      schedule.step();
    },
    message: 'OneCycleLR: the cycle of 2 steps is over: step 2',
  },
];
