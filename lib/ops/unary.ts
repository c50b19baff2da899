// Elementwise functions of one tensor.
import { apply } from '../dispatch.js';
import type { Tensor } from '../tensor.js';
import { checkTensor } from './axes.js';
import { elementwiseRow, type Unary, unary } from './make/elementwise.js';
import { erfRef } from './make/normal.js';

/** -x, elementwise. Integers wrap around. Throws for bool. */
export const neg: Unary = unary('neg', { accepts: 'numbers', ref: ([x]) => -x, vjp: [(g) => g.neg()] });

/** The magnitude |x|, elementwise. Its gradient at 0 is 0. Throws for bool. */
export const abs: Unary = unary('abs', {
  accepts: 'numbers',
  ref: ([x]) => Math.abs(x),
  save: ['x'],
  vjp: [(g, { x }) => g.mul(x.sign())],
});

/** -1, 0 or 1, elementwise: the sign of x; 0 for 0 and for nan. Throws for bool. */
export const sign: Unary = unary('sign', {
  accepts: 'numbers',
  ref: ([x]) => Number(x > 0) - Number(x < 0),
  vjp: ['zero'],
});

/** x^2, elementwise. Integers wrap around. Throws for bool. */
export const square: Unary = unary('square', {
  accepts: 'numbers',
  ref: ([x]) => x * x,
  save: ['x'],
  vjp: [(g, { x }) => g.mul(x.mul(2))],
});

/** 1 / x, elementwise. Integers are computed in float32. */
export const reciprocal: Unary = unary('reciprocal', {
  ref: ([x]) => 1 / x,
  save: ['out'],
  vjp: [(g, { out }) => g.mul(out.square()).neg()],
});

/** The square root, elementwise; nan below 0. Its gradient 1 / (2 sqrt(x)) is infinite at 0. Integers: float32. */
export const sqrt: Unary = unary('sqrt', {
  ref: ([x]) => Math.sqrt(x),
  save: ['out'],
  vjp: [(g, { out }) => g.div(out.mul(2))],
});

/** 1 / sqrt(x), elementwise; infinite at 0, nan below. At most 1.5 ulp off. Integers are computed in float32. */
export const rsqrt: Unary = unary('rsqrt', {
  flops: 2,
  ref: ([x]) => 1 / Math.sqrt(x),
  save: ['out'],
  vjp: [(g, { out }) => g.mul(out.square().mul(out)).mul(-0.5)],
});

/** e^x, elementwise. At most 1.05 ulp off. Integers are computed in float32. */
export const exp: Unary = unary('exp', {
  flops: 16,
  ref: ([x]) => Math.exp(x),
  save: ['out'],
  vjp: [(g, { out }) => g.mul(out)],
});

/** 2^x, elementwise; exact for whole x. At most 1.05 ulp off. Integers are computed in float32. */
export const exp2: Unary = unary('exp2', {
  flops: 15,
  ref: ([x]) => 2 ** x,
  save: ['out'],
  vjp: [(g, { out }) => g.mul(out).mul(Math.LN2)],
});

/** e^x - 1, elementwise, accurate for small x too: at most 1.7 ulp off. Integers are computed in float32. */
export const expm1: Unary = unary('expm1', {
  flops: 18,
  ref: ([x]) => Math.expm1(x),
  save: ['out'],
  vjp: [(g, { out }) => g.mul(out.add(1))],
});

/** The natural logarithm, elementwise; -inf at 0, nan below. At most 1 ulp off. Integers are computed in float32. */
export const log: Unary = unary('log', {
  flops: 18,
  ref: ([x]) => Math.log(x),
  save: ['x'],
  vjp: [(g, { x }) => g.div(x)],
});

/** The logarithm to base 2, elementwise; exact for powers of 2; -inf at 0, nan below. Integers: float32. */
export const log2: Unary = unary('log2', {
  flops: 18,
  ref: ([x]) => Math.log2(x),
  save: ['x'],
  vjp: [(g, { x }) => g.div(x).mul(Math.LOG2E)],
});

/** The logarithm to base 10, elementwise; exact for powers of 10 in float32; -inf at 0, nan below. Integers: float32. */
export const log10: Unary = unary('log10', {
  flops: 19,
  ref: ([x]) => Math.log10(x),
  save: ['x'],
  vjp: [(g, { x }) => g.div(x).mul(Math.LOG10E)],
});

/** log(1 + x), elementwise, accurate for small x too: at most 1 ulp off. Integers are computed in float32. */
export const log1p: Unary = unary('log1p', {
  flops: 22,
  ref: ([x]) => Math.log1p(x),
  save: ['x'],
  vjp: [(g, { x }) => g.div(x.add(1))],
});

/** The sine of x in radians, elementwise, right to 0.51 ulp for every finite x; nan for infinities. Integers: float32. */
export const sin: Unary = unary('sin', {
  flops: 20,
  ref: ([x]) => Math.sin(x),
  save: ['x'],
  vjp: [(g, { x }) => g.mul(x.cos())],
});

/** The cosine of x in radians, elementwise, right to 0.51 ulp for every finite x; nan for infinities. Integers: float32. */
export const cos: Unary = unary('cos', {
  flops: 20,
  ref: ([x]) => Math.cos(x),
  save: ['x'],
  vjp: [(g, { x }) => g.mul(x.sin()).neg()],
});

/** The tangent of x in radians, elementwise, right to 0.52 ulp for every finite x; nan for infinities. Integers: float32. */
export const tan: Unary = unary('tan', {
  flops: 22,
  ref: ([x]) => Math.tan(x),
  save: ['out'],
  vjp: [(g, { out }) => g.mul(out.square().add(1))],
});

/** The error function 2/sqrt(pi) int_0^x e^(-t^2) dt, elementwise. At most 2 ulp off. Integers: float32. */
export const erf: Unary = unary('erf', {
  flops: 40,
  ref: ([x]) => erfRef(x),
  save: ['x'],
  vjp: [(g, { x }) => g.mul(x.square().neg().exp()).mul(2 / Math.sqrt(Math.PI))],
});

/** An op that rounds to whole numbers: flat between its steps, and integers are whole already. */
function rounding(name: string, ref: (x: number) => number): Unary {
  const op = elementwiseRow(name, ['x'], { ref: ([x]) => ref(x), vjp: ['zero'], flops: 4 });
  return (x: Tensor) => (checkTensor(name, x).isFloat ? apply(op, [x], undefined) : x.clone());
}

/** The largest whole number not above x, elementwise. Integers stay as they are. */
export const floor: Unary = rounding('floor', Math.floor);

/** The smallest whole number not below x, elementwise. Integers stay as they are. */
export const ceil: Unary = rounding('ceil', Math.ceil);

/** The whole number next to x towards 0, elementwise. Integers stay as they are. */
export const trunc: Unary = rounding('trunc', Math.trunc);

const halfToEven = (x: number) => (Math.abs(x) % 1 === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));

/** The nearest whole number, halves to the even one (IEEE 754), elementwise. Integers stay as they are. */
export const round: Unary = rounding('round', halfToEven);
