import { fail } from '../errors.js';
import { sgdStep } from '../ops/optim.js';
import { checkFlag } from '../options.js';
import type { Tensor } from '../tensor.js';
import { checkNumber, type Learnable, Optimizer, type ParamGroup, type ParamState } from './optimizer.js';

/** Hyperparameters of {@link SGD}. */
export interface SGDOptions {
  /** Learning rate; default 0.001. */
  lr: number;
  /** How much of the last update goes on; default 0. */
  momentum: number;
  /** How much of the gradient momentum leaves out; default 0. */
  dampening: number;
  /** L2 penalty, added to the gradient; default 0. */
  weightDecay: number;
  /** Nesterov's momentum: looks ahead by one update. Default false. */
  nesterov: boolean;
  /** Climb instead of descending. Default false. */
  maximize: boolean;
}

function check(op: string, o: SGDOptions): void {
  for (const name of ['lr', 'momentum', 'weightDecay'] as const) checkNumber(op, name, o[name]);
  checkNumber(op, 'dampening', o.dampening, Number.NEGATIVE_INFINITY);
  checkFlag(op, 'nesterov', o.nesterov);
  checkFlag(op, 'maximize', o.maximize);
  if (o.nesterov && (o.momentum === 0 || o.dampening !== 0)) {
    fail(op, 'nesterov needs a momentum and no dampening', `momentum ${o.momentum}, dampening ${o.dampening}`);
  }
}

/**
 * Stochastic gradient descent. With g the gradient (plus weightDecay times the parameter):
 * b = momentum b + (1 - dampening) g (on the first step b = g), and p = p - lr b; with `nesterov`
 * p = p - lr (g + momentum b); without momentum p = p - lr g. Throws for wrong hyperparameters.
 * Nesterov's form: Sutskever et al., On the importance of initialization and momentum in deep learning, 2013.
 */
export class SGD extends Optimizer<SGDOptions> {
  constructor(params: Learnable<SGDOptions>, options: Partial<SGDOptions> = {}) {
    const defaults = { lr: 1e-3, momentum: 0, dampening: 0, weightDecay: 0, nesterov: false, maximize: false };
    super(params, defaults, options, check);
  }

  protected stateNames({ momentum }: SGDOptions): readonly string[] {
    return momentum === 0 ? [] : ['momentumBuffer'];
  }

  protected update(
    group: ParamGroup<SGDOptions>,
    params: readonly Tensor[],
    states: readonly ParamState[],
    tensors: readonly (readonly Tensor[])[],
  ): void {
    const shares = states.map(({ fresh }) => (fresh ? 1 : 1 - group.dampening));
    sgdStep(params, tensors, { ...group, shares });
  }
}
