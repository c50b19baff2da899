// Activation functions, elementwise. Their gradients are rows of their own: one pass over memory instead of several.
import type { Op } from '../define.js';
import { apply } from '../dispatch.js';
import { fail, show } from '../errors.js';
import { checkOptions } from '../options.js';
import type { Tensor } from '../tensor.js';
import { gradient, reluGradOp, sigmoidGradOp, sigmoidRef, tanhGradOp } from './activation-rows.js';
import { elementwiseRow, type Unary, unary } from './make/elementwise.js';
import { normalBelowRef } from './make/normal.js';
import { accepted } from './make/operands.js';

// ---- from the result

/** The rectifier max(x, 0), elementwise; nan stays. Its gradient at 0 is 0. Throws for bool. */
export const relu: Unary = unary('relu', {
  accepts: 'numbers',
  ref: ([x]) => (x < 0 ? 0 : x),
  save: ['out'],
  vjp: [(g, { out }) => apply(reluGradOp, [g, out], undefined)],
});

/** The logistic function 1 / (1 + e^-x), elementwise. At most 2.5 ulp off. Integers are computed in float32. */
export const sigmoid: Unary = unary('sigmoid', {
  flops: 18,
  ref: ([x]) => sigmoidRef(x),
  save: ['out'],
  vjp: [(g, { out }) => apply(sigmoidGradOp, [g, out], undefined)],
});

/** The hyperbolic tangent, elementwise. At most 2.4 ulp off. Integers are computed in float32. */
export const tanh: Unary = unary('tanh', {
  flops: 24,
  ref: ([x]) => Math.tanh(x),
  save: ['out'],
  vjp: [(g, { out }) => apply(tanhGradOp, [g, out], undefined)],
});

// ---- from the argument

const siluGradOp: Op<undefined> = gradient(
  'siluGrad',
  'x',
  ([g, x]) => g * (sigmoidRef(x) * (1 + x * sigmoidRef(-x))),
  {
    flops: 23,
    vjp: [
      (gg, { x }) => apply(siluGradOp, [gg, x], undefined),
      (gg, { g, x }) => {
        const s = x.sigmoid();
        const slope = s.mul(s.neg().add(1));
        return gg.mul(g).mul(slope.mul(x.mul(s.mul(-2).add(1)).add(2)));
      },
    ],
  },
);

/** The sigmoid linear unit x sigmoid(x), elementwise (Elfwing et al. 2017; "swish"). Integers: float32. */
export const silu: Unary = unary('silu', {
  flops: 19,
  ref: ([x]) => x * sigmoidRef(x),
  save: ['x'],
  vjp: [(g, { x }) => apply(siluGradOp, [g, x], undefined)],
});

const density = (x: number) => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);

const geluGradOp: Op<undefined> = gradient('geluGrad', 'x', ([g, x]) => g * (normalBelowRef(x) + x * density(x)), {
  flops: 45,
  vjp: [
    (gg, { x }) => apply(geluGradOp, [gg, x], undefined),
    (gg, { g, x }) => {
      const square = x.square();
      return gg.mul(g).mul(
        square
          .mul(-0.5)
          .exp()
          .mul(square.neg().add(2))
          .mul(1 / Math.sqrt(2 * Math.PI)),
      );
    },
  ],
});
const geluOp: Op<undefined> = elementwiseRow('gelu', ['x'], {
  flops: 40,
  ref: ([x]) => x * normalBelowRef(x),
  save: ['x'],
  vjp: [(g, { x }) => apply(geluGradOp, [g, x], undefined)],
});

const scale = 2 * Math.sqrt(2 / Math.PI);
const cubic = 0.044715;
const geluTanhRef = (x: number) => sigmoidRef(scale * x * (1 + cubic * x * x));

const geluTanhGradOp: Op<undefined> = gradient(
  'geluTanhGrad',
  'x',
  ([g, x]) => {
    const s = geluTanhRef(x);
    const bend = x * s * geluTanhRef(-x);
    return g * (bend === 0 ? s : s + bend * scale * (1 + 3 * cubic * x * x));
  },
  {
    flops: 34,
    vjp: [
      (gg, { x }) => apply(geluTanhGradOp, [gg, x], undefined),
      // With w = scale (x + cubic x^3) and s = sigmoid(w): (x s)'' = s' (2 w' + x ((1 - 2 s) w'^2 + w'')), s' = s (1 - s)
      (gg, { g, x }) => {
        const square = x.square();
        const s = x.mul(square.mul(cubic).add(1)).mul(scale).sigmoid();
        const w1 = square
          .mul(3 * cubic)
          .add(1)
          .mul(scale);
        const w2 = x.mul(6 * cubic * scale);
        const bend = s.mul(-2).add(1).mul(w1.square()).add(w2);
        return gg.mul(g).mul(s.mul(s.neg().add(1)).mul(w1.mul(2).add(x.mul(bend))));
      },
    ],
  },
);
const geluTanhOp: Op<undefined> = elementwiseRow('geluTanh', ['x'], {
  flops: 24,
  ref: ([x]) => x * geluTanhRef(x),
  save: ['x'],
  vjp: [(g, { x }) => apply(geluTanhGradOp, [g, x], undefined)],
});

