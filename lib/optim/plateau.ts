import { fail, show } from '../errors.js';
import { checkOptions, withDefaults } from '../options.js';
import { checkInteger } from '../shape.js';
import { type AnyOptimizer, checkNumber } from './optimizer.js';

/** How ReduceLROnPlateau judges. */
export interface PlateauOptions {
  /** Whether the metric should fall ("min", the default) or rise ("max"). */
  readonly mode?: 'min' | 'max';
  /** What the rate is multiplied by; below 1, default 0.1. */
  readonly factor?: number;
  /** Steps without improvement that are put up with; default 10. */
  readonly patience?: number;
  /** How much better counts as better; default 0.0001. */
  readonly threshold?: number;
  /** Whether the threshold is a share of the best value ("rel", the default) or a difference ("abs"). */
  readonly thresholdMode?: 'rel' | 'abs';
  /** Steps after a reduction in which nothing is counted; default 0. */
  readonly cooldown?: number;
  /** The rate never goes below this; default 0. */
  readonly minLr?: number;
  /** Smaller changes of the rate are not made; default 1e-8. */
  readonly eps?: number;
}

/** What ReduceLROnPlateau saves: plain data. */
export interface PlateauState {
  readonly best: number | null;
  readonly badSteps: number;
  readonly cooldownLeft: number;
}

/** Multiplies the rate by `factor` when a metric has not improved for more than `patience` steps. */
export class ReduceLROnPlateau {
  private readonly options: Required<PlateauOptions>;
  private best: number | null = null;
  private badSteps = 0;
  private cooldownLeft = 0;

  constructor(
    private readonly optimizer: AnyOptimizer,
    options: PlateauOptions = {},
  ) {
    const op = 'ReduceLROnPlateau';
    const rest = { patience: 10, threshold: 1e-4, cooldown: 0, minLr: 0, eps: 1e-8 };
    const defaults = { mode: 'min', thresholdMode: 'rel', factor: 0.1, ...rest } as const;
    checkOptions(op, options, Object.keys(defaults) as (keyof PlateauOptions)[]);
    this.options = withDefaults(defaults, options);
    const { mode, thresholdMode, factor, threshold, patience, cooldown, minLr, eps } = this.options;
    if (!Array.isArray(optimizer?.paramGroups)) fail(op, 'an optimizer was expected', show(optimizer));
    if (!['min', 'max'].includes(mode)) fail(op, 'mode must be one of min, max', show(mode));
    if (!['rel', 'abs'].includes(thresholdMode)) {
      fail(op, 'thresholdMode must be one of rel, abs', show(thresholdMode));
    }
    checkNumber(op, 'factor', factor, 0, 1);
    checkNumber(op, 'threshold', threshold);
    checkNumber(op, 'minLr', minLr);
    checkNumber(op, 'eps', eps);
    checkInteger(op, 'patience', patience);
    checkInteger(op, 'cooldown', cooldown);
  }

  private improves(metric: number): boolean {
    if (this.best === null) return !Number.isNaN(metric);
    const { mode, threshold, thresholdMode } = this.options;
    const sign = mode === 'min' ? -1 : 1;
    const margin = thresholdMode === 'rel' ? threshold * this.best : threshold;
    return sign * metric > sign * this.best + margin;
  }

  /** Takes note of the metric after an epoch, and reduces the rate when it is time. Throws unless it is a number. */
  step(metric: number): void {
    if (typeof metric !== 'number') fail('ReduceLROnPlateau.step', 'the metric must be a number', show(metric));
    if (this.improves(metric)) {
      this.best = metric;
      this.badSteps = 0;
    } else {
      this.badSteps++;
    }
    if (this.cooldownLeft > 0) {
      this.cooldownLeft--;
      this.badSteps = 0;
    }
    if (this.badSteps <= this.options.patience) return;
    const { factor, minLr, eps, cooldown } = this.options;
    for (const group of this.optimizer.paramGroups) {
      const lr = Math.max(group.lr * factor, minLr);
      if (group.lr - lr > eps) group.lr = lr;
    }
    this.cooldownLeft = cooldown;
    this.badSteps = 0;
  }

  /** The rates in use, one a group. */
  getLastLr(): number[] {
    return this.optimizer.paramGroups.map((group) => group.lr);
  }

  /** What it takes to go on later. */
  stateDict(): PlateauState {
    return { best: this.best, badSteps: this.badSteps, cooldownLeft: this.cooldownLeft };
  }

  /** Goes on from a saved state. Throws when it is not one. */
  loadStateDict(state: PlateauState): void {
    const op = 'ReduceLROnPlateau.loadStateDict';
    if (state?.best !== null && typeof state?.best !== 'number') fail(op, 'best must be a number or null', show(state));
    this.badSteps = checkInteger(op, 'badSteps', state.badSteps);
    this.cooldownLeft = checkInteger(op, 'cooldownLeft', state.cooldownLeft);
    this.best = state.best;
  }
}
