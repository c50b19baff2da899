import { fail, show } from '../errors.js';
import { checkOptions } from '../options.js';
import { checkInteger } from '../shape.js';
import { type AnyOptimizer, checkNumber } from './optimizer.js';

/** What it takes to go on with a schedule later: plain data. */
export interface ScheduleState {
  readonly steps: number;
  readonly baseLrs: readonly number[];
}

/**
 * The base of learning rate schedules. A schedule sets the learning rate of every group of an optimizer: when it is made,
 * to that of step 0, and with each {@link step} to that of the next one. The rates an optimizer was made with are where all
 * its schedules start from. Call `step()` after `optimizer.step()`, once an epoch or once a batch, as the schedule counts.
 */
export abstract class LRScheduler {
  /** Steps taken. */
  protected steps = 0;
  private baseLrs: number[];

  constructor(protected readonly optimizer: AnyOptimizer) {
    if (!Array.isArray(optimizer?.paramGroups)) {
      fail(this.constructor.name, 'an optimizer was expected', show(optimizer));
    }
    for (const group of optimizer.paramGroups) group.initialLr ??= group.lr;
    this.baseLrs = optimizer.paramGroups.map((group) => group.initialLr as number);
  }

  /** The rate after `step` steps of a group whose rate was `base`. */
  abstract lrAt(step: number, base: number, group: number): number;

  /** Sets the rates of the present step; every subclass calls it once its own fields are there. */
  protected apply(): void {
    this.optimizer.paramGroups.forEach((group, i) => {
      group.lr = this.lrAt(this.steps, this.baseLrs[i] ?? group.initialLr ?? group.lr, i);
    });
  }

  /** Goes on by one step. */
  step(): void {
    this.steps++;
    this.apply();
  }

  /** The rates in use, one a group. */
  getLastLr(): number[] {
    return this.optimizer.paramGroups.map((group) => group.lr);
  }

  /** What it takes to go on later. */
  stateDict(): ScheduleState {
    return { steps: this.steps, baseLrs: [...this.baseLrs] };
  }

  /** Goes on from a saved state. Throws when it is not one, or of another number of groups. */
  loadStateDict(state: ScheduleState): void {
    const op = `${this.constructor.name}.loadStateDict`;
    if (!Array.isArray(state?.baseLrs) || state.baseLrs.length !== this.baseLrs.length) {
      fail(op, `a state with ${this.baseLrs.length} baseLrs was expected`, show(state?.baseLrs));
    }
    for (const lr of state.baseLrs) checkNumber(op, 'each of the baseLrs', lr);
    this.steps = checkInteger(op, 'steps', state.steps);
    this.baseLrs = [...state.baseLrs];
    this.apply();
  }
}

/** Every `stepSize` steps the rate is multiplied by `gamma` (default 0.1). */
export class StepLR extends LRScheduler {
  private readonly stepSize: number;
  private readonly gamma: number;

  constructor(optimizer: AnyOptimizer, options: { readonly stepSize: number; readonly gamma?: number }) {
    super(optimizer);
    const { stepSize, gamma = 0.1 } = checkOptions('StepLR', options, ['stepSize', 'gamma']);
    this.stepSize = checkInteger('StepLR', 'stepSize', stepSize, 1);
    this.gamma = gamma;
    checkNumber('StepLR', 'gamma', this.gamma);
    this.apply();
  }

  lrAt(step: number, base: number): number {
    return base * this.gamma ** Math.floor(step / this.stepSize);
  }
}

/** At each of `milestones` the rate is multiplied by `gamma` (default 0.1). */
export class MultiStepLR extends LRScheduler {
  private readonly milestones: readonly number[];
  private readonly gamma: number;

  constructor(optimizer: AnyOptimizer, options: { readonly milestones: readonly number[]; readonly gamma?: number }) {
    super(optimizer);
    const { milestones, gamma = 0.1 } = checkOptions('MultiStepLR', options, ['milestones', 'gamma']);
    if (!Array.isArray(milestones)) fail('MultiStepLR', 'milestones must be an array of steps', show(milestones));
    this.milestones = milestones.map((m) => checkInteger('MultiStepLR', 'a milestone', m));
    this.gamma = gamma;
    checkNumber('MultiStepLR', 'gamma', gamma);
    this.apply();
  }

  lrAt(step: number, base: number): number {
    return base * this.gamma ** this.milestones.filter((m) => m <= step).length;
  }
}

/** With every step the rate is multiplied by `gamma`. */
export class ExponentialLR extends LRScheduler {
  private readonly gamma: number;

  constructor(optimizer: AnyOptimizer, options: { readonly gamma: number }) {
    super(optimizer);
    this.gamma = checkOptions('ExponentialLR', options, ['gamma']).gamma;
    checkNumber('ExponentialLR', 'gamma', this.gamma);
    this.apply();
  }

  lrAt(step: number, base: number): number {
    return base * this.gamma ** step;
  }
}

/**
 * Half a cosine from the base rate at step 0 to `etaMin` (default 0) at step `tMax`:
 * etaMin + (base - etaMin) (1 + cos(pi t / tMax)) / 2. Beyond, it rises again.
 * Source: Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, 2017.
 */
