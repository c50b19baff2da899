import { fail, show } from '../errors.js';
import { type ConvTransposeOptions, convTranspose1d, convTranspose2d, type Pair } from '../ops/conv.js';
import type { Tensor } from '../tensor.js';
import { checkOptions, checkSizes } from './check.js';
import { ConvLayer } from './conv.js';
import { type LayerOptions, layerOptions } from './layer.js';

/** Options of {@link ConvTranspose1d}, where sizes are numbers, and {@link ConvTranspose2d}: numbers or pairs. */
export interface ConvTransposeLayerOptions<Size = Pair> extends ConvTransposeOptions<Size>, LayerOptions {
  /** Whether each output channel has a number added. Default true. */
  readonly bias?: boolean;
}

const known = ['stride', 'padding', 'outputPadding', 'dilation', 'groups', 'bias', ...layerOptions] as const;

abstract class ConvTranspose extends ConvLayer {
  /** One size a spatial axis. */
  readonly padding: readonly number[];
  /** One size a spatial axis. */
  readonly outputPadding: readonly number[];

  /** @internal */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: unknown,
    options: ConvTransposeLayerOptions<unknown>,
    axes: number,
  ) {
    super(inChannels, outChannels, kernelSize, options, axes, true);
    const { name } = new.target;
    checkOptions(name, options, known);
    this.padding = checkSizes(name, 'padding', options.padding ?? 0, axes, 0);
    this.outputPadding = checkSizes(name, 'outputPadding', options.outputPadding ?? 0, axes, 0);
    if (this.outputPadding.some((extra, d) => extra >= this.stride[d] && extra >= this.dilation[d])) {
      const given = `outputPadding ${show(this.outputPadding)}, stride ${show(this.stride)}`;
      fail(name, 'outputPadding must be smaller than stride or dilation', given);
    }
  }

  /** @internal How the kernel moves. */
  protected sweep(): ConvTransposeOptions<never> {
    const { stride, padding, outputPadding, dilation, groups } = this;
    return { stride, padding, outputPadding, dilation, groups } as object as ConvTransposeOptions<never>;
  }

  protected ownOptions(): Readonly<Record<string, unknown>> {
    return { padding: this.padding, outputPadding: this.outputPadding };
  }
}

/**
 * The transpose of a 1-D convolution (its gradient by the input), which lengthens by `stride`: [N, C, L] or [C, L],
 * where L becomes (L - 1) stride - 2 padding + dilation (kernelSize - 1) + outputPadding + 1. `weight` is [inChannels,
 * outChannels / groups, kernelSize].
 */
export class ConvTranspose1d extends ConvTranspose {
  /** Throws on channels that groups do not divide, too large an outputPadding, and unknown or wrong options. */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: number,
    options: ConvTransposeLayerOptions<number> = {},
  ) {
    super(inChannels, outChannels, kernelSize, options, 1);
  }

  forward(x: Tensor): Tensor {
    return convTranspose1d(x, this.weight, this.bias, this.sweep());
  }
}

/**
 * The transpose of a 2-D convolution (its gradient by the input), which enlarges by `stride`: [N, C, H, W] or [C, H,
 * W], where a size becomes (size - 1) stride - 2 padding + dilation (kernel - 1) + outputPadding + 1. `weight` is
 * [inChannels, outChannels / groups, kernel height, kernel width].
 */
export class ConvTranspose2d extends ConvTranspose {
  /** Throws on channels that groups do not divide, too large an outputPadding, and unknown or wrong options. */
  constructor(inChannels: number, outChannels: number, kernelSize: Pair, options: ConvTransposeLayerOptions = {}) {
    super(inChannels, outChannels, kernelSize, options, 2);
  }

  forward(x: Tensor): Tensor {
    return convTranspose2d(x, this.weight, this.bias, this.sweep());
  }
}
