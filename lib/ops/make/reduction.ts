// How losses end: the option that all of them have.
import { fail, show } from '../../errors.js';
import { checkOptions } from '../../options.js';

/** How the losses of single elements become the result: their mean, their sum, or themselves. */
export type Reduction = 'mean' | 'sum' | 'none';

/** Options of every loss. */
export interface LossOptions {
  /** "mean" (the default) and "sum" give one number, "none" one for each element. */
  readonly reduction?: Reduction;
}

const reductionAlone = ['reduction'] as const;

/** Checks the options of a loss; returns its `reduction`. Throws for anything that is none. */
export function checkReduction<O extends LossOptions>(
  op: string,
  options: O,
  known: readonly (keyof O & string)[] = reductionAlone,
): Reduction {
  checkOptions(op, options, known);
  const { reduction = 'mean' } = options;
  if (reduction === 'mean' || reduction === 'sum' || reduction === 'none') return reduction;
  return fail(op, 'reduction must be "mean", "sum" or "none"', show(reduction));
}
