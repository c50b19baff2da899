// Convolutions. N batch, C channels, L length, H height, W width; x has a batch axis or is one signal or image.
import { fail, show } from '../errors.js';
import { type ConvOptions, type Pair, preparedConv1d, preparedConv2d } from '../ops/conv-prepared.js';
import { numel } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { checkCount, checkFlag, checkName, checkOptions, checkSizes } from './check.js';
import { formatArguments } from './format.js';
import type { InitOptions } from './init.js';
import { type LayerOptions, layerOptions, newParameter } from './layer.js';
import { resetAffine } from './linear.js';
import { Module } from './module.js';
import type { Parameter } from './parameter.js';

/** Options of {@link Conv1d}, where sizes are numbers, and {@link Conv2d}, where they are numbers or pairs. */
export interface ConvLayerOptions<Size = Pair> extends ConvOptions<Size>, LayerOptions {
  /** Whether each output channel has a number added. Default true. */
  readonly bias?: boolean;
  /** What stands around the input: only "zeros". */
  readonly paddingMode?: 'zeros';
}

/** Sizes, parameters and their initialisation: what convolutions and their transposes share. */
export abstract class ConvLayer extends Module {
  /** One size a spatial axis; so are the others. */
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;
  readonly weight: Parameter;
  /** [outChannels], or null. */
  readonly bias: Parameter | null;

  /** @internal */
  constructor(
    readonly inChannels: number,
    readonly outChannels: number,
    kernelSize: unknown,
    options: ConvLayerOptions<unknown>,
    axes: number,
    transposed: boolean,
  ) {
    super();
    const { name } = new.target;
    checkCount(name, 'inChannels', inChannels);
    checkCount(name, 'outChannels', outChannels);
    this.kernelSize = checkSizes(name, 'kernelSize', kernelSize, axes, 1);
    this.stride = checkSizes(name, 'stride', options.stride ?? 1, axes, 1);
    this.dilation = checkSizes(name, 'dilation', options.dilation ?? 1, axes, 1);
    this.groups = checkCount(name, 'groups', options.groups ?? 1);
    if (inChannels % this.groups !== 0 || outChannels % this.groups !== 0) {
      fail(name, `channels do not divide into ${this.groups} groups`, `${inChannels} to ${outChannels} channels`);
    }
    const bias = checkFlag(name, 'bias', options.bias ?? true);
    const [first, second] = transposed ? [inChannels, outChannels] : [outChannels, inChannels];
    this.weight = newParameter(name, [first, second / this.groups, ...this.kernelSize], options);
    this.bias = bias ? newParameter(name, [outChannels], options) : null;
    this.resetParameters({ generator: options.generator });
  }

  /** Draws weight and bias anew, uniformly in ±1/√fanIn; fanIn is the size of `weight` along all axes but the first. */
  resetParameters(options: InitOptions = {}): void {
    resetAffine(this.weight, this.bias, numel(this.weight.shape.slice(1)), options);
  }

  /** @internal Options beyond those that both directions have. */
  protected abstract ownOptions(): Readonly<Record<string, unknown>>;

  override extraRepr(): string {
    const { stride, dilation, groups } = this;
    const zeros = this.stride.map(() => 0);
    const ones = this.stride.map(() => 1);
    return formatArguments(
      [this.inChannels, this.outChannels, this.kernelSize],
      { stride, dilation, groups, bias: this.bias !== null, ...this.ownOptions() },
      { stride: ones, padding: zeros, outputPadding: zeros, dilation: ones, groups: 1, bias: true, activation: null },
    );
  }
}

abstract class Conv extends ConvLayer {
  /** One size a spatial axis, "same" or "valid". */
  readonly padding: readonly number[] | 'same' | 'valid';
  /** What comes last, or null. */
  readonly activation: 'relu' | null;
  /** @internal Whether the weight is packed once and kept so: see {@link prepareInference}. */
  packs = false;

  /** @internal */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: unknown,
    options: ConvLayerOptions<unknown>,
    axes: number,
  ) {
    super(inChannels, outChannels, kernelSize, options, axes, false);
    const { name } = new.target;
    const own = ['stride', 'padding', 'dilation', 'groups', 'bias', 'paddingMode', 'activation'] as const;
    checkOptions(name, options, [...own, ...layerOptions]);
    checkName(name, 'paddingMode', options.paddingMode ?? 'zeros', ['zeros']);
    const { padding = 0, activation = null } = options;
    if (activation !== null && activation !== 'relu') fail(name, "activation must be 'relu' or null", show(activation));
    this.activation = activation;
    if (typeof padding === 'string') {
      this.padding = checkName(name, 'padding, where it is no size,', padding, ['same', 'valid'] as const);
      if (padding === 'same' && this.stride.some((s) => s !== 1)) {
        fail(name, 'padding "same" needs a stride of 1', `stride ${show(this.stride)}`);
      }
    } else {
      this.padding = checkSizes(name, 'padding', padding, axes, 0);
    }
  }

  /** @internal How the kernel moves, and what comes last. */
  protected sweep(): ConvOptions<never> {
    const { stride, padding, dilation, groups, activation } = this;
    return { stride, padding, dilation, groups, activation } as object as ConvOptions<never>;
  }

  protected ownOptions(): Readonly<Record<string, unknown>> {
    const { padding, activation } = this;
    return { padding, activation };
  }
}

/**
 * 1-D convolution (cross-correlation) of [N, C, L] or [C, L]: out[n, o, i] = bias[o] + sum over c, u of
 * weight[o, c, u] x[n, c, i stride - padding + u dilation]. `weight` is [outChannels, inChannels / groups, kernelSize];
 * the length becomes ⌊(L + 2 padding - dilation (kernelSize - 1) - 1) / stride⌋ + 1.
 */
export class Conv1d extends Conv {
  /** Throws on channels that groups do not divide, "same" with a stride, and unknown or wrong options. */
  constructor(inChannels: number, outChannels: number, kernelSize: number, options: ConvLayerOptions<number> = {}) {
    super(inChannels, outChannels, kernelSize, options, 1);
  }

  forward(x: Tensor): Tensor {
    return preparedConv1d(x, this.weight, this.bias, this.sweep(), { packs: this.packs });
  }
}

/** What {@link Conv2d}'s forward may do to its result before it is written: a residual is added, then relu. */
export interface Conv2dFollowing {
  /** Shaped like the output. */
  readonly residual?: Tensor;
  readonly activation?: 'relu';
}

/**
 * 2-D convolution (cross-correlation) of [N, C, H, W] or [C, H, W]: out[n, o, i, j] = bias[o] + sum over c, u, v of
 * weight[o, c, u, v] x[n, c, i stride - padding + u dilation, j ...]. `weight` is [outChannels, inChannels / groups,
 * kernel height, kernel width]; a size becomes ⌊(size + 2 padding - dilation (kernel - 1) - 1) / stride⌋ + 1.
 */
export class Conv2d extends Conv {
  /** Throws on channels that groups do not divide, "same" with a stride, and unknown or wrong options. */
  constructor(inChannels: number, outChannels: number, kernelSize: Pair, options: ConvLayerOptions = {}) {
    super(inChannels, outChannels, kernelSize, options, 2);
  }

  /** `then`: what follows in the same pass over memory. */
  forward(x: Tensor, then: Conv2dFollowing = {}): Tensor {
    const prepared = { packs: this.packs, residual: then.residual, activation: then.activation };
    return preparedConv2d(x, this.weight, this.bias, this.sweep(), prepared);
  }
}
