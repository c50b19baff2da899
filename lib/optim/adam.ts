import { adamStep } from '../ops/optim.js';
import { checkFlag } from '../options.js';
import type { Tensor } from '../tensor.js';
import { checkBetas, checkNumber, type Learnable, Optimizer, type ParamGroup, type ParamState } from './optimizer.js';

/** Hyperparameters of {@link Adam} and {@link AdamW}. */
export interface AdamOptions {
  /** Learning rate; default 0.001. */
  lr: number;
  /** How much of the averages of the gradient and of its square stays in each step; default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Added to the denominator; default 1e-8. */
  eps: number;
  /** Adam: L2 penalty, added to the gradient; default 0. AdamW: share of lr by which a parameter shrinks; default 0.01. */
  weightDecay: number;
  /** Divide by the largest average of squares so far instead of the last (Reddi et al., 2018). Default false. */
  amsgrad: boolean;
  /** Climb instead of descending. Default false. */
  maximize: boolean;
}

const defaults: AdamOptions = {
  lr: 1e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  amsgrad: false,
  maximize: false,
};

function check(op: string, o: AdamOptions): void {
  for (const name of ['lr', 'eps', 'weightDecay'] as const) checkNumber(op, name, o[name]);
  checkBetas(op, o.betas);
  checkFlag(op, 'amsgrad', o.amsgrad);
  checkFlag(op, 'maximize', o.maximize);
}

/** What both kinds share: their states, and a step that differs in where the decay goes. */
abstract class AdamLike extends Optimizer<AdamOptions> {
  protected stateNames({ amsgrad }: AdamOptions): readonly string[] {
    return amsgrad ? ['expAvg', 'expAvgSq', 'maxExpAvgSq'] : ['expAvg', 'expAvgSq'];
  }

  /** How much of the decay is added to the gradient, and how much shrinks the parameter itself. */
  protected abstract decays(weightDecay: number): { weightDecay: number; decoupledDecay: number };

  protected update(
    group: ParamGroup<AdamOptions>,
    params: readonly Tensor[],
    states: readonly ParamState[],
    tensors: readonly (readonly Tensor[])[],
  ): void {
    const steps = states.map(({ step }) => step);
    adamStep(params, tensors, { ...group, ...this.decays(group.weightDecay), steps });
  }
}

/**
 * Adam: steps scaled by running averages of the gradient g (plus weightDecay times the parameter) and of its square:
 * m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, p = p - lr m' / (sqrt(v') + eps) with m' = m / (1 - b1^t) and
 * v' = v / (1 - b2^t). Throws for wrong hyperparameters.
 * Source: Kingma and Ba, Adam: A Method for Stochastic Optimization, 2015.
 */
export class Adam extends AdamLike {
  constructor(params: Learnable<AdamOptions>, options: Partial<AdamOptions> = {}) {
    super(params, defaults, options, check);
  }

  protected decays(weightDecay: number) {
    return { weightDecay, decoupledDecay: 0 };
  }
}

/**
 * Adam with decoupled weight decay: the parameter is first multiplied by 1 - lr * weightDecay, and the decay stays out of
 * the averages; the rest is {@link Adam}. Throws for wrong hyperparameters.
 * Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019.
 */
export class AdamW extends AdamLike {
  constructor(params: Learnable<AdamOptions>, options: Partial<AdamOptions> = {}) {
    super(params, { ...defaults, weightDecay: 1e-2 }, options, check);
  }

  protected decays(weightDecay: number) {
    return { weightDecay: 0, decoupledDecay: weightDecay };
  }
}
