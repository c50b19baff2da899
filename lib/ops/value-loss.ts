// The rows of losses that compare numbers with numbers: the sum of f(x, target) over a divisor, and its gradient.
import { defineOp, type Meta, type Op, type Saved } from '../define.js';
import { apply } from '../dispatch.js';
import { fail } from '../errors.js';
import { formatShape, sameShape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { costPerElement } from './axes.js';
import { checkDTypes } from './make/operands.js';
import { preciseSum } from './make/sum.js';

interface Summed {
  /** What the sum over all elements is divided by: their number for a mean. */
  readonly divisor: number;
}

/** A loss of one element, in numbers and in tensor ops. */
interface Formula {
  readonly name: string;
  readonly value: (x: number, target: number) => number;
  readonly slope: (x: number, target: number) => number;
  readonly slopes: (x: Tensor, target: Tensor) => Tensor;
  /** The derivatives of the slope by x and by the target; null: zero. */
  readonly curvature: ((x: Tensor) => Tensor | number) | null;
  readonly cross: number | null;
  /** The derivative by the target, from x and from the gradient by x. */
  readonly byTarget: (x: Tensor, gradient: Tensor, scale: Tensor) => Tensor;
  readonly flops: number;
}

function checkPair(op: string, inputs: readonly Meta[]): Meta {
  const [x, target] = inputs.slice(-2);
  if (!sameShape(x.shape, target.shape)) {
    fail(op, 'x and target differ in shape', `x is ${formatShape(x.shape)}, target is ${formatShape(target.shape)}`);
  }
  if (inputs.length > 2 && inputs[0].shape.length > 0) fail(op, 'g must be a number', formatShape(inputs[0].shape));
  return { shape: x.shape, dtype: checkDTypes(op, 'floats', inputs) };
}

function lossRow(formula: Formula): Op<Summed> {
  const { name, value, slope, slopes, curvature, cross, byTarget, flops } = formula;
  const scaled = (u: Tensor, g: Tensor, { divisor }: Summed) => u.mul(g.mul(1 / divisor));
  const gradient: Op<Summed> = defineOp<Summed>({
    name: `${name}Grad`,
    inputs: ['g', 'x', 'target'],
    infer: (inputs) => checkPair(`${name}Grad`, inputs),
    pack: ({ divisor }) => [divisor],
    save: ['g', 'x', 'target'],
    vjp: [
      (u, { x, target }: Saved, { attrs }) =>
        u
          .mul(slopes(x, target))
          .sum()
          .mul(1 / attrs.divisor),
      curvature === null ? 'zero' : (u, { g, x }, { attrs }) => scaled(u, g, attrs).mul(curvature(x)),
      cross === null ? 'zero' : (u, { g }, { attrs }) => scaled(u, g, attrs).mul(cross),
    ],
    ref: ([g, x, target], { divisor }) => ({
      shape: x.shape,
      data: x.data.map((v, i) => (g.data[0] / divisor) * slope(v, target.data[i])),
    }),
    cost: costPerElement(flops),
  });
  return defineOp<Summed>({
    name,
    inputs: ['x', 'target'],
    infer: (inputs) => ({ shape: [], dtype: checkPair(name, inputs).dtype }),
    pack: ({ divisor }) => [divisor],
    save: ['x', 'target'],
    vjp: {
      joint: (g, { x, target }, { attrs, needs }) => {
        const gx = apply(gradient, [g, x, target], attrs);
        return [gx, needs[1] ? byTarget(x, gx, g.mul(1 / attrs.divisor)) : null];
      },
    },
    ref: ([x, target], { divisor }) => {
      const sum = preciseSum(Array.from(x.data, (v, i) => value(v, target.data[i])));
      return { shape: [], data: Float64Array.of(sum / divisor) };
    },
    cost: costPerElement(flops),
  });
}

/** (x - target)^2. */
export const mseOp: Op<Summed> = lossRow({
  name: 'mseLoss',
  value: (x, target) => (x - target) ** 2,
  slope: (x, target) => 2 * (x - target),
  slopes: (x, target) => x.sub(target).mul(2),
  curvature: () => 2,
  cross: -2,
  byTarget: (_x, gradient) => gradient.neg(),
  flops: 3,
});

/** |x - target|. */
export const l1Op: Op<Summed> = lossRow({
  name: 'l1Loss',
  value: (x, target) => Math.abs(x - target),
  slope: (x, target) => Math.sign(x - target),
  slopes: (x, target) => x.sub(target).sign(),
  curvature: null,
  cross: null,
  byTarget: (_x, gradient) => gradient.neg(),
  flops: 3,
});

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** The binary cross entropy of sigmoid(x) with the target. */
export const bceOp: Op<Summed> = lossRow({
  name: 'bceLoss',
  value: (x, y) => Math.max(x, 0) - x * y + Math.log1p(Math.exp(-Math.abs(x))),
  slope: (x, y) => sigmoid(x) - y,
  slopes: (x, y) => x.sigmoid().sub(y),
  curvature: (x) => {
    const p = x.sigmoid();
    return p.sub(p.square());
  },
  cross: -1,
  byTarget: (x, _gradient, scale) => x.mul(scale).neg(),
  flops: 20,
});
