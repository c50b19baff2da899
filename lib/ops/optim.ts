// Optimizer steps as ops over all parameters of a group at once. Inputs and outputs come grouped by kind: parameters,
// gradients, first states, second states, ... in; parameters, first states, ... out. The optimizers run them in place.
// Formulas and their order are those of torch.optim.
import { defineOp, type Op, type RefArray } from '../define.js';
import { applyInto } from '../dispatch.js';
import { dtypes } from '../dtype.js';
import { fail } from '../errors.js';
import { formatShape, numel, sameShape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { bytesOf } from './cost.js';

/** Attributes that every step has. */
interface Common {
  /** Added to the gradient: weightDecay * parameter. */
  readonly weightDecay: number;
  /** Climb instead of descending. */
  readonly maximize: boolean;
}

/** One element of one parameter, for the references. */
interface Element {
  p: number;
  g: number;
  states: number[];
}

interface StepRow<A extends Common> {
  readonly name: string;
  readonly states: readonly string[];
  /** How many of the states are in use. */
  readonly used: (attrs: A) => number;
  readonly pack: (attrs: A) => number[];
  /** Updates one element of parameter number k; the sign and the weight decay are in g already. */
  readonly update: (element: Element, attrs: A, k: number) => void;
  readonly flops: number;
}

function defineStep<A extends Common>(row: StepRow<A>): Op<A> {
  const { name } = row;
  const countOf = (inputs: readonly unknown[], attrs: A) => inputs.length / (2 + row.used(attrs));
  return defineOp<A>({
    name,
    inputs: ['params', 'grads', ...row.states],
    variadic: true,
    infer: (inputs, attrs) => {
      const count = countOf(inputs, attrs);
      inputs.forEach((m, i) => {
        const p = inputs[i % count];
        if (sameShape(m.shape, p.shape) && m.dtype === p.dtype) return;
        const what = ['parameter', 'gradient', ...row.states][Math.floor(i / count)];
        const given = `parameter ${formatShape(p.shape)} ${p.dtype}, ${what} ${formatShape(m.shape)} ${m.dtype}`;
        fail(name, `${what} and parameter differ in shape or dtype`, given);
      });
      if (!dtypes[inputs[0].dtype].isFloat) fail(name, 'parameters must be float32 or float64', inputs[0].dtype);
      return [...inputs.slice(0, count), ...inputs.slice(2 * count)];
    },
    pack: row.pack,
    vjp: ['none'],
    ref: (inputs, attrs) => {
      const count = countOf(inputs, attrs);
      const out = [...inputs.slice(0, count), ...inputs.slice(2 * count)].map(
        ({ shape, data }): RefArray => ({ shape, data: data.slice() }),
      );
      for (let k = 0; k < count; k++) {
        for (let i = 0; i < inputs[k].data.length; i++) {
          const at = (kind: number) => inputs[kind * count + k].data[i];
          const states = Array.from({ length: row.used(attrs) }, (_, s) => at(2 + s));
          const g = (attrs.maximize ? -at(1) : at(1)) + attrs.weightDecay * at(0);
          const element = { p: at(0), g, states };
          row.update(element, attrs, k);
          out[k].data[i] = element.p;
          states.forEach((v, s) => {
            out[(1 + s) * count + k].data[i] = v;
          });
        }
      }
      return out;
    },
    cost: (inputs, outputs) => ({
      flops: row.flops * outputs.slice(0, inputs.length - outputs.length).reduce((n, m) => n + numel(m.shape), 0),
      bytes: bytesOf([...inputs, ...outputs]),
    }),
  });
}

/** Runs a step on parameters and states in place. */
function run<A>(op: Op<A>, params: readonly Tensor[], states: readonly (readonly Tensor[])[], attrs: A): void {
  const grads = params.map((p) => p.grad as Tensor);
  const rest = states.flat();
  applyInto(op, [...params, ...grads, ...rest], [...params, ...rest], attrs);
}

const flag = (on: boolean) => (on ? 1 : 0);

// ---- SGD

interface Sgd extends Common {
  readonly lr: number;
  readonly momentum: number;
  readonly nesterov: boolean;
  /** The factor of the gradient in the buffer: 1 on a parameter's first step, then 1 - dampening. */
  readonly shares: readonly number[];
}

const sgdOp = defineStep<Sgd>({
  name: 'sgdStep',
  states: ['buffers'],
  used: ({ momentum }) => (momentum === 0 ? 0 : 1),
  pack: ({ lr, momentum, weightDecay, nesterov, maximize, shares }) => [
    lr,
    momentum,
    weightDecay,
    flag(nesterov),
    flag(maximize),
    ...(momentum === 0 ? [] : shares),
  ],
  update: (x, { lr, momentum, nesterov, shares }, k) => {
    let step = x.g;
    if (momentum !== 0) {
      x.states[0] = momentum * x.states[0] + shares[k] * x.g;
      step = nesterov ? x.g + momentum * x.states[0] : x.states[0];
    }
    x.p -= lr * step;
  },
  flops: 6,
});

/** @internal b = momentum b + share g; p -= lr (b, or g + momentum b with nesterov, or g without momentum), in place. */
export function sgdStep(params: readonly Tensor[], states: readonly (readonly Tensor[])[], attrs: Sgd): void {
  run(sgdOp, params, states, attrs);
}

// ---- Adam, AdamW

interface Adam extends Common {
  readonly lr: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
  /** Decay that does not pass through the averages: the parameter is multiplied by 1 - lr * decoupledDecay first. */
  readonly decoupledDecay: number;
  readonly amsgrad: boolean;
  /** How many steps each parameter has taken, this one included. */
  readonly steps: readonly number[];
}

/** What the two averages are divided by, because they began at zero: the step's size and the second's square root. */
function corrections({ lr, betas }: Adam, step: number): [size: number, root: number] {
  return [lr / (1 - betas[0] ** step), Math.sqrt(1 - betas[1] ** step)];
}

const adamOp = defineStep<Adam>({
  name: 'adamStep',
  states: ['averages', 'squares', 'largest'],
  used: ({ amsgrad }) => (amsgrad ? 3 : 2),
  pack: (attrs) => [
    ...attrs.betas,
    attrs.eps,
    attrs.weightDecay,
    1 - attrs.lr * attrs.decoupledDecay,
    flag(attrs.maximize),
    flag(attrs.amsgrad),
    ...attrs.steps.flatMap((step) => corrections(attrs, step)),
  ],
  update: (x, attrs, k) => {
    const { lr, betas, eps, decoupledDecay, amsgrad, steps } = attrs;
    const [size, root] = corrections(attrs, steps[k]);
    x.p *= 1 - lr * decoupledDecay;
    x.states[0] += (1 - betas[0]) * (x.g - x.states[0]);
    x.states[1] = betas[1] * x.states[1] + (1 - betas[1]) * x.g * x.g;
    if (amsgrad) x.states[2] = Math.max(x.states[2], x.states[1]);
    x.p -= (size * x.states[0]) / (Math.sqrt(x.states[amsgrad ? 2 : 1]) / root + eps);
  },
  flops: 14,
});

/** @internal m += (1 - b1)(g - m); v = b2 v + (1 - b2) g^2; p -= lr / (1 - b1^t) m / (sqrt(v / (1 - b2^t)) + eps), in place. */
export function adamStep(params: readonly Tensor[], states: readonly (readonly Tensor[])[], attrs: Adam): void {
  run(adamOp, params, states, attrs);
}

// ---- RMSprop

interface Rmsprop extends Common {
  readonly lr: number;
  readonly alpha: number;
  readonly eps: number;
  readonly momentum: number;
  readonly centered: boolean;
}

const rmspropOp = defineStep<Rmsprop>({
  name: 'rmspropStep',
  states: ['squares', 'buffers or averages', 'averages'],
  used: ({ momentum, centered }) => 1 + flag(momentum !== 0) + flag(centered),
  pack: ({ lr, alpha, eps, weightDecay, momentum, centered, maximize }) => [
    lr,
    alpha,
    eps,
    weightDecay,
    momentum,
    flag(centered),
    flag(maximize),
  ],
  update: (x, { lr, alpha, eps, momentum, centered }) => {
    const { states } = x;
    states[0] = alpha * states[0] + (1 - alpha) * x.g * x.g;
    let variance = states[0];
    if (centered) {
      const average = momentum === 0 ? 1 : 2;
      states[average] += (1 - alpha) * (x.g - states[average]);
      variance -= states[average] ** 2;
    }
    let step = x.g / (Math.sqrt(variance) + eps);
    if (momentum !== 0) {
      states[1] = momentum * states[1] + step;
      step = states[1];
    }
    x.p -= lr * step;
  },
  flops: 13,
});

/** @internal v = alpha v + (1 - alpha) g^2; p -= lr g / (sqrt(v) + eps), with momentum and centring as asked, in place. */
export function rmspropStep(params: readonly Tensor[], states: readonly (readonly Tensor[])[], attrs: Rmsprop): void {
  run(rmspropOp, params, states, attrs);
}

// ---- Adagrad

interface Adagrad extends Common {
  readonly eps: number;
  /** Each parameter's own learning rate, already decayed. */
  readonly lrs: readonly number[];
}

const adagradOp = defineStep<Adagrad>({
  name: 'adagradStep',
  states: ['sums'],
  used: () => 1,
  pack: ({ eps, weightDecay, maximize, lrs }) => [eps, weightDecay, flag(maximize), ...lrs],
  update: (x, { eps, lrs }, k) => {
    x.states[0] += x.g * x.g;
    x.p -= (lrs[k] * x.g) / (Math.sqrt(x.states[0]) + eps);
  },
  flops: 6,
});

/** @internal s += g^2; p -= lr g / (sqrt(s) + eps), in place. */
export function adagradStep(params: readonly Tensor[], states: readonly (readonly Tensor[])[], attrs: Adagrad): void {
  run(adagradOp, params, states, attrs);
}
