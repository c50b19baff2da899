import { fail, show } from '../errors.js';
import { checkFlag, checkOptions, withDefaults } from '../options.js';
import { checkInteger } from '../shape.js';
import { type AnyOptimizer, checkNumber } from './optimizer.js';
import { LRScheduler } from './schedule.js';

/** How OneCycleLR goes. */
export interface OneCycleOptions {
  /** The highest rate. */
  readonly maxLr: number;
  /** Steps of the whole cycle; `step()` is called once a batch. */
  readonly totalSteps: number;
  /** The share of steps in which the rate rises; default 0.3. */
  readonly pctStart?: number;
  /** The form of rise and fall; default "cos". */
  readonly annealStrategy?: 'cos' | 'linear';
  /** The first rate is maxLr / divFactor; default 25. */
  readonly divFactor?: number;
  /** The last rate is the first / finalDivFactor; default 10,000. */
  readonly finalDivFactor?: number;
  /** Let momentum (or the first of the betas) fall while the rate rises, and rise while it falls. Default true. */
  readonly cycleMomentum?: boolean;
  /** Momentum where the rate is highest; default 0.85. */
  readonly baseMomentum?: number;
  /** Momentum where the rate is lowest; default 0.95. */
  readonly maxMomentum?: number;
}

interface WithMomentum {
  momentum?: number;
  betas?: readonly [number, number];
}

/**
 * The 1cycle policy: the rate rises from maxLr / divFactor to maxLr and falls to maxLr / (divFactor finalDivFactor) within
 * `totalSteps`, and momentum goes the other way. Stepping further is an error.
 * Source: Smith and Topin, Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates, 2018.
 */
export class OneCycleLR extends LRScheduler {
  private readonly options: Required<OneCycleOptions>;

  constructor(optimizer: AnyOptimizer, options: OneCycleOptions) {
    super(optimizer);
    const op = 'OneCycleLR';
    const rest = { pctStart: 0.3, annealStrategy: 'cos', divFactor: 25, finalDivFactor: 1e4 } as const;
    const momenta = { cycleMomentum: true, baseMomentum: 0.85, maxMomentum: 0.95 };
    const defaults = { ...rest, ...momenta };
    const known = Object.keys(defaults) as (keyof typeof defaults)[];
    checkOptions(op, options, ['maxLr', 'totalSteps', ...known]);
    this.options = withDefaults(defaults, options);
    checkFlag(op, 'cycleMomentum', this.options.cycleMomentum);
    const { maxLr, totalSteps, pctStart, annealStrategy, divFactor, finalDivFactor } = this.options;
    checkNumber(op, 'maxLr', maxLr);
    checkInteger(op, 'totalSteps', totalSteps, 1);
    if (!(pctStart >= 0 && pctStart <= 1)) fail(op, 'pctStart must be in [0, 1]', show(pctStart));
    if (!['cos', 'linear'].includes(annealStrategy)) {
      fail(op, 'annealStrategy must be one of cos, linear', show(annealStrategy));
    }
    if (!(divFactor > 0)) fail(op, 'divFactor must be a positive number', show(divFactor));
    if (!(finalDivFactor > 0)) fail(op, 'finalDivFactor must be a positive number', show(finalDivFactor));
    checkNumber(op, 'baseMomentum', this.options.baseMomentum, 0, 1);
    checkNumber(op, 'maxMomentum', this.options.maxMomentum, 0, 1);
    this.apply();
  }

  /** Between three values: at the start, where the rate is highest, and at the end. */
  private between(step: number, start: number, middle: number, end: number): number {
    const { totalSteps, pctStart, annealStrategy } = this.options;
    const top = pctStart * totalSteps - 1;
    const last = totalSteps - 1;
    const rising = step <= top;
    const [from, to] = rising ? [start, middle] : [middle, end];
    const length = rising ? top : last - top;
    const share = length > 0 ? (step - (rising ? 0 : top)) / length : 1;
    return annealStrategy === 'linear'
      ? from + (to - from) * share
      : to + ((from - to) / 2) * (1 + Math.cos(Math.PI * share));
  }

  lrAt(step: number): number {
    const { maxLr, divFactor, finalDivFactor } = this.options;
    const first = maxLr / divFactor;
    return this.between(step, first, maxLr, first / finalDivFactor);
  }

  protected override apply(): void {
    const { cycleMomentum, baseMomentum, maxMomentum, totalSteps } = this.options;
    if (this.steps >= totalSteps) fail('OneCycleLR', `the cycle of ${totalSteps} steps is over`, `step ${this.steps}`);
    super.apply();
    if (!cycleMomentum) return;
    const momentum = this.between(this.steps, maxMomentum, baseMomentum, maxMomentum);
    for (const group of this.optimizer.paramGroups as WithMomentum[]) {
      if (group.betas !== undefined) group.betas = [momentum, group.betas[1]];
      else if (group.momentum) group.momentum = momentum;
    }
  }

  override step(): void {
    if (this.steps + 1 >= this.options.totalSteps) {
      fail('OneCycleLR', `the cycle of ${this.options.totalSteps} steps is over`, `step ${this.steps + 1}`);
    }
    super.step();
  }
}
