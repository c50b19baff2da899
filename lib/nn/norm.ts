// Normalisation layers. N batch, C channels (features), L length, H height, W width.
import { withModes } from '../context.js';
import { fail, show } from '../errors.js';
import { batchNorm, layerNorm, rmsNorm } from '../ops/norm.js';
import { formatShape, type Shape } from '../shape.js';
import { Tensor } from '../tensor.js';
import { checkCount, checkFlag, checkFloat, checkNumber, checkOptions, withDefaults } from './check.js';
import { formatArguments } from './format.js';
import { ones_, zeros_ } from './init.js';
import { type LayerOptions, layerOptions, newBuffer, newParameter } from './layer.js';
import { Module } from './module.js';
import type { Buffer, Parameter } from './parameter.js';

/** Options of {@link BatchNorm1d} and {@link BatchNorm2d}. */
export interface BatchNormOptions extends LayerOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /**
   * How far running statistics move towards those of each batch; null: they are means over all batches. Default 0.1.
   */
  readonly momentum?: number | null;
  /** Whether there are a learnt weight and bias. Default true. */
  readonly affine?: boolean;
  /** Whether running statistics are kept for evaluating; if not, those of the batch are used always. Default true. */
  readonly trackRunningStats?: boolean;
  /** 'relu': max(0, y) comes out, in the same pass over memory. Default null: y itself. */
  readonly activation?: 'relu' | null;
}

/** What a batch norm's forward may do to its result in the same pass over memory: a residual is added, then relu. */
export interface BatchNormFollowing {
  /** Shaped like the input. */
  readonly residual?: Tensor | null;
  /** Default: the layer's own. */
  readonly activation?: 'relu' | null;
}

const defaults = { eps: 1e-5, momentum: 0.1, affine: true, trackRunningStats: true, activation: null };

abstract class BatchNorm extends Module {
  readonly eps: number;
  readonly momentum: number | null;
  readonly activation: 'relu' | null;
  /** [C], or null. */
  readonly weight: Parameter | null;
  /** [C], or null. */
  readonly bias: Parameter | null;
  /** [C], or null: what evaluating subtracts. */
  readonly runningMean: Buffer | null;
  /** [C], or null: the unbiased variance that evaluating divides by the root of. */
  readonly runningVar: Buffer | null;
  /** How many batches the running statistics have seen; int32. */
  readonly numBatchesTracked: Buffer | null;

  /** Throws on sizes that are not positive whole numbers, values out of range, and unknown options. */
  constructor(
    readonly numFeatures: number,
    options: BatchNormOptions = {},
  ) {
    super();
    const { name } = new.target;
    checkOptions(name, options, ['eps', 'momentum', 'affine', 'trackRunningStats', 'activation', ...layerOptions]);
    const { eps, momentum, affine, trackRunningStats, activation } = withDefaults(defaults, options);
    const shape = [checkCount(name, 'numFeatures', numFeatures)];
    this.eps = checkNumber(name, 'eps', eps, 0);
    this.momentum = momentum === null ? null : checkNumber(name, 'momentum', momentum, 0, 1);
    if (activation !== null && activation !== 'relu') fail(name, "activation must be 'relu' or null", show(activation));
    this.activation = activation;
    const dtype = checkFloat(name, options);
    const learns = checkFlag(name, 'affine', affine);
    this.weight = learns ? newParameter(name, shape, options, 1) : null;
    this.bias = learns ? newParameter(name, shape, options) : null;
    const tracks = checkFlag(name, 'trackRunningStats', trackRunningStats);
    this.runningMean = tracks ? newBuffer(name, shape, options, dtype, 0) : null;
    this.runningVar = tracks ? newBuffer(name, shape, options, dtype, 1) : null;
    this.numBatchesTracked = tracks ? newBuffer(name, [], options, 'int32', 0) : null;
  }

  /** Forgets the running statistics: mean 0, variance 1, no batches. */
  resetRunningStats(): void {
    this.runningMean?.fill_(0);
    this.runningVar?.fill_(1);
    this.numBatchesTracked?.fill_(0);
  }

