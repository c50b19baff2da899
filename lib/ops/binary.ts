// Arithmetic of two operands, elementwise with broadcasting, and the same in place.
import type { Op } from '../define.js';
import { apply, applyInto, type Operand } from '../dispatch.js';
import { type DType, dtypes } from '../dtype.js';
import { fail } from '../errors.js';
import { Tensor } from '../tensor.js';
import { checkTensor } from './axes.js';
import { type Binary, binary, elementwiseRow } from './make/elementwise.js';
import { type Accepts, describe, meetingDType } from './make/operands.js';

const addRow = binary('add', { accepts: 'all', ref: ([a, b]) => a + b, vjp: [(g) => g, (g) => g] });
const subRow = binary('sub', { accepts: 'numbers', ref: ([a, b]) => a - b, vjp: [(g) => g, (g) => g.neg()] });
const mulRow = binary('mul', {
  accepts: 'all',
  ref: ([a, b]) => a * b,
  save: ['a', 'b'],
  vjp: [(g, { b }) => g.mul(b), (g, { a }) => g.mul(a)],
});
const divRow = binary('div', {
  ref: ([a, b]) => a / b,
  save: ['b', 'out'],
  vjp: [(g, { b }) => g.div(b), (g, { b, out }) => g.mul(out).div(b).neg()],
});

/**
 * a + b, elementwise with broadcasting. Integers wrap around; for two bool tensors it is "or".
 * Throws when the shapes do not broadcast.
 */
export const add: Binary = addRow.run;

/** a - b, elementwise with broadcasting. Integers wrap around. Throws for bool, and when the shapes do not broadcast. */
export const sub: Binary = subRow.run;

/**
 * a b, elementwise with broadcasting. Integers wrap around; for two bool tensors it is "and".
 * Throws when the shapes do not broadcast.
 */
export const mul: Binary = mulRow.run;

/** a / b, elementwise with broadcasting. Integers are divided in float32. Throws when the shapes do not broadcast. */
export const div: Binary = divRow.run;

// ---- powers

const powOp = elementwiseRow('pow', ['a', 'b'], {
  accepts: 'numbers',
  flops: 40,
  ref: ([a, b]) => powRef(a, b),
  save: ['a', 'b', 'out'],
  vjp: [
    // Where b is 0 the power is 1 for every a; b a^(b-1) would be nan at a = 0.
    (g, { a, b }) => b.eq(0).where(0, g.mul(b.mul(a.pow(b.sub(1))))),
    // a^b log(a) tends to 0 with a for every b >= 0; as written it would be nan there.
    (g, { a, b, out }) =>
      a
        .eq(0)
        .logicalAnd(b.ge(0))
        .where(0, g.mul(out.mul(a.log()))),
  ],
});

// Exponents whose powers are a few products, a quotient or a root.
const shortPowers = new Set([3, 4, 0.5, -0.5, -1.5, -2, -3]);

const powScalarOp = elementwiseRow<{ exponent: number }>('powScalar', ['x'], {
  flops: ({ exponent }) => (shortPowers.has(exponent) ? 2 : 40),
  ref: ([x], { exponent }) => powRef(x, exponent),
  pack: ({ exponent }) => [exponent],
  save: ['x'],
  vjp: [(g, { x }, { attrs: { exponent } }) => (exponent === 0 ? g.mul(0) : g.mul(pow(x, exponent - 1).mul(exponent)))],
});

/** C's pow: unlike JavaScript's, 1 to any power is 1, and so is -1 to an infinite one. */
function powRef(a: number, b: number): number {
  return a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b;
}

/**
 * a^b, elementwise with broadcasting; nan for a negative base and a fractional exponent. Two integer operands give
 * integers that wrap around, with a negative exponent the whole part of 1 / a^-b. The gradients are
 * `b a^(b-1)` and `a^b log(a)`, with their limits at 0. Throws for bool, for an integer tensor to a negative number, and
 * when the shapes do not broadcast.
 */
export function pow(a: Operand, b: Operand): Tensor {
  const dtype = meetingDType('pow', a, b);
  if (dtype === 'bool') fail('pow', 'not defined for bool elements; use cast()', `${describe(a)} and ${describe(b)}`);
  const x = typeof a === 'number' ? a : a.cast(dtype);
  if (typeof b !== 'number' || typeof x === 'number') {
    return apply(powOp, [x, typeof b === 'number' ? b : b.cast(dtype)], undefined);
  }
  if (b === 2) return x.square();
  if (dtypes[dtype].isFloat) return b === -1 ? x.reciprocal() : apply(powScalarOp, [x], { exponent: b });
  if (b < 0) fail('pow', 'an integer tensor has no negative powers; cast it to float32', `${describe(a)} to ${b}`);
  return apply(powOp, [x, b], undefined);
}

// ---- the larger and the smaller

// 1 where a is the larger, 0 where b is, 1/2 where they are alike: what of a gradient goes to a.
const shareRow = binary('share', {
  ref: ([a, b]) => (a > b ? 1 : a < b ? 0 : 0.5),
  vjp: ['zero', 'zero'],
});
const share = shareRow.run;

