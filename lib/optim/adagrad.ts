import { adagradStep } from '../ops/optim.js';
import { checkFlag } from '../options.js';
import type { Tensor } from '../tensor.js';
import { checkNumber, type Learnable, Optimizer, type ParamGroup, type ParamState } from './optimizer.js';

/** Hyperparameters of {@link Adagrad}. */
export interface AdagradOptions {
  /** Learning rate; default 0.01. */
  lr: number;
  /** Step t uses lr / (1 + (t - 1) lrDecay); default 0. */
  lrDecay: number;
  /** L2 penalty, added to the gradient; default 0. */
  weightDecay: number;
  /** What the sums of squares begin with; default 0. */
  initialAccumulatorValue: number;
  /** Added to the denominator; default 1e-10. */
  eps: number;
  /** Climb instead of descending. Default false. */
  maximize: boolean;
}

function check(op: string, o: AdagradOptions): void {
  const names = ['lr', 'lrDecay', 'weightDecay', 'initialAccumulatorValue', 'eps'] as const;
  for (const name of names) checkNumber(op, name, o[name]);
  checkFlag(op, 'maximize', o.maximize);
}

/**
 * Adagrad: steps divided by the root of the sum of all squared gradients g (plus weightDecay times the parameter):
 * s = s + g^2, p = p - lr g / (sqrt(s) + eps). Throws for wrong hyperparameters.
 * Source: Duchi, Hazan and Singer, Adaptive Subgradient Methods for Online Learning and Stochastic Optimization, 2011.
 */
export class Adagrad extends Optimizer<AdagradOptions> {
  constructor(params: Learnable<AdagradOptions>, options: Partial<AdagradOptions> = {}) {
    const rest = { lrDecay: 0, weightDecay: 0, initialAccumulatorValue: 0, eps: 1e-10, maximize: false };
    super(params, { lr: 1e-2, ...rest }, options, check);
  }

  protected stateNames(): readonly string[] {
    return ['sum'];
  }

  protected override initialState({ initialAccumulatorValue }: AdagradOptions): number {
    return initialAccumulatorValue;
  }

  protected update(
    group: ParamGroup<AdagradOptions>,
    params: readonly Tensor[],
    states: readonly ParamState[],
    tensors: readonly (readonly Tensor[])[],
  ): void {
    const lrs = states.map(({ step }) => group.lr / (1 + (step - 1) * group.lrDecay));
    adagradStep(params, tensors, { ...group, lrs });
  }
}
