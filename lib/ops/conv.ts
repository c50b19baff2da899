// Convolutions, as PyTorch names them: cross-correlations, the kernel is not flipped.
import { fail, show } from '../errors.js';
import type { Tensor } from '../tensor.js';
import {
  along,
  batched,
  type ConvOptions,
  floats,
  type Pair,
  preparedConv1d,
  preparedConv2d,
  type Sizes,
  sizes,
  sweepOf,
  sweepOptions,
} from './conv-prepared.js';
import { applyConvTranspose2d, convTransposeShape } from './conv-rows.js';

export type { ConvOptions, Pair } from './conv-prepared.js';

/** How {@link convTranspose2d} moves its kernel. */
export interface ConvTransposeOptions<Size = Pair> {
  /** Steps between the places that neighbouring inputs are written to. Default 1. */
  readonly stride?: Size;
  /** What the corresponding convolution pads, and the transpose therefore cuts off. Default 0. */
  readonly padding?: Size;
  /** Size added behind the last row and column: several sizes lead to the same one. Default 0; below stride or dilation. */
  readonly outputPadding?: Size;
  /** Steps between the kernel's taps. Default 1. */
  readonly dilation?: Size;
  /** Input and output channels fall into this many groups that do not see each other. Default 1. */
  readonly groups?: number;
}

const transposeOptions = [...sweepOptions, 'outputPadding'] as const;

/**
 * Two-dimensional convolution of images `x` [N, C, H, W] (or one image [C, H, W]) with `weight` [O, C / groups, kh, kw]
 * and `bias` [O]: out [N, O, H', W'], out[n, o, y, x] = bias[o] + sum over c, r, s of weight[o, c, r, s] times
 * x[n, c, y stride + r dilation - padding, x stride + s dilation - padding], H' = floor((H + 2 padding - dilation (kh - 1)
 * - 1) / stride) + 1. Beside bfloat16 x and weight the bias and the result are float32. Throws when channels, groups and
 * sizes do not fit together, and when x or weight alone is bfloat16. Source: torch.nn.functional.conv2d.
 */
export function conv2d(x: Tensor, weight: Tensor, bias?: Tensor | null, options: ConvOptions = {}): Tensor {
  return preparedConv2d(x, weight, bias, options, {});
}

/**
 * One-dimensional convolution of `x` [N, C, L] (or [C, L]) with `weight` [O, C / groups, k] and `bias` [O]: [N, O, L'].
 * See {@link conv2d}. Throws when channels, groups and sizes do not fit together. Source: torch.nn.functional.conv1d.
 */
export function conv1d(x: Tensor, weight: Tensor, bias?: Tensor | null, options: ConvOptions<number> = {}): Tensor {
  return preparedConv1d(x, weight, bias, options, {});
}

/**
 * The transpose of {@link conv2d}, which maps a convolution's output size back to its input's: `x` [N, C, H, W] (or
 * [C, H, W]), `weight` [C, O / groups, kh, kw], `bias` [O], out [N, O, H', W'] with H' = (H - 1) stride - 2 padding +
 * dilation (kh - 1) + outputPadding + 1. Every input adds weight times itself to the outputs that a convolution would
 * have read it from. Throws when channels, groups and sizes do not fit together, or outputPadding reaches both stride and
 * dilation. Source: torch.nn.functional.conv_transpose2d.
 */
export function convTranspose2d(
  x: Tensor,
  weight: Tensor,
  bias?: Tensor | null,
  options: ConvTransposeOptions = {},
): Tensor {
  const op = 'convTranspose2d';
  const [input, ...rest] = floats(op, x, weight, bias);
  const sweep = {
    ...sweepOf(op, 2, weight, options, transposeOptions),
    outputPadding: outputPaddingOf(op, 2, options),
  };
  return batched(input, 2, (batch) => applyConvTranspose2d([batch, ...rest], sweep));
}

/**
 * The transpose of {@link conv1d}: `x` [N, C, L] (or [C, L]), `weight` [C, O / groups, k], `bias` [O], out [N, O, L'].
 * See {@link convTranspose2d}. Throws as it does. Source: torch.nn.functional.conv_transpose1d.
 */
export function convTranspose1d(
  x: Tensor,
  weight: Tensor,
  bias?: Tensor | null,
  options: ConvTransposeOptions<number> = {},
): Tensor {
  const op = 'convTranspose1d';
  const [input, kernel, ...rest] = floats(op, x, weight, bias);
  const sweep = {
    ...sweepOf(op, 1, weight, options, transposeOptions),
    outputPadding: outputPaddingOf(op, 1, options),
  };
  const wide = { ...along(sweep), outputPadding: [0, ...sweep.outputPadding] };
  return batched(input, 1, (batch) => {
    convTransposeShape(op, batch.shape, kernel.shape, rest[0]?.shape, sweep);
    return applyConvTranspose2d([batch.unsqueeze(2), kernel.unsqueeze(2), ...rest], wide).squeeze(2);
  });
}

function outputPaddingOf(op: string, axes: number, options: ConvTransposeOptions<Sizes>): number[] {
  const extra = sizes(op, 'outputPadding', options.outputPadding, axes, 0, 0);
  const stride = sizes(op, 'stride', options.stride, axes, 1, 1);
  const dilation = sizes(op, 'dilation', options.dilation, axes, 1, 1);
  if (extra.some((e, d) => e >= Math.max(stride[d], dilation[d]))) {
    const given = `outputPadding ${show(extra)}, stride ${show(stride)}, dilation ${show(dilation)}`;
    fail(op, 'outputPadding must be smaller than stride or dilation', given);
  }
  return extra;
}
