// Normalisation of activations: by batch and channel, or by item.
import { withModes } from '../context.js';
import { fail } from '../errors.js';
import { batchNorm, layerNorm } from '../ops/norm.js';
import { formatShape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { checkCount, checkFlag, checkFloat, checkNumber, checkOptions, checkSizes } from './check.js';
import { formatArguments } from './format.js';
import { type LayerOptions, layerOptions, newBuffer, newParameter } from './layer.js';
import { Module } from './module.js';
import type { Buffer, Parameter } from './parameter.js';

/** Options of {@link BatchNorm1d} and {@link BatchNorm2d}. */
export interface BatchNormOptions extends LayerOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** How far running statistics move towards those of each batch; null: they are means over all batches. Default 0.1. */
  readonly momentum?: number | null;
  /** Whether there are a learnt weight and bias. Default true. */
  readonly affine?: boolean;
  /** Whether running statistics are kept for evaluating; if not, those of the batch are used always. Default true. */
  readonly trackRunningStats?: boolean;
}

abstract class BatchNorm extends Module {
  /** [numFeatures], or null: starts at 1. */
  readonly weight: Parameter | null;
  /** [numFeatures], or null: starts at 0. */
  readonly bias: Parameter | null;
  /** [numFeatures], or null. */
  readonly runningMean: Buffer | null;
  /** [numFeatures], or null: by the unbiased estimate. */
  readonly runningVar: Buffer | null;
  /** How many batches the running statistics have seen, or null. */
  readonly numBatchesTracked: Buffer | null;
  readonly eps: number;
  readonly momentum: number | null;

  constructor(
    readonly numFeatures: number,
    options: BatchNormOptions = {},
  ) {
    super();
    const name = new.target.name;
    checkOptions(name, options, ['eps', 'momentum', 'affine', 'trackRunningStats', ...layerOptions]);
    checkCount(name, 'numFeatures', numFeatures);
    this.eps = checkNumber(name, 'eps', options.eps ?? 1e-5, 0);
    this.momentum = options.momentum === null ? null : checkNumber(name, 'momentum', options.momentum ?? 0.1, 0, 1);
    const dtype = checkFloat(name, options);
    const affine = checkFlag(name, 'affine', options.affine ?? true);
    this.weight = affine ? newParameter(name, [numFeatures], options, 1) : null;
    this.bias = affine ? newParameter(name, [numFeatures], options, 0) : null;
    const tracks = checkFlag(name, 'trackRunningStats', options.trackRunningStats ?? true);
    this.runningMean = tracks ? newBuffer([numFeatures], dtype, 0) : null;
    this.runningVar = tracks ? newBuffer([numFeatures], dtype, 1) : null;
    this.numBatchesTracked = tracks ? newBuffer([], 'int32', 0) : null;
  }

  /** Dimensions that an input may have. */
  protected abstract readonly ranks: readonly number[];

  forward(x: Tensor): Tensor {
    if (!this.ranks.includes(x.ndim)) {
      const expected = this.ranks.join(' or ');
      fail(this.constructor.name, `the input must have ${expected} dimensions`, formatShape(x.shape));
    }
    const { runningMean, runningVar, weight, bias, eps } = this;
    if (!this.training) {
      return batchNorm(x, runningMean, runningVar, weight, bias, { eps, training: runningMean === null });
    }
    const momentum = withModes({ grad: false, scope: null }, () => {
      this.numBatchesTracked?.add_(1);
      return this.momentum ?? this.numBatchesTracked?.cast(x.dtype).reciprocal() ?? 0;
    });
    return batchNorm(x, runningMean, runningVar, weight, bias, { eps, training: true, momentum });
  }

  override extraRepr(): string {
    const { eps, momentum } = this;
    const options = { eps, momentum, affine: this.weight !== null, trackRunningStats: this.runningMean !== null };
    return formatArguments([this.numFeatures], options, {
      eps: 1e-5,
      momentum: 0.1,
      affine: true,
      trackRunningStats: true,
    });
  }
}

/**
 * Normalises each channel of [N, C] or [N, C, L]: y = (x - mean) / sqrt(variance + eps) weight + bias. Training uses the batch's
 * mean and variance and moves the running ones towards them; evaluating uses the running ones. See {@link batchNorm}.
 */
export class BatchNorm1d extends BatchNorm {
  protected readonly ranks = [2, 3];
}

/** {@link BatchNorm1d} for images: [N, C, H, W]. */
export class BatchNorm2d extends BatchNorm {
  protected readonly ranks = [4];
}

/** Options of {@link LayerNorm}. */
export interface LayerNormOptions extends LayerOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** Whether there are a learnt weight and bias. Default true. */
  readonly elementwiseAffine?: boolean;
  /** Whether there is a bias beside the weight. Default true. */
  readonly bias?: boolean;
}

/** Normalises each item over its last axes: y = (x - mean) / sqrt(variance + eps) weight + bias. See {@link layerNorm}. */
export class LayerNorm extends Module {
  /** The sizes of the axes that are normalised. */
  readonly normalizedShape: readonly number[];
  /** [...normalizedShape], or null: starts at 1. */
  readonly weight: Parameter | null;
  /** [...normalizedShape], or null: starts at 0. */
  readonly bias: Parameter | null;
  readonly eps: number;

  /** Throws on sizes that are not positive whole numbers, and on unknown or wrong options. */
  constructor(normalizedShape: number | readonly number[], options: LayerNormOptions = {}) {
    super();
    checkOptions('LayerNorm', options, ['eps', 'elementwiseAffine', 'bias', ...layerOptions]);
    const sizes = typeof normalizedShape === 'number' ? [normalizedShape] : normalizedShape;
    const axes = Array.isArray(sizes) ? Math.max(1, sizes.length) : 1;
    this.normalizedShape = checkSizes('LayerNorm', 'normalizedShape', sizes, axes, 1);
    this.eps = checkNumber('LayerNorm', 'eps', options.eps ?? 1e-5, 0);
    const affine = checkFlag('LayerNorm', 'elementwiseAffine', options.elementwiseAffine ?? true);
    const bias = checkFlag('LayerNorm', 'bias', options.bias ?? true);
    this.weight = affine ? newParameter('LayerNorm', this.normalizedShape, options, 1) : null;
    this.bias = affine && bias ? newParameter('LayerNorm', this.normalizedShape, options, 0) : null;
  }

  forward(x: Tensor): Tensor {
    return layerNorm(x, this.normalizedShape, this.weight, this.bias, { eps: this.eps });
  }

  override extraRepr(): string {
    const options = { eps: this.eps, elementwiseAffine: this.weight !== null };
    return formatArguments([this.normalizedShape], options, { eps: 1e-5, elementwiseAffine: true });
  }
}
