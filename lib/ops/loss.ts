// Losses that compare numbers with numbers. Those over classes are in class-loss.ts.
import { apply } from '../dispatch.js';
import { promote } from '../dtype.js';
import { fail } from '../errors.js';
import { broadcastShapes, formatShape, sameShape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { asFloat, checkTensor } from './axes.js';
import { checkReduction, type LossOptions, type Reduction } from './make/reduction.js';
import { bceOp, l1Op, mseOp } from './value-loss.js';

export { type ClassLossOptions, type CrossEntropyOptions, crossEntropy, nllLoss } from './class-loss.js';
export type { LossOptions, Reduction } from './make/reduction.js';

function reduced(losses: Tensor, reduction: Reduction): Tensor {
  if (reduction === 'none') return losses;
  return reduction === 'sum' ? losses.sum() : losses.mean();
}

/** The mean or the sum of a loss in one pass over memory. */
function total(op: typeof mseOp, x: Tensor, target: Tensor, reduction: Reduction): Tensor {
  const dtype = promote(x.dtype, target.dtype);
  return apply(op, [x.cast(dtype), target.cast(dtype)], { divisor: reduction === 'sum' ? 1 : x.size });
}

/** Input and target as floats. Throws unless they have one shape: broadcasting a target is nearly always a mistake. */
function pair(op: string, x: Tensor, target: Tensor): [Tensor, Tensor] {
  checkTensor(op, x);
  checkTensor(op, target, 'target');
  if (!sameShape(x.shape, target.shape)) {
    const given = `x is ${formatShape(x.shape)}, target is ${formatShape(target.shape)}`;
    fail(op, 'x and target differ in shape', given);
  }
  return [asFloat(x), asFloat(target)];
}

/**
 * The mean squared error: `(x_i - target_i)^2`, averaged (default), summed or one for each element. Shapes must be the
 * same. Throws when they are not, and for an unknown reduction. Source: torch.nn.functional.mse_loss.
 */
export function mseLoss(x: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  const reduction = checkReduction('mseLoss', options);
  const [a, b] = pair('mseLoss', x, target);
  return reduction === 'none' ? a.sub(b).square() : total(mseOp, a, b, reduction);
}

/**
 * The mean absolute error: `|x_i - target_i|`, averaged (default), summed or one for each element. Shapes must be the same.
 * Throws when they are not, and for an unknown reduction. Source: torch.nn.functional.l1_loss.
 */
export function l1Loss(x: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  const reduction = checkReduction('l1Loss', options);
  const [a, b] = pair('l1Loss', x, target);
  return reduction === 'none' ? a.sub(b).abs() : total(l1Op, a, b, reduction);
}

/** Options of {@link binaryCrossEntropyWithLogits}. */
export interface BinaryCrossEntropyOptions extends LossOptions {
  /** Factors for the losses, broadcast to the input. */
  readonly weight?: Tensor | null;
  /** Factors for what positive targets contribute, broadcast to the input: above 1 for rare positives. */
  readonly posWeight?: Tensor | null;
}

/** Factors that broadcast to the input. Throws when they would make it larger. */
function factors(op: string, what: string, value: Tensor | null | undefined, x: Tensor): Tensor | null {
  if (value === null || value === undefined) return null;
  checkTensor(op, value, what);
  if (!sameShape(broadcastShapes(op, x.shape, value.shape), x.shape)) {
    fail(op, `${what} does not broadcast to x`, `x is ${formatShape(x.shape)}, ${what} is ${formatShape(value.shape)}`);
  }
  return asFloat(value);
}

/**
 * The binary cross entropy of p = sigmoid(x) with targets y in [0, 1]: `-weight (posWeight y log p + (1 - y) log(1 - p))`,
 * averaged (default), summed or one for each element. Computed as `(1 - y) x + (1 + (posWeight - 1) y) softplus(-x)`,
 * which does not overflow. x and y must have the same shape. Throws when they do not, when factors do not broadcast, and
 * for an unknown reduction. Source: torch.nn.functional.binary_cross_entropy_with_logits.
 */
export function binaryCrossEntropyWithLogits(
  x: Tensor,
  target: Tensor,
  options: BinaryCrossEntropyOptions = {},
): Tensor {
  const op = 'binaryCrossEntropyWithLogits';
  const reduction = checkReduction(op, options, ['reduction', 'weight', 'posWeight']);
  const [a, y] = pair(op, x, target);
  const posWeight = factors(op, 'posWeight', options.posWeight, x);
  const weight = factors(op, 'weight', options.weight, x);
  if (posWeight === null && weight === null && reduction !== 'none') return total(bceOp, a, y, reduction);
  const positive = a.neg().softplus();
  const scaled = posWeight === null ? positive : positive.mul(y.mul(posWeight.sub(1)).add(1));
  const losses = a.sub(y.mul(a)).add(scaled);
  return reduced(weight === null ? losses : losses.mul(weight), reduction);
}
