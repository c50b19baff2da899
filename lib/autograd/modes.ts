import { context, runIn } from '../context.js';
import { fail, show } from '../errors.js';

/**
 * Runs `fn` without recording: results do not require grad, and tensors that do may be changed in place. `fn` may be
 * async; other code that runs meanwhile is not affected. Returns what `fn` returns.
 */
export function noGrad<R>(fn: () => R): R {
  if (typeof fn !== 'function') fail('noGrad', 'a function was expected', show(fn));
  return runIn({ grad: false }, fn);
}

/** Runs `fn` with recording switched on, inside of noGrad too. `fn` may be async. */
export function enableGrad<R>(fn: () => R): R {
  if (typeof fn !== 'function') fail('enableGrad', 'a function was expected', show(fn));
  return runIn({ grad: true }, fn);
}

/** Whether calls made here are recorded. */
export function isGradEnabled(): boolean {
  return context().grad;
}
