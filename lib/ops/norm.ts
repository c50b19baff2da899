// Normalisations: of channels over a batch, of the last axes of each item, and of groups of its channels.
import { withModes } from '../context.js';
import { apply, applyAll, type Operand } from '../dispatch.js';
import { fail, show } from '../errors.js';
import { checkFlag, checkOptions } from '../options.js';
import { checkInteger, formatShape, numel, type Shape, sameShape } from '../shape.js';
import { Tensor } from '../tensor.js';
import { asFloat, checkTensor } from './axes.js';
import { firstOf } from './make/operands.js';
import {
  batchNormAddOp,
  batchNormEvalOp,
  batchNormOp,
  groupNormOp,
  layerNormOp,
  moveRunning,
  rmsNormOp,
} from './norm-rows.js';

/** Options of {@link batchNorm}. */
export interface BatchNormOptions {
  /** Normalise by the batch's own statistics and move the running ones towards them. Default false. */
  readonly training?: boolean;
  /** How far the running statistics move: running = (1 - momentum) running + momentum batch. Default 0.1. A scalar tensor
   *  may say it, so that a value that is still being computed is not waited for. */
  readonly momentum?: number | Tensor;
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** 'relu': max(0, y) comes out, in the same pass over memory, forward and backward. Default null: y itself. */
  readonly activation?: 'relu' | null;
  /** Added to what is normalised, before the activation; of the shape and dtype of x. Default null: nothing. */
  readonly residual?: Tensor | null;
}

function checkEps(op: string, eps: unknown): number {
  return typeof eps === 'number' && eps >= 0 ? eps : fail(op, 'eps must be a number, 0 or more', show(eps));
}

function checkVector(op: string, what: string, t: Tensor | null | undefined, shape: Shape): Tensor | null {
  if (t === null || t === undefined) return null;
  checkTensor(op, t, what);
  if (!sameShape(t.shape, shape))
    fail(op, `${what} must be ${formatShape(shape)}`, `${what} is ${formatShape(t.shape)}`);
  return t;
}

/** The parameter in the dtype of x; the number that stands for it where there is none. */
function parameter(
  op: string,
  what: string,
  t: Tensor | null | undefined,
  shape: Shape,
  x: Tensor,
  otherwise: number,
): Operand {
  return checkVector(op, what, t, shape)?.cast(x.dtype) ?? otherwise;
}

/** Moves running statistics towards those of a batch, where gradients have no part in it. */
function move(
  running: readonly (Tensor | null)[],
  batch: readonly Tensor[],
  momentum: number | Tensor,
  unbias: number,
): void {
  const made: Tensor[] = [];
  withModes({ grad: false, scope: made }, () => {
    const kept = running.flatMap((t, i) => (t === null ? [] : [{ t, i }]));
    for (const dtype of new Set(kept.map(({ t }) => t.dtype))) {
      const own = kept.filter(({ t }) => t.dtype === dtype);
      moveRunning(
        own.map(({ t }) => t),
        own.map(({ t, i }) => batch[i].reshape(t.shape).cast(dtype)),
        momentum instanceof Tensor ? momentum.cast(dtype).reshape([]) : momentum,
        own.map(({ i }) => (i === 0 ? 1 : unbias)),
      );
    }
  });
  for (const t of made) t.dispose();
}

function checkResidual(op: string, t: Tensor | null | undefined, x: Tensor): Tensor | null {
  const residual = checkVector(op, 'residual', t, x.shape);
  if (residual !== null && residual.dtype !== x.dtype) {
    fail(op, 'the residual must have the dtype of x', `${residual.dtype} and ${x.dtype}`);
  }
  return residual;
}

/** The rest, in passes of its own: the sum with a residual, where there is one, and the activation of that. */
function joined(out: Tensor, residual: Tensor | null, activation: 'relu' | null): Tensor {
  if (residual === null) return out;
  const sum = out.add(residual);
  return activation === 'relu' ? sum.relu() : sum;
}

/**
 * Normalises each channel (axis 1 of [N, C, ...]): y = (x - mean) / sqrt(variance + eps) weight + bias. In training mean
 * and (biased) variance are those of the batch, and the running statistics, where given, move towards them (the variance
 * by its unbiased estimate); otherwise the running statistics are used. Weight, bias and both statistics are [C]. With
 * `activation: 'relu'` what is below 0 becomes 0; a `residual` is added before that. Throws when training sees one value a channel, or evaluation has no
 * statistics. Ioffe and Szegedy, arXiv:1502.03167.
 */