/**
 * The angle of the point (b, a) with the positive b axis, from -pi to pi, in radians: atan(a / b) in the right quadrant.
 * Elementwise with broadcasting; at most 0.51 ulp off in float32. Integers: float32. Throws when the shapes do not
 * broadcast.
 */
export const atan2: Binary = binary('atan2', {
  flops: 24,
  ref: ([a, b]) => Math.atan2(a, b),
  save: ['a', 'b'],
  vjp: [
    (g, { a, b }) => g.mul(b.div(a.square().add(b.square()))),
    (g, { a, b }) => g.mul(a.div(a.square().add(b.square()))).neg(),
  ],
}).run;

/** The larger of a and b, elementwise with broadcasting; nan where one is. A gradient is halved where they are equal. */
export const maximum: Binary = binary('maximum', {
  accepts: 'all',
  ref: ([a, b]) => (a > b || Number.isNaN(a) ? a : b),
  save: ['a', 'b'],
  vjp: [(g, { a, b }) => g.mul(share(a, b)), (g, { a, b }) => g.mul(share(b, a))],
}).run;

/** The smaller of a and b, elementwise with broadcasting; nan where one is. A gradient is halved where they are equal. */
export const minimum: Binary = binary('minimum', {
  accepts: 'all',
  ref: ([a, b]) => (a < b || Number.isNaN(a) ? a : b),
  save: ['a', 'b'],
  vjp: [(g, { a, b }) => g.mul(share(b, a)), (g, { a, b }) => g.mul(share(a, b))],
}).run;

// ---- division that rounds down

const wholeQuotient = (a: number, b: number) => {
  if (b === 0 || !Number.isFinite(a)) return b === 0 ? a / b : Number.NaN;
  const rest = signedRest(a, b);
  const quotient = Math.abs(b) === Infinity ? (rest === a ? 0 : -1) : Math.round(a / b - rest / b);
  return quotient === 0 ? 0 * Math.sign(a / b) : quotient;
};
const signedRest = (a: number, b: number) => {
  const rest = a % b;
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
};

/**
 * What division by b leaves of a, with the sign of b: a - floor(a / b) b, elementwise with broadcasting, exact for floats.
 * Throws for bool, and when the shapes do not broadcast; for integers, reading the result fails if b holds a 0.
 */
export const remainder: Binary = binary('remainder', {
  accepts: 'numbers',
  flops: 8,
  ref: ([a, b]) => signedRest(a, b),
  save: ['a', 'b'],
  vjp: [(g) => g, (g, { a, b }) => g.mul(a.floorDivide(b)).neg()],
}).run;

/**
 * The quotient rounded down, floor(a / b), elementwise with broadcasting; flat, so no gradient flows through it.
 * Throws for bool, and when the shapes do not broadcast; for integers, reading the result fails if b holds a 0.
 */
export const floorDivide: Binary = binary('floorDivide', {
  accepts: 'numbers',
  flops: 8,
  ref: ([a, b]) => wholeQuotient(a, b),
  vjp: ['zero', 'zero'],
}).run;

// ---- in place

/** Float results may be stored in either float dtype; otherwise the target must hold what the operands meet at. */
function fits(result: DType, target: DType): boolean {
  return result === target || (dtypes[result].isFloat && dtypes[target].isFloat);
}

/** op(a, b) into the memory of a. */
function inPlace(
  name: string,
  { op, accepts }: { op: Op<undefined>; accepts: Accepts },
  a: Tensor,
  b: Operand,
): Tensor {
  checkTensor(name, a, 'the target');
  const met = meetingDType(name, a, b);
  const result = accepts === 'floats' && !dtypes[met].isFloat ? 'float32' : met;
  if (!fits(result, a.dtype)) {
    fail(name, `the result is ${result} and does not fit the target`, `${a.describe()} and ${describe(b)}`);
  }
  applyInto(op, [a, b instanceof Tensor ? b.cast(a.dtype) : b], [a], undefined, name);
  return a;
}

/**
 * a + b in the memory of a, which it returns. Throws when b does not broadcast to the shape of a or the result does not
 * fit its dtype, when `a` is expanded, and outside of noGrad when `a` or `b` requires grad.
 */
export function add_(a: Tensor, b: Operand): Tensor {
  return inPlace('add_', { op: addRow.op, accepts: 'all' }, a, b);
}

/** a - b in the memory of a, which it returns. Throws as {@link add_} does, and for bool. */
export function sub_(a: Tensor, b: Operand): Tensor {
  return inPlace('sub_', { op: subRow.op, accepts: 'numbers' }, a, b);
}

/** a b in the memory of a, which it returns. Throws as {@link add_} does. */
export function mul_(a: Tensor, b: Operand): Tensor {
  return inPlace('mul_', { op: mulRow.op, accepts: 'all' }, a, b);
}

/** a / b in the memory of a, which it returns. Throws as {@link add_} does, and for integer targets. */
export function div_(a: Tensor, b: Operand): Tensor {
  return inPlace('div_', { op: divRow.op, accepts: 'floats' }, a, b);
}