  /** Weight 1, bias 0, no running statistics. */
  resetParameters(): void {
    this.resetRunningStats();
    if (this.weight !== null) ones_(this.weight);
    if (this.bias !== null) zeros_(this.bias);
  }

  /** @internal The shapes taken, as a message shows them, and whether `shape` is one of them. */
  protected abstract takes(shape: Shape): { readonly what: string; readonly fits: boolean };

  /** `then`: what follows in the same pass over memory. */
  forward(x: Tensor, then: BatchNormFollowing = {}): Tensor {
    const { name } = this.constructor;
    if (!(x instanceof Tensor)) fail(name, 'the input must be a tensor', show(x));
    checkOptions(name, then, ['residual', 'activation']);
    const { what, fits } = this.takes(x.shape);
    if (!fits) fail(name, `the input must be ${what}`, formatShape(x.shape));
    const { eps, momentum, weight, bias, runningMean, runningVar, numBatchesTracked } = this;
    const { residual = null, activation = this.activation } = then;
    const following = { residual, activation };
    if (runningMean === null || runningVar === null || numBatchesTracked === null) {
      return batchNorm(x, null, null, weight, bias, { training: true, eps, ...following });
    }
    if (!this.training) return batchNorm(x, runningMean, runningVar, weight, bias, { eps, ...following });
    // A mean over all batches moves by 1 / count; the count is not read, only computed with.
    const share = momentum ?? shareOfNext(numBatchesTracked, runningMean);
    const how = { training: true, eps, momentum: share, ...following };
    const out = batchNorm(x, runningMean, runningVar, weight, bias, how);
    numBatchesTracked.add_(1);
    return out;
  }

  override extraRepr(): string {
    const { eps, momentum, activation } = this;
    const [affine, trackRunningStats] = [this.weight !== null, this.runningMean !== null];
    const options = { eps, momentum, affine, trackRunningStats, activation };
    return formatArguments([this.numFeatures], options, defaults);
  }
}

/** 1 / (count + 1), in the dtype of `like`. */
function shareOfNext(count: Tensor, like: Tensor): Tensor {
  return withModes({ grad: false }, () => count.add(1).cast(like.dtype).reciprocal());
}

/**
 * Normalises each feature of [N, C] or [N, C, L]: y = (x - mean) / √(variance + eps) weight + bias. While training,
 * mean and (biased) variance are those of the batch, and the running ones move towards them, the variance by its
 * unbiased estimate; evaluating uses the running ones. Ioffe and Szegedy, "Batch normalization", 2015.
 */
export class BatchNorm1d extends BatchNorm {
  protected takes(shape: Shape): { readonly what: string; readonly fits: boolean } {
    const { numFeatures } = this;
    const fits = (shape.length === 2 || shape.length === 3) && shape[1] === numFeatures;
    return { what: `[N, ${numFeatures}] or [N, ${numFeatures}, L]`, fits };
  }
}

/** Normalises each channel of [N, C, H, W], over batch, height and width; see {@link BatchNorm1d}. */
export class BatchNorm2d extends BatchNorm {
  protected takes(shape: Shape): { readonly what: string; readonly fits: boolean } {
    const fits = shape.length === 4 && shape[1] === this.numFeatures;
    return { what: `[N, ${this.numFeatures}, H, W]`, fits };
  }
}

/** The sizes of the last axes that a layer normalises over. */
function sizesOf(op: string, normalizedShape: number | Shape): number[] {
  const sizes = Array.isArray(normalizedShape) ? [...normalizedShape] : [normalizedShape];
  if (sizes.length === 0) fail(op, 'normalizedShape must have at least one size', '[]');
  return sizes.map((size) => checkCount(op, 'normalizedShape', size));
}

const shown = (sizes: Shape) => (sizes.length === 1 ? sizes[0] : formatShape(sizes));

/** Options of {@link LayerNorm}. */
export interface LayerNormOptions extends LayerOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** Whether there are a learnt weight and bias. Default true. */
  readonly elementwiseAffine?: boolean;
  /** Whether, with the weight, there is a bias. Default true. */
  readonly bias?: boolean;
}

