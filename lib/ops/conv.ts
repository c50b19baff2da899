// Convolutions, as PyTorch names them: cross-correlations, the kernel is not flipped.
import { fail, show } from '../errors.js';
import { checkOptions } from '../options.js';
import { checkInteger } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { asFloat, checkTensor } from './axes.js';
import { applyConv2dPack, applyFusedConv2d } from './conv-fused.js';
import { applyConv2d, applyConvTranspose2d, convShape, convTransposeShape, type Sweep } from './conv-rows.js';
import { meet } from './matmul-rows.js';
import { isPackable, packedOf } from './packed.js';

/** One number for both spatial axes, or one each: rows (height), then columns (width). */
export type Pair = number | readonly [number, number];

/** How {@link conv2d} moves its kernel; {@link conv1d} takes numbers alone. */
export interface ConvOptions<Size = Pair> {
  /** Steps of the kernel. Default 1. */
  readonly stride?: Size;
  /**
   * Zeros around the image. Default 0. `'valid'` is 0; `'same'` keeps the size (for stride 1 only), with one zero more
   * behind than before where the kernel's size is even.
   */
  readonly padding?: Size | 'same' | 'valid';
  /** Steps between the kernel's taps. Default 1. */
  readonly dilation?: Size;
  /** Input and output channels fall into this many groups that do not see each other. Default 1. */
  readonly groups?: number;
  /** 'relu': max(0, y) comes out, in the same pass over memory. Default null: y itself. */
  readonly activation?: 'relu' | null;
}

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

type Sizes = number | readonly number[];

function sizes(
  op: string,
  what: string,
  value: Sizes | undefined,
  axes: number,
  otherwise: number,
  min: number,
): number[] {
  const given = value ?? otherwise;
  const list = Array.isArray(given) ? given : new Array(axes).fill(given);
  if (list.length !== axes) fail(op, `${what} must be a number or a list of ${axes}`, show(value));
  return list.map((size) => checkInteger(op, what, size, min));
}

/** The zeros before each axis, then those behind. */
function paddings(
  op: string,
  value: Sizes | 'same' | 'valid' | undefined,
  kernel: readonly number[],
  stride: readonly number[],
  dilation: readonly number[],
): number[] {
  if (value === 'same') {
    if (stride.some((s) => s !== 1)) fail(op, "padding 'same' needs stride 1", `stride ${show(stride)}`);
    const total = kernel.map((k, d) => dilation[d] * Math.max(k - 1, 0));
    return [...total.map((t) => Math.floor(t / 2)), ...total.map((t) => Math.ceil(t / 2))];
  }
  if (typeof value === 'string' && value !== 'valid') {
    fail(op, "padding must be 'same', 'valid', a number or a list of numbers", show(value));
  }
  const before = sizes(op, 'padding', value === 'valid' ? 0 : (value as Sizes | undefined), kernel.length, 0, 0);
  return [...before, ...before];
}

const sweepOptions = ['stride', 'padding', 'dilation', 'groups'] as const;
const convOptions = [...sweepOptions, 'activation'] as const;
const transposeOptions = [...sweepOptions, 'outputPadding'] as const;

function sweepOf<O extends ConvOptions<Sizes>>(
  op: string,
  axes: number,
  weight: Tensor,
  options: O,
  known: readonly (keyof O & string)[],
): Sweep {
  checkOptions(op, options, known);
  const stride = sizes(op, 'stride', options.stride, axes, 1, 1);
  const dilation = sizes(op, 'dilation', options.dilation, axes, 1, 1);
  const padding = paddings(op, options.padding, weight.shape.slice(-axes), stride, dilation);
  return { stride, padding, dilation, groups: checkInteger(op, 'groups', options.groups ?? 1, 1) };
}

const operandNames = ['x', 'weight', 'bias'] as const;

/** Input, weight and bias as floats of one dtype; beside bfloat16 factors the bias is float32. */
function floats(op: string, x: Tensor, weight: Tensor, bias: Tensor | null | undefined): Tensor[] {
  const given = bias === null || bias === undefined ? [x, weight] : [x, weight, bias];
  const cast = given.map((t, i) => asFloat(checkTensor(op, t, operandNames[i])));
  return meet(op, cast, operandNames);
}