export function batchNorm(
  x: Tensor,
  runningMean: Tensor | null,
  runningVar: Tensor | null,
  weight: Tensor | null = null,
  bias: Tensor | null = null,
  options: BatchNormOptions = {},
): Tensor {
  const op = 'batchNorm';
  checkTensor(op, x);
  checkOptions(op, options, ['training', 'momentum', 'eps', 'activation', 'residual']);
  if (x.ndim < 2) fail(op, 'x must be [N, C, ...]', formatShape(x.shape));
  const input = asFloat(x);
  const channels = [x.shape[1]];
  const mean = checkVector(op, 'runningMean', runningMean, channels);
  const variance = checkVector(op, 'runningVar', runningVar, channels);
  const scale = parameter(op, 'weight', weight, channels, input, 1);
  const shift = parameter(op, 'bias', bias, channels, input, 0);
  const eps = checkEps(op, options.eps ?? 1e-5);
  const activation = options.activation ?? null;
  if (activation !== null && activation !== 'relu') fail(op, "activation must be 'relu' or null", show(activation));
  const residual = checkResidual(op, options.residual, input);
  // A row for each pixel has no planes to go along: there the sum is a pass of its own.
  const adds = residual !== null && options.training === true && x.ndim > 2;
  const relu = activation === 'relu' && (residual === null || adds);
  const attrs = { eps, last: 0, relu };
  const momentum = options.momentum ?? 0.1;
  if (!(momentum instanceof Tensor) && !(typeof momentum === 'number' && momentum >= 0 && momentum <= 1)) {
    fail(op, 'momentum must be a number from 0 to 1', show(momentum));
  }
  if (!checkFlag(op, 'training', options.training ?? false)) {
    if (mean === null || variance === null) return fail(op, 'evaluation needs running statistics', 'none');
    const given = [input, mean.cast(input.dtype), variance.cast(input.dtype), scale, shift];
    return joined(apply(batchNormEvalOp, given, attrs), residual, activation);
  }
  const count = x.size / Math.max(1, x.shape[1]);
  if (count <= 1) fail(op, 'training needs more than one value a channel', formatShape(x.shape));
  const [out, batchMean, batchVariance] = adds
    ? applyAll(batchNormAddOp, [input, scale, shift, residual], attrs)
    : applyAll(batchNormOp, [input, scale, shift], attrs);
  if (mean !== null || variance !== null) {
    move([mean, variance], [batchMean, batchVariance], momentum, count / (count - 1));
  }
  return joined(firstOf([out, batchMean, batchVariance]), adds ? null : residual, activation);
}

/** The sizes of the last axes of x that are normalised over. */
function lastSizes(op: string, x: Tensor, normalizedShape: number | Shape): Shape {
  checkTensor(op, x);
  const sizes = typeof normalizedShape === 'number' ? [normalizedShape] : normalizedShape;
  if (!Array.isArray(sizes) || sizes.length === 0)
    fail(op, 'normalizedShape must be a size or a list of sizes', show(sizes));
  for (const size of sizes) checkInteger(op, 'normalizedShape', size, 1);
  const lead = x.ndim - sizes.length;
  if (lead < 0 || !sameShape(x.shape.slice(lead), sizes)) {
    fail(
      op,
      'the last axes must have the normalized sizes',
      `x is ${formatShape(x.shape)}, sizes ${formatShape(sizes)}`,
    );
  }
  return sizes;
}

/** Options of the normalisations of single items. */
export interface ItemNormOptions {
  /** Added to what the root is taken of. Default 1e-5. */
  readonly eps?: number;
}

/**
 * Normalises each item over its last axes, which must have the sizes `normalizedShape`: y = (x - mean) /
 * sqrt(variance + eps) weight + bias, with the biased variance. Weight and bias have those sizes. Throws when the sizes
 * differ. Ba, Kiros and Hinton, arXiv:1607.06450.
 */
export function layerNorm(
  x: Tensor,
  normalizedShape: number | Shape,
  weight: Tensor | null = null,
  bias: Tensor | null = null,
  options: ItemNormOptions = {},
): Tensor {
  const op = 'layerNorm';
  const sizes = lastSizes(op, x, normalizedShape);
  checkOptions(op, options, ['eps']);
  const input = asFloat(x);
  const scale = parameter(op, 'weight', weight, sizes, input, 1);
  const shift = parameter(op, 'bias', bias, sizes, input, 0);
  const eps = checkEps(op, options.eps ?? 1e-5);
  return firstOf(applyAll(layerNormOp, [input, scale, shift], { eps, last: sizes.length, relu: false }));
}