/**
 * Normalises each item over its last axes: y = (x - mean) / √(variance + eps) weight + bias, with the biased variance.
 * Ba, Kiros and Hinton, "Layer normalization", 2016.
 */
export class LayerNorm extends Module {
  /** Sizes of the axes normalised over. */
  readonly normalizedShape: readonly number[];
  readonly eps: number;
  /** Of the normalised sizes, or null. */
  readonly weight: Parameter | null;
  /** Of the normalised sizes, or null. */
  readonly bias: Parameter | null;

  /** Throws on sizes that are not positive whole numbers, an eps below 0, and unknown options. */
  constructor(normalizedShape: number | Shape, options: LayerNormOptions = {}) {
    super();
    checkOptions('LayerNorm', options, ['eps', 'elementwiseAffine', 'bias', ...layerOptions]);
    const sizes = sizesOf('LayerNorm', normalizedShape);
    this.normalizedShape = sizes;
    this.eps = checkNumber('LayerNorm', 'eps', options.eps ?? 1e-5, 0);
    const learns = checkFlag('LayerNorm', 'elementwiseAffine', options.elementwiseAffine ?? true);
    const biased = checkFlag('LayerNorm', 'bias', options.bias ?? true);
    this.weight = learns ? newParameter('LayerNorm', sizes, options, 1) : null;
    this.bias = learns && biased ? newParameter('LayerNorm', sizes, options) : null;
  }

  /** Weight 1, bias 0. */
  resetParameters(): void {
    if (this.weight !== null) ones_(this.weight);
    if (this.bias !== null) zeros_(this.bias);
  }

  forward(x: Tensor): Tensor {
    return layerNorm(x, this.normalizedShape, this.weight, this.bias, { eps: this.eps });
  }

  override extraRepr(): string {
    const { normalizedShape, eps, weight, bias } = this;
    const options = { eps, elementwiseAffine: weight !== null, bias: weight === null || bias !== null };
    return formatArguments([shown(normalizedShape)], options, { eps: 1e-5, elementwiseAffine: true, bias: true });
  }
}

/** Options of {@link RMSNorm}. */
export interface RMSNormOptions extends LayerOptions {
  /** Added to the mean square. Default null: the distance from 1 to the next number of the input's dtype. */
  readonly eps?: number | null;
  /** Whether there is a learnt weight. Default true. */
  readonly elementwiseAffine?: boolean;
}

/**
 * Divides each item by the root of the mean square over its last axes: y = x / √(mean(x²) + eps) weight.
 * Zhang and Sennrich, "Root mean square layer normalization", 2019.
 */
export class RMSNorm extends Module {
  /** Sizes of the axes normalised over. */
  readonly normalizedShape: readonly number[];
  readonly eps: number | null;
  /** Of the normalised sizes, or null. */
  readonly weight: Parameter | null;

  /** Throws on sizes that are not positive whole numbers, an eps below 0, and unknown options. */
  constructor(normalizedShape: number | Shape, options: RMSNormOptions = {}) {
    super();
    checkOptions('RMSNorm', options, ['eps', 'elementwiseAffine', ...layerOptions]);
    this.normalizedShape = sizesOf('RMSNorm', normalizedShape);
    const { eps = null, elementwiseAffine = true } = options;
    this.eps = eps === null ? null : checkNumber('RMSNorm', 'eps', eps, 0);
    const learns = checkFlag('RMSNorm', 'elementwiseAffine', elementwiseAffine);
    this.weight = learns ? newParameter('RMSNorm', this.normalizedShape, options, 1) : null;
  }

  /** Weight 1. */
  resetParameters(): void {
    if (this.weight !== null) ones_(this.weight);
  }

  forward(x: Tensor): Tensor {
    return rmsNorm(x, this.normalizedShape, this.weight, this.eps === null ? {} : { eps: this.eps });
  }

  override extraRepr(): string {
    const options = { eps: this.eps, elementwiseAffine: this.weight !== null };
    return formatArguments([shown(this.normalizedShape)], options, { eps: null, elementwiseAffine: true });
  }
}
