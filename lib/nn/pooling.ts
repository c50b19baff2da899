// Pooling over windows of the last two axes: x is [N, C, H, W] or [C, H, W].
import { fail, show } from '../errors.js';
import type { Pair } from '../ops/conv.js';
import { type AvgPoolOptions, adaptiveAvgPool2d, avgPool2d, type MaxPoolOptions, maxPool2d } from '../ops/pool.js';
import { checkInteger } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { checkFlag, checkOptions, checkSizes } from './check.js';
import { formatArguments } from './format.js';
import { Module } from './module.js';

/** How windows lie on the input: what both kinds share. */
abstract class Pool extends Module {
  /** Height and width of a window. */
  readonly kernelSize: readonly number[];
  /** Steps between windows. */
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly ceilMode: boolean;

  /** @internal */
  constructor(kernelSize: Pair, options: MaxPoolOptions | AvgPoolOptions, own: readonly string[]) {
    super();
    const { name } = new.target;
    checkOptions<object>(name, options, ['stride', 'padding', 'ceilMode', ...own] as never);
    this.kernelSize = checkSizes(name, 'kernelSize', kernelSize, 2, 1);
    this.stride = options.stride === undefined ? this.kernelSize : checkSizes(name, 'stride', options.stride, 2, 1);
    this.padding = checkSizes(name, 'padding', options.padding ?? 0, 2, 0);
    this.ceilMode = checkFlag(name, 'ceilMode', options.ceilMode ?? false);
    if (this.padding.some((zeros, d) => 2 * zeros > this.kernelSize[d])) {
      const given = `padding ${show(this.padding)}, kernelSize ${show(this.kernelSize)}`;
      fail(name, 'padding must be at most half of the kernel', given);
    }
  }

  /** @internal Options beyond those that both kinds have. */
  protected abstract ownOptions(): Readonly<Record<string, unknown>>;

  override extraRepr(): string {
    const { kernelSize, stride, padding, ceilMode } = this;
    return formatArguments(
      [kernelSize],
      { stride, padding, ceilMode, ...this.ownOptions() },
      { stride: kernelSize, padding: [0, 0], dilation: [1, 1], ceilMode: false, countIncludePad: true },
    );
  }
}

/**
 * The largest value of each window; see the function maxPool2d. A size becomes ⌊(size + 2 padding - dilation (kernel -
 * 1) - 1) / stride⌋ + 1.
 */
export class MaxPool2d extends Pool {
  /** Steps between the places of one window. */
  readonly dilation: readonly number[];

  /** `stride`: default the kernel's size. Throws on wrong sizes, too large a padding, and unknown options. */
  constructor(kernelSize: Pair, options: MaxPoolOptions = {}) {
    super(kernelSize, options, ['dilation']);
    this.dilation = checkSizes('MaxPool2d', 'dilation', options.dilation ?? 1, 2, 1);
  }

  forward(x: Tensor): Tensor {
    const { kernelSize, stride, padding, dilation, ceilMode } = this;
    return maxPool2d(x, kernelSize as Pair, { stride, padding, dilation, ceilMode } as MaxPoolOptions);
  }

  protected ownOptions(): Readonly<Record<string, unknown>> {
    return { dilation: this.dilation };
  }
}

/** The mean of each window; see the function avgPool2d. A size becomes ⌊(size + 2 padding - kernel) / stride⌋ + 1. */
export class AvgPool2d extends Pool {
  /** Whether the zeros of the padding count in the mean. */
  readonly countIncludePad: boolean;
  /** What sums are divided by instead of the window's size. */
  readonly divisorOverride: number | undefined;

  /** `stride`: default the kernel's size. Throws on wrong sizes, too large a padding, and unknown options. */
  constructor(kernelSize: Pair, options: AvgPoolOptions = {}) {
    super(kernelSize, options, ['countIncludePad', 'divisorOverride']);
    this.countIncludePad = checkFlag('AvgPool2d', 'countIncludePad', options.countIncludePad ?? true);
    const { divisorOverride } = options;
    if (divisorOverride !== undefined) checkInteger('AvgPool2d', 'divisorOverride', divisorOverride, 1);
    this.divisorOverride = divisorOverride;
  }

  forward(x: Tensor): Tensor {
    const { kernelSize, stride, padding, ceilMode, countIncludePad, divisorOverride } = this;
    const how = { stride, padding, ceilMode, countIncludePad, divisorOverride };
    return avgPool2d(x, kernelSize as Pair, how as AvgPoolOptions);
  }

  protected ownOptions(): Readonly<Record<string, unknown>> {
    return { countIncludePad: this.countIncludePad, divisorOverride: this.divisorOverride };
  }
}

/**
 * Means over windows that spread any input evenly over an output of one size: 1 gives the mean of each plane. See the
 * function adaptiveAvgPool2d.
 */
export class AdaptiveAvgPool2d extends Module {
  /** Height and width of the output. */
  readonly outputSize: readonly number[];

  /** Throws on sizes that are not positive whole numbers. */
  constructor(outputSize: Pair) {
    super();
    this.outputSize = checkSizes('AdaptiveAvgPool2d', 'outputSize', outputSize, 2, 1);
  }

  forward(x: Tensor): Tensor {
    return adaptiveAvgPool2d(x, this.outputSize as Pair);
  }

  override extraRepr(): string {
    return formatArguments([this.outputSize]);
  }
}
