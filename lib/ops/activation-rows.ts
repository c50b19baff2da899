// The gradients of activations that can be told from their result, as rows of their own: one pass over memory instead of
// several.
import type { Op } from '../define.js';
import { apply } from '../dispatch.js';
import { type Elementwise, elementwiseRow } from './make/elementwise.js';

/** `name`Grad(g, x): the gradient g of an activation's result times its derivative at x (or in terms of its result). */
export function gradient<A = undefined>(
  name: string,
  at: 'x' | 'out',
  ref: Elementwise<A>['ref'],
  rest: Omit<Elementwise<A>, 'ref'>,
): Op<A> {
  return elementwiseRow<A>(name, ['g', at], { save: ['g', at], ref, ...rest });
}

/** 1 / (1 + e^-x) in float64, without overflow. */
export const sigmoidRef = (x: number) => (x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x)));

/** g where the rectifier let pass. */
export const reluGradOp: Op<undefined> = gradient('reluGrad', 'out', ([g, out]) => (out <= 0 ? 0 : g), {
  save: ['out'],
  vjp: [(gg, { out }) => apply(reluGradOp, [gg, out], undefined), 'zero'],
});

/** g times the slope of the logistic function, from its result. */
export const sigmoidGradOp: Op<undefined> = gradient('sigmoidGrad', 'out', ([g, out]) => g * out * (1 - out), {
  flops: 3,
  vjp: [
    (gg, { out }) => apply(sigmoidGradOp, [gg, out], undefined),
    (gg, { g, out }) => gg.mul(g).mul(out.mul(-2).add(1)),
  ],
});

// A tanh lies within [-1, 1]: beyond it the square could overflow.
const tanhSlope = (out: number) => (Math.abs(out) > 1 ? 0 : (1 - out) * (1 + out));

/** g times the slope of the hyperbolic tangent, from its result. */
export const tanhGradOp: Op<undefined> = gradient('tanhGrad', 'out', ([g, out]) => g * tanhSlope(out), {
  flops: 4,
  vjp: [(gg, { out }) => apply(tanhGradOp, [gg, out], undefined), (gg, { g, out }) => gg.mul(g).mul(out).mul(-2)],
});
