// Pooling over windows of the last two axes: x is [N, C, H, W] or [C, H, W].
import type { Pair } from '../ops/conv.js';
import { type AvgPoolOptions, adaptiveAvgPool2d, avgPool2d, type MaxPoolOptions, maxPool2d } from '../ops/pool.js';
import type { Tensor } from '../tensor.js';
import { checkOptions, checkSizes } from './check.js';
import { formatArguments } from './format.js';
import { Module } from './module.js';

/** The largest value of each window. See {@link maxPool2d}. */
export class MaxPool2d extends Module {
  /** Throws on a window that is not positive, and on unknown options. */
  constructor(
    readonly kernelSize: Pair,
    readonly options: MaxPoolOptions = {},
  ) {
    super();
    checkSizes('MaxPool2d', 'kernelSize', kernelSize, 2, 1);
    checkOptions('MaxPool2d', options, ['stride', 'padding', 'dilation', 'ceilMode']);
  }

  forward(x: Tensor): Tensor {
    return maxPool2d(x, this.kernelSize, this.options);
  }

  override extraRepr(): string {
    return formatArguments([this.kernelSize], { ...this.options }, {});
  }
}

/** The mean of each window. See {@link avgPool2d}. */
export class AvgPool2d extends Module {
  /** Throws on a window that is not positive, and on unknown options. */
  constructor(
    readonly kernelSize: Pair,
    readonly options: AvgPoolOptions = {},
  ) {
    super();
    checkSizes('AvgPool2d', 'kernelSize', kernelSize, 2, 1);
    checkOptions('AvgPool2d', options, ['stride', 'padding', 'ceilMode', 'countIncludePad', 'divisorOverride']);
  }

  forward(x: Tensor): Tensor {
    return avgPool2d(x, this.kernelSize, this.options);
  }

  override extraRepr(): string {
    return formatArguments([this.kernelSize], { ...this.options }, {});
  }
}

/** Means over windows that spread the input evenly over an output of the given size. See {@link adaptiveAvgPool2d}. */
export class AdaptiveAvgPool2d extends Module {
  /** Throws on a size that is not positive. */
  constructor(readonly outputSize: Pair) {
    super();
    checkSizes('AdaptiveAvgPool2d', 'outputSize', outputSize, 2, 1);
  }

  forward(x: Tensor): Tensor {
    return adaptiveAvgPool2d(x, this.outputSize);
  }

  override extraRepr(): string {
    return formatArguments([this.outputSize]);
  }
}
