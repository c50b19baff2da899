// Normalisation layers over groups of channels of each item. N batch, C channels, L, H, W places.
import { fail, show } from '../errors.js';
import { groupNorm, instanceNorm } from '../ops/norm.js';
import { formatShape, type Shape } from '../shape.js';
import { Tensor } from '../tensor.js';
import { checkCount, checkFlag, checkNumber, checkOptions } from './check.js';
import { formatArguments } from './format.js';
import { ones_, zeros_ } from './init.js';
import { type LayerOptions, layerOptions, newParameter } from './layer.js';
import { Module } from './module.js';
import type { Parameter } from './parameter.js';

/** Options of {@link GroupNorm}, {@link InstanceNorm1d} and {@link InstanceNorm2d}. */
export interface GroupNormOptions extends LayerOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** Whether there are a learnt weight and bias for each channel. Default true; false for instance normalisation. */
  readonly affine?: boolean;
}

/** What both layers have: a weight and a bias for each channel, or neither. */
abstract class ChannelAffine extends Module {
  readonly eps: number;
  /** [C], or null. */
  readonly weight: Parameter | null;
  /** [C], or null. */
  readonly bias: Parameter | null;

  protected constructor(name: string, channels: number, options: GroupNormOptions, affine: boolean) {
    super();
    checkOptions(name, options, ['eps', 'affine', ...layerOptions]);
    this.eps = checkNumber(name, 'eps', options.eps ?? 1e-5, 0);
    const learns = checkFlag(name, 'affine', options.affine ?? affine);
    this.weight = learns ? newParameter(name, [channels], options, 1) : null;
    this.bias = learns ? newParameter(name, [channels], options) : null;
  }

  /** Weight 1, bias 0. */
  resetParameters(): void {
    if (this.weight !== null) ones_(this.weight);
    if (this.bias !== null) zeros_(this.bias);
  }
}

/**
 * Normalises groups of neighbouring channels of each item of [N, C, ...]: y = (x - mean) / √(variance + eps) weight + bias,
 * with the mean and (biased) variance of all places of C / numGroups channels. Wu and He, "Group normalization", 2018.
 */
export class GroupNorm extends ChannelAffine {
  /** Throws on sizes that are not positive whole numbers or do not divide, an eps below 0, and unknown options. */
  constructor(
    readonly numGroups: number,
    readonly numChannels: number,
    options: GroupNormOptions = {},
  ) {
    super('GroupNorm', checkCount('GroupNorm', 'numChannels', numChannels), options, true);
    checkCount('GroupNorm', 'numGroups', numGroups);
    if (numChannels % numGroups !== 0) {
      fail('GroupNorm', 'numChannels must be a multiple of numGroups', `${numChannels} and ${numGroups}`);
    }
  }

  forward(x: Tensor): Tensor {
    checkInput(this, x, `[N, ${this.numChannels}, ...]`, (shape) => shape[1] === this.numChannels);
    return groupNorm(x, this.numGroups, this.weight, this.bias, { eps: this.eps });
  }

  override extraRepr(): string {
    const options = { eps: this.eps, affine: this.weight !== null };
    return formatArguments([this.numGroups, this.numChannels], options, { eps: 1e-5, affine: true });
  }
}

function checkInput(layer: Module, x: Tensor, what: string, fits: (shape: Shape) => boolean): void {
  const { name } = layer.constructor;
  if (!(x instanceof Tensor)) fail(name, 'the input must be a tensor', show(x));
  if (!fits(x.shape)) fail(name, `the input must be ${what}`, formatShape(x.shape));
}

abstract class InstanceNorm extends ChannelAffine {
  /** Throws on sizes that are not positive whole numbers, an eps below 0, and unknown options. */
  constructor(
    readonly numFeatures: number,
    options: GroupNormOptions = {},
  ) {
    super(new.target.name, checkCount(new.target.name, 'numFeatures', numFeatures), options, false);
  }

  /** @internal Axes of the places, as a message shows them. */
  protected abstract readonly places: readonly string[];

  forward(x: Tensor): Tensor {
    const { numFeatures, places } = this;
    const what = `[N, ${numFeatures}, ${places.join(', ')}]`;
    checkInput(this, x, what, (shape) => shape.length === 2 + places.length && shape[1] === numFeatures);
    return instanceNorm(x, this.weight, this.bias, { eps: this.eps });
  }

  override extraRepr(): string {
    const options = { eps: this.eps, affine: this.weight !== null };
    return formatArguments([this.numFeatures], options, { eps: 1e-5, affine: false });
  }
}

/**
 * Normalises each channel of each item of [N, C, L] by the mean and (biased) variance of its places: y = (x - mean) /
 * √(variance + eps) weight + bias. Ulyanov, Vedaldi and Lempitsky, "Instance normalization", 2016.
 */
export class InstanceNorm1d extends InstanceNorm {
  protected readonly places = ['L'];
}

/** Normalises each channel of each item of [N, C, H, W] over height and width; see {@link InstanceNorm1d}. */
export class InstanceNorm2d extends InstanceNorm {
  protected readonly places = ['H', 'W'];
}
