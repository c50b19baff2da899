import { rmspropStep } from '../ops/optim.js';
import { checkFlag } from '../options.js';
import type { Tensor } from '../tensor.js';
import { checkNumber, type Learnable, Optimizer, type ParamGroup, type ParamState } from './optimizer.js';

/** Hyperparameters of {@link RMSprop}. */
export interface RMSpropOptions {
  /** Learning rate; default 0.01. */
  lr: number;
  /** How much of the average of squares stays in each step; default 0.99. */
  alpha: number;
  /** Added to the denominator; default 1e-8. */
  eps: number;
  /** L2 penalty, added to the gradient; default 0. */
  weightDecay: number;
  /** How much of the last update goes on; default 0. */
  momentum: number;
  /** Divide by the gradient's estimated deviation: its average is subtracted. Default false. */
  centered: boolean;
  /** Climb instead of descending. Default false. */
  maximize: boolean;
}

function check(op: string, o: RMSpropOptions): void {
  for (const name of ['lr', 'eps', 'weightDecay', 'momentum'] as const) checkNumber(op, name, o[name]);
  checkNumber(op, 'alpha', o.alpha, 0, 1);
  checkFlag(op, 'centered', o.centered);
  checkFlag(op, 'maximize', o.maximize);
}

/**
 * RMSprop: steps divided by the root of a running average of the squared gradient g (plus weightDecay times the parameter):
 * v = alpha v + (1 - alpha) g^2, p = p - lr g / (sqrt(v) + eps); `centered` subtracts the square of g's average from v;
 * with momentum b = momentum b + g / (sqrt(v) + eps) and p = p - lr b. Throws for wrong hyperparameters.
 * Source: Tieleman and Hinton, lecture 6.5 of Neural Networks for Machine Learning, 2012; centred: Graves, 2013.
 */
export class RMSprop extends Optimizer<RMSpropOptions> {
  constructor(params: Learnable<RMSpropOptions>, options: Partial<RMSpropOptions> = {}) {
    const rest = { eps: 1e-8, weightDecay: 0, momentum: 0, centered: false, maximize: false };
    super(params, { lr: 1e-2, alpha: 0.99, ...rest }, options, check);
  }

  protected stateNames({ momentum, centered }: RMSpropOptions): readonly string[] {
    return ['squareAvg', ...(momentum === 0 ? [] : ['momentumBuffer']), ...(centered ? ['gradAvg'] : [])];
  }

  protected update(
    group: ParamGroup<RMSpropOptions>,
    params: readonly Tensor[],
    _states: readonly ParamState[],
    tensors: readonly (readonly Tensor[])[],
  ): void {
    rmspropStep(params, tensors, group);
  }
}