function endsWithRelu(op: string, { activation = null }: ConvOptions<unknown>): boolean {
  if (activation !== null && activation !== 'relu') fail(op, "activation must be 'relu' or null", show(activation));
  return activation === 'relu';
}

/** Beyond a convolution's options: what a layer that was prepared for inference asks for. */
export interface Prepared {
  /** Whether the weight is packed once and kept so, until it changes. */
  readonly packs?: boolean;
  /** Added before the activation; shaped like the output. */
  readonly residual?: Tensor;
  /** Comes last even where the options have none. */
  readonly activation?: 'relu';
}

/** A convolution of a batch of images with all that it may have beside it. */
function convolved(inputs: readonly Tensor[], sweep: Sweep, relu: boolean, { packs, residual }: Prepared): Tensor {
  const [x, weight, bias] = inputs;
  if (packs && isPackable(weight)) {
    const columns = convShape('conv2d', x.shape, weight.shape, bias?.shape, sweep)[3];
    const packed = packedOf(weight, `conv2d, ${sweep.groups}`, (w) => applyConv2dPack(w, sweep, columns));
    return applyFusedConv2d(inputs, sweep, { relu, packed, residual });
  }
  if (relu || residual !== undefined) return applyFusedConv2d(inputs, sweep, { relu, residual });
  return applyConv2d(inputs, sweep);
}

/** Runs `body` on a batch: one image without a batch axis becomes a batch of one, and the result one image again. */
function batched(x: Tensor, axes: number, body: (batch: Tensor) => Tensor): Tensor {
  return x.ndim === axes + 1 ? body(x.unsqueeze(0)).squeeze(0) : body(x);
}

/** A sweep along one axis as one along two, the first of size 1. */
function along<S extends Sweep>(sweep: S): S {
  const { stride, padding, dilation } = sweep;
  return { ...sweep, stride: [1, ...stride], padding: [0, padding[0], 0, padding[1]], dilation: [1, ...dilation] };
}

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

/** {@link conv2d} of a layer that may be prepared for inference. */
export function preparedConv2d(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null | undefined,
  options: ConvOptions,
  prepared: Prepared,
): Tensor {
  const [input, ...rest] = floats('conv2d', x, weight, bias);
  const sweep = sweepOf('conv2d', 2, weight, options, convOptions);
  const relu = prepared.activation === 'relu' || endsWithRelu('conv2d', options);
  const residual = prepared.residual && checkTensor('conv2d', prepared.residual, 'residual');
  // What was cast to another dtype is not the weight that is kept.
  const packs = prepared.packs && rest[0] === weight && weight.dtype !== 'bfloat16';
  return batched(input, 2, (batch) =>
    convolved([batch, ...rest], sweep, relu, { packs, residual: input === batch ? residual : residual?.unsqueeze(0) }),
  );
}

/**
 * One-dimensional convolution of `x` [N, C, L] (or [C, L]) with `weight` [O, C / groups, k] and `bias` [O]: [N, O, L'].
 * See {@link conv2d}. Throws when channels, groups and sizes do not fit together. Source: torch.nn.functional.conv1d.
 */
export function conv1d(x: Tensor, weight: Tensor, bias?: Tensor | null, options: ConvOptions<number> = {}): Tensor {
  return preparedConv1d(x, weight, bias, options, {});
}

/** {@link conv1d} of a layer that may be prepared for inference. */
export function preparedConv1d(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null | undefined,
  options: ConvOptions<number>,
  { packs }: Pick<Prepared, 'packs'>,
): Tensor {
  const [input, kernel, ...rest] = floats('conv1d', x, weight, bias);
  const sweep = sweepOf('conv1d', 1, weight, options, convOptions);
  const relu = endsWithRelu('conv1d', options);
  return batched(input, 1, (batch) => {
    convShape('conv1d', batch.shape, kernel.shape, rest[0]?.shape, sweep);
    const inputs = [batch.unsqueeze(2), kernel.unsqueeze(2), ...rest];
    return convolved(inputs, along(sweep), relu, {
      packs: packs && kernel === weight && weight.dtype !== 'bfloat16',
    }).squeeze(2);
  });
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