/** How {@link gelu} is computed. */
export interface GeluOptions {
  /** `none`: by the normal distribution itself; `tanh`: x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). Default `none`. */
  readonly approximate?: 'none' | 'tanh';
}

/**
 * The Gaussian error linear unit x P(normal < x) = x/2 (1 + erf(x / sqrt 2)), elementwise (Hendrycks and Gimpel 2016).
 * Integers are computed in float32. Throws when `approximate` is neither `none` nor `tanh`.
 */
export function gelu(x: Tensor, options: GeluOptions = {}): Tensor {
  checkOptions('gelu', options, ['approximate']);
  const { approximate = 'none' } = options;
  if (approximate !== 'none' && approximate !== 'tanh') {
    fail('gelu', 'approximate must be none or tanh', show(approximate));
  }
  return apply(approximate === 'tanh' ? geluTanhOp : geluOp, [accepted('gelu', 'floats', x)], undefined);
}

// ---- with a parameter

interface Slope {
  readonly negativeSlope: number;
}
interface Alpha {
  readonly alpha: number;
}
interface Beta {
  readonly beta: number;
}

function checkNumber(op: string, what: string, value: unknown): number {
  return typeof value === 'number' ? value : fail(op, `${what} must be a number`, show(value));
}

const leakyReluGradOp: Op<Slope> = gradient<Slope>(
  'leakyReluGrad',
  'x',
  ([g, x], { negativeSlope }) => (x > 0 ? g : negativeSlope * g),
  {
    pack: ({ negativeSlope }) => [negativeSlope],
    save: ['x'],
    vjp: [(gg, { x }, { attrs }) => apply(leakyReluGradOp, [gg, x], attrs), 'zero'],
  },
);
const leakyReluOp = elementwiseRow<Slope>('leakyRelu', ['x'], {
  pack: ({ negativeSlope }) => [negativeSlope],
  ref: ([x], { negativeSlope }) => (x > 0 ? x : negativeSlope * x),
  save: ['x'],
  vjp: [(g, { x }, { attrs }) => apply(leakyReluGradOp, [g, x], attrs)],
});

/**
 * x where it is positive, else negativeSlope x (default 0.01), elementwise (Maas et al. 2013). Its gradient at 0 is
 * negativeSlope. Integers are computed in float32. Throws when negativeSlope is not a number.
 */
export function leakyRelu(x: Tensor, options: Partial<Slope> = {}): Tensor {
  checkOptions('leakyRelu', options, ['negativeSlope']);
  const negativeSlope = checkNumber('leakyRelu', 'negativeSlope', options.negativeSlope ?? 0.01);
  return apply(leakyReluOp, [accepted('leakyRelu', 'floats', x)], { negativeSlope });
}

const eluGradOp: Op<Alpha> = gradient<Alpha>(
  'eluGrad',
  'x',
  ([g, x], { alpha }) => g * (x > 0 ? 1 : alpha * Math.exp(x)),
  {
    flops: 18,
    pack: ({ alpha }) => [alpha],
    vjp: [
      (gg, { x }, { attrs }) => apply(eluGradOp, [gg, x], attrs),
      (gg, { g, x }, { attrs }) => x.gt(0).where(0, gg.mul(g).mul(x.minimum(0).exp()).mul(attrs.alpha)),
    ],
  },
);
const eluOp = elementwiseRow<Alpha>('elu', ['x'], {
  flops: 19,
  pack: ({ alpha }) => [alpha],
  ref: ([x], { alpha }) => (x > 0 ? x : alpha * Math.expm1(x)),
  save: ['x'],
  vjp: [(g, { x }, { attrs }) => apply(eluGradOp, [g, x], attrs)],
});

/**
 * The exponential linear unit: x where it is positive, else alpha (e^x - 1) (default alpha 1), elementwise (Clevert et al.
 * 2015). Its gradient at 0 is alpha. Integers are computed in float32. Throws when alpha is not a number.
 */
export function elu(x: Tensor, options: Partial<Alpha> = {}): Tensor {
  checkOptions('elu', options, ['alpha']);
  const alpha = checkNumber('elu', 'alpha', options.alpha ?? 1);
  return apply(eluOp, [accepted('elu', 'floats', x)], { alpha });
}

const softplusOp = elementwiseRow<Beta>('softplus', ['x'], {
  flops: 45,
  pack: ({ beta }) => [beta],
  ref: ([x], { beta }) => (x < 0 ? 0 : x) + Math.log1p(Math.exp(-Math.abs(beta * x))) / beta,
  save: ['x'],
  vjp: [(g, { x }, { attrs: { beta } }) => g.mul((beta === 1 ? x : x.mul(beta)).sigmoid())],
});

/**
 * log(1 + e^(beta x)) / beta (default beta 1), elementwise, exact for large x without a threshold.
 * Integers are computed in float32. Throws unless beta is above 0.
 */
export function softplus(x: Tensor, options: Partial<Beta> = {}): Tensor {
  checkOptions('softplus', options, ['beta']);
  const beta = checkNumber('softplus', 'beta', options.beta ?? 1);
  if (!(beta > 0) || beta === Infinity) fail('softplus', 'beta must be a number above 0', show(beta));
  return apply(softplusOp, [accepted('softplus', 'floats', x)], { beta });
}