export class CosineAnnealingLR extends LRScheduler {
  private readonly tMax: number;
  private readonly etaMin: number;

  constructor(optimizer: AnyOptimizer, options: { readonly tMax: number; readonly etaMin?: number }) {
    super(optimizer);
    const { tMax, etaMin = 0 } = checkOptions('CosineAnnealingLR', options, ['tMax', 'etaMin']);
    this.tMax = checkInteger('CosineAnnealingLR', 'tMax', tMax, 1);
    this.etaMin = etaMin;
    checkNumber('CosineAnnealingLR', 'etaMin', this.etaMin);
    this.apply();
  }

  lrAt(step: number, base: number): number {
    return this.etaMin + ((base - this.etaMin) * (1 + Math.cos((Math.PI * step) / this.tMax))) / 2;
  }
}

/** How LinearLR goes. */
export interface LinearLROptions {
  /** The factor at step 0; default 1/3. */
  readonly startFactor?: number;
  /** The factor from step `totalIters` on; default 1. */
  readonly endFactor?: number;
  /** Default 5. */
  readonly totalIters?: number;
}

/** The base rate times a factor that goes in a straight line from `startFactor` to `endFactor`: a warm-up. */
export class LinearLR extends LRScheduler {
  private readonly factors: readonly [number, number];
  private readonly totalIters: number;

  constructor(optimizer: AnyOptimizer, options: LinearLROptions = {}) {
    super(optimizer);
    checkOptions('LinearLR', options, ['startFactor', 'endFactor', 'totalIters']);
    const { startFactor = 1 / 3, endFactor = 1, totalIters = 5 } = options;
    checkNumber('LinearLR', 'startFactor', startFactor);
    checkNumber('LinearLR', 'endFactor', endFactor);
    this.factors = [startFactor, endFactor];
    this.totalIters = checkInteger('LinearLR', 'totalIters', totalIters, 1);
    this.apply();
  }

  lrAt(step: number, base: number): number {
    const [from, to] = this.factors;
    return base * (from + (to - from) * Math.min(1, step / this.totalIters));
  }
}

/** A factor on the base rate, as a function of the step. */
export type LrLambda = (step: number) => number;

/** The base rate times `lrLambda(step)`; one function for all groups, or one for each. */
export class LambdaLR extends LRScheduler {
  private readonly lambdas: LrLambda | readonly LrLambda[];

  constructor(optimizer: AnyOptimizer, options: { readonly lrLambda: LrLambda | readonly LrLambda[] }) {
    super(optimizer);
    const given = checkOptions('LambdaLR', options, ['lrLambda']).lrLambda;
    const lambdas = Array.isArray(given) ? given : null;
    const functions = lambdas ?? [given];
    const fits = lambdas === null || lambdas.length === optimizer.paramGroups.length;
    if (!fits || functions.some((f) => typeof f !== 'function')) {
      const groups = optimizer.paramGroups.length;
      fail('LambdaLR', `lrLambda must be a function, or one for each of the ${groups} groups`, show(given));
    }
    this.lambdas = lambdas ?? (given as LrLambda);
    this.apply();
  }

  lrAt(step: number, base: number, group: number): number {
    if (typeof this.lambdas === 'function') return base * this.lambdas(step);
    if (this.lambdas.length <= group) fail('LambdaLR', 'a group was added that has no lrLambda', `group ${group}`);
    return base * this.lambdas[group](step);
  }
}

/**
 * One schedule after the other: `schedulers[i]` is in charge from step `milestones[i - 1]` on, and counts its steps from
 * there. A warm-up before an annealing is `[new LinearLR(...), new CosineAnnealingLR(...)]`. Throws unless there is one
 * milestone less than schedules, in rising order.
 */
export class SequentialLR extends LRScheduler {
  private readonly schedulers: readonly LRScheduler[];
  private readonly milestones: readonly number[];

  constructor(
    optimizer: AnyOptimizer,
    options: { readonly schedulers: readonly LRScheduler[]; readonly milestones: readonly number[] },
  ) {
    super(optimizer);
    const { schedulers, milestones } = checkOptions('SequentialLR', options, ['schedulers', 'milestones']);
    if (!Array.isArray(schedulers) || !schedulers.every((s) => s instanceof LRScheduler)) {
      fail('SequentialLR', 'schedulers must be an array of schedules', show(schedulers));
    }
    if (!Array.isArray(milestones) || milestones.length !== schedulers.length - 1) {
      fail('SequentialLR', 'there must be one milestone less than schedules', show(milestones));
    }
    milestones.forEach((m, i) => {
      checkInteger('SequentialLR', 'a milestone', m, i === 0 ? 0 : milestones[i - 1]);
    });
    this.schedulers = schedulers;
    this.milestones = milestones;
    this.apply();
  }

  lrAt(step: number, base: number, group: number): number {
    const current = this.milestones.filter((m) => m <= step).length;
    const start = current === 0 ? 0 : this.milestones[current - 1];
    return this.schedulers[current].lrAt(step - start, base, group);
  }
}
