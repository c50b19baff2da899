// Convolutions as layers call them: options checked, operands brought together, and the weight packed once where the layer
// was prepared for inference.
import { fail, show } from '../errors.js';
import { checkOptions } from '../options.js';
import { checkInteger } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { asFloat, checkTensor } from './axes.js';
import { applyConv2dPack, applyFusedConv2d } from './conv-fused.js';
import { applyConv2d, convShape, type Sweep } from './conv-rows.js';
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

export type Sizes = number | readonly number[];

export function sizes(
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

export const sweepOptions = ['stride', 'padding', 'dilation', 'groups'] as const;
const convOptions = [...sweepOptions, 'activation'] as const;

export function sweepOf<O extends ConvOptions<Sizes>>(
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
export function floats(op: string, x: Tensor, weight: Tensor, bias: Tensor | null | undefined): Tensor[] {
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
export function batched(x: Tensor, axes: number, body: (batch: Tensor) => Tensor): Tensor {
  return x.ndim === axes + 1 ? body(x.unsqueeze(0)).squeeze(0) : body(x);
}

/** A sweep along one axis as one along two, the first of size 1. */
export function along<S extends Sweep>(sweep: S): S {
  const { stride, padding, dilation } = sweep;
  return { ...sweep, stride: [1, ...stride], padding: [0, padding[0], 0, padding[1]], dilation: [1, ...dilation] };
}

/** conv2d() of a layer that may be prepared for inference. */
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

/** conv1d() of a layer that may be prepared for inference. */
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
