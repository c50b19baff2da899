// Normalisations, composed of reductions and arithmetic: gradients of any order come with them.
import { withModes } from '../context.js';
import { fail, show } from '../errors.js';
import { checkInteger, formatShape, numel, type Shape, sameShape } from '../shape.js';
import { Tensor } from '../tensor.js';
import { asFloat, checkFlag, checkObject, checkTensor } from './axes.js';

/** Options of {@link batchNorm}. */
export interface BatchNormOptions {
  /** Normalise by the batch's own statistics and move the running ones towards them. Default false. */
  readonly training?: boolean;
  /** How far the running statistics move: running = (1 - momentum) running + momentum batch. Default 0.1. A scalar tensor
   *  may say it, so that a value that is still being computed is not waited for. */
  readonly momentum?: number | Tensor;
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
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

/** (x - mean) / sqrt(variance + eps) weight + bias, all of them shaped to broadcast against x. */
function affine(centred: Tensor, variance: Tensor, eps: number, weight: Tensor | null, bias: Tensor | null): Tensor {
  const scale = variance.add(eps).rsqrt();
  const scaled = centred.mul(weight === null ? scale : scale.mul(weight));
  return bias === null ? scaled : scaled.add(bias);
}

function moveRunning(running: Tensor, batch: Tensor, momentum: number | Tensor): void {
  withModes({ grad: false }, () => {
    const step = batch.detach().flatten().sub(running).mul(momentum);
    running.add_(step);
    step.dispose();
  });
}

/**
 * Normalises each channel (axis 1 of [N, C, ...]): y = (x - mean) / sqrt(variance + eps) weight + bias. In training mean
 * and (biased) variance are those of the batch, and the running statistics, where given, move towards them (the variance
 * by its unbiased estimate); otherwise the running statistics are used. Weight, bias and both statistics are [C].
 * Throws when training sees one value a channel, or evaluation has no statistics. Ioffe and Szegedy, arXiv:1502.03167.
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
  checkObject(op, options);
  if (x.ndim < 2) fail(op, 'x must be [N, C, ...]', formatShape(x.shape));
  const input = asFloat(x);
  const channels = [x.shape[1]];
  const mean = checkVector(op, 'runningMean', runningMean, channels);
  const variance = checkVector(op, 'runningVar', runningVar, channels);
  const wide = [1, x.shape[1], ...new Array(x.ndim - 2).fill(1)];
  const scale = checkVector(op, 'weight', weight, channels)?.reshape(wide) ?? null;
  const shift = checkVector(op, 'bias', bias, channels)?.reshape(wide) ?? null;
  const eps = checkEps(op, options.eps ?? 1e-5);
  const momentum = options.momentum ?? 0.1;
  if (!(momentum instanceof Tensor) && !(typeof momentum === 'number' && momentum >= 0 && momentum <= 1)) {
    fail(op, 'momentum must be a number from 0 to 1', show(momentum));
  }
  if (!checkFlag(op, 'training', options.training ?? false)) {
    if (mean === null || variance === null) return fail(op, 'evaluation needs running statistics', 'none');
    return affine(input.sub(mean.reshape(wide)), variance.reshape(wide), eps, scale, shift);
  }
  const axes = x.shape.flatMap((_, d) => (d === 1 ? [] : [d]));
  const count = x.size / Math.max(1, x.shape[1]);
  if (count <= 1) fail(op, 'training needs more than one value a channel', formatShape(x.shape));
  const batchMean = input.mean(axes, { keepDims: true });
  const centred = input.sub(batchMean);
  const batchVariance = centred.square().mean(axes, { keepDims: true });
  if (mean !== null) moveRunning(mean, batchMean, momentum);
  if (variance !== null) moveRunning(variance, batchVariance.detach().mul(count / (count - 1)), momentum);
  return affine(centred, batchVariance, eps, scale, shift);
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
  options: { readonly eps?: number } = {},
): Tensor {
  const op = 'layerNorm';
  checkTensor(op, x);
  checkObject(op, options);
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
  const scale = checkVector(op, 'weight', weight, sizes);
  const shift = checkVector(op, 'bias', bias, sizes);
  const input = asFloat(x);
  const axes = sizes.map((_, d) => lead + d);
  const centred = input.sub(input.mean(axes, { keepDims: true }));
  const variance = centred.square().mean(axes, { keepDims: true });
  if (numel(x.shape) === 0) return input;
  return affine(centred, variance, checkEps(op, options.eps ?? 1e-5), scale, shift);
}