/** The distance from 1 to the next number of a float dtype: what rmsNorm() adds where nothing else is said. */
const epsilons = { float32: 2 ** -23, float64: 2 ** -52 };

/**
 * Divides each item by the root of the mean square over its last axes, which must have the sizes `normalizedShape`:
 * y = x / sqrt(mean(x^2) + eps) weight. Weight has those sizes; eps is by default the distance from 1 to the next number of
 * the dtype. Throws when the sizes differ. Zhang and Sennrich, arXiv:1910.07467.
 */
export function rmsNorm(
  x: Tensor,
  normalizedShape: number | Shape,
  weight: Tensor | null = null,
  options: ItemNormOptions = {},
): Tensor {
  const op = 'rmsNorm';
  const sizes = lastSizes(op, x, normalizedShape);
  checkOptions(op, options, ['eps']);
  const input = asFloat(x);
  const scale = parameter(op, 'weight', weight, sizes, input, 1);
  const eps = checkEps(op, options.eps ?? epsilons[input.dtype as keyof typeof epsilons]);
  return firstOf(applyAll(rmsNormOp, [input, scale], { eps, last: sizes.length, relu: false }));
}

function normGroups(
  op: string,
  x: Tensor,
  numGroups: number,
  weight: Tensor | null,
  bias: Tensor | null,
  options: ItemNormOptions,
): Tensor {
  const input = asFloat(x);
  const [n, channels] = x.shape;
  const shape = [n, numGroups, channels / numGroups];
  const wide = (t: Operand) => (t instanceof Tensor ? t.reshape(shape.slice(1)) : t);
  const scale = wide(parameter(op, 'weight', weight, [channels], input, 1));
  const shift = wide(parameter(op, 'bias', bias, [channels], input, 0));
  const eps = checkEps(op, options.eps ?? 1e-5);
  const places = numel(x.shape.slice(2));
  const wideX = input.reshape([...shape, places]);
  const out = firstOf(applyAll(groupNormOp, [wideX, scale, shift], { eps, last: 0, relu: false }));
  if (sameShape(out.shape, x.shape)) return out;
  const result = out.reshape(x.shape);
  out.dispose();
  return result;
}

/**
 * Normalises groups of neighbouring channels of each item of [N, C, ...]: y = (x - mean) / sqrt(variance + eps) weight +
 * bias, with mean and (biased) variance of all places of C / numGroups channels. Weight and bias are [C]. Throws when C is
 * not a multiple of `numGroups`. Wu and He, arXiv:1803.08494.
 */
export function groupNorm(
  x: Tensor,
  numGroups: number,
  weight: Tensor | null = null,
  bias: Tensor | null = null,
  options: ItemNormOptions = {},
): Tensor {
  const op = 'groupNorm';
  checkTensor(op, x);
  checkOptions(op, options, ['eps']);
  if (x.ndim < 2) fail(op, 'x must be [N, C, ...]', formatShape(x.shape));
  checkInteger(op, 'numGroups', numGroups, 1);
  if (x.shape[1] % numGroups !== 0) {
    fail(op, 'the channels must be a multiple of the groups', `x is ${formatShape(x.shape)}, ${numGroups} groups`);
  }
  return normGroups(op, x, numGroups, weight, bias, options);
}

/**
 * Normalises each channel of each item of [N, C, ...] by the mean and (biased) variance of its places: y = (x - mean) /
 * sqrt(variance + eps) weight + bias. Weight and bias are [C]. Throws when a channel has a single place.
 * Ulyanov, Vedaldi and Lempitsky, arXiv:1607.08022.
 */
export function instanceNorm(
  x: Tensor,
  weight: Tensor | null = null,
  bias: Tensor | null = null,
  options: ItemNormOptions = {},
): Tensor {
  const op = 'instanceNorm';
  checkTensor(op, x);
  checkOptions(op, options, ['eps']);
  if (x.ndim < 3) fail(op, 'x must be [N, C, L, ...]', formatShape(x.shape));
  if (numel(x.shape.slice(2)) <= 1) fail(op, 'a channel must have more than one place', formatShape(x.shape));
  return normGroups(op, x, x.shape[1], weight, bias, options);
}
