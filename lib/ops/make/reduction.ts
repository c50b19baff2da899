// How losses end: the option that all of them have.
import { fail, show } from '../../errors.js';
import { checkObject } from '../axes.js';

/** How the losses of single elements become the result: their mean, their sum, or themselves. */
export type Reduction = 'mean' | 'sum' | 'none';

/** Options of every loss. */
export interface LossOptions {
  /** "mean" (the default) and "sum" give one number, "none" one for each element. */
  readonly reduction?: Reduction;
}

/** Checks an option `reduction`. Throws for anything that is none. */
export function checkReduction(op: string, options: LossOptions): Reduction {
  checkObject(op, options);
  const { reduction = 'mean' } = options;
  if (reduction === 'mean' || reduction === 'sum' || reduction === 'none') return reduction;
  return fail(op, 'reduction must be "mean", "sum" or "none"', show(reduction));
}
