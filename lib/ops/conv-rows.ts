// The rows of convolution: forward, the transpose (which is the gradient of its input) and the gradient of its weight.
// Each one's gradients are made of the other two, so gradients of any order exist.
import { defineOp, type Meta, type Op, type RefArray } from '../define.js';
import { apply } from '../dispatch.js';
import { dtypes } from '../dtype.js';
import { fail } from '../errors.js';
import { formatShape, numel, type Shape, sameShape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { bytesOf } from './cost.js';
import { productDType } from './matmul-rows.js';

/** How a kernel moves over an image of n spatial axes: lists by axis; padding has the n sizes before, then the n behind. */
export interface Sweep {
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;
}

/** The transpose also takes how much longer its output is than the shortest that leads to its input. */
export interface TransposeSweep extends Sweep {
  readonly outputPadding: readonly number[];
}

interface WeightSweep extends Sweep {
  readonly kernel: readonly number[];
}

const letters = ['L', 'H, W'];

function describe(x: Shape, weight: Shape, groups: number): string {
  return `x is ${formatShape(x)}, weight is ${formatShape(weight)}, groups ${groups}`;
}

function checkRanks(op: string, x: Shape, weight: Shape, sweep: Sweep): void {
  const spatial = sweep.stride.length;
  const given = describe(x, weight, sweep.groups);
  if (x.length !== spatial + 2) fail(op, `x must be [N, C, ${letters[spatial - 1]}]`, given);
  if (weight.length !== spatial + 2) fail(op, `weight must have ${spatial + 2} dimensions`, given);
  if (weight[0] % sweep.groups !== 0) fail(op, "weight's first size must be a multiple of groups", given);
}

function checkBias(op: string, bias: Shape | undefined, channels: number): void {
  if (bias !== undefined && (bias.length !== 1 || bias[0] !== channels)) {
    fail(op, `bias must be [${channels}], one number an output channel`, `bias is ${formatShape(bias)}`);
  }
}

/** Sizes that a kernel covers along each spatial axis. */
const reach = (kernel: Shape, { dilation }: Sweep) => kernel.map((k, d) => (k === 0 ? 0 : dilation[d] * (k - 1) + 1));

/** The output shape of a convolution of any number of spatial axes. Throws what does not fit together, naming `op`. */
export function convShape(op: string, x: Shape, weight: Shape, bias: Shape | undefined, sweep: Sweep): number[] {
  checkRanks(op, x, weight, sweep);
  const given = describe(x, weight, sweep.groups);
  if (x[1] !== weight[1] * sweep.groups) {
    fail(op, `x must have ${weight[1] * sweep.groups} channels (weight's second size times groups)`, given);
  }
  checkBias(op, bias, weight[0]);
  const spatial = x.slice(2);
  const sizes = reach(weight.slice(2), sweep).map((covered, d) => {
    const room = spatial[d] + sweep.padding[d] + sweep.padding[d + spatial.length];
    if (covered === 0 || covered > room) {
      fail(op, covered === 0 ? 'the kernel is empty' : 'the kernel is larger than the padded input', given);
    }
    return Math.floor((room - covered) / sweep.stride[d]) + 1;
  });
  return [x[0], weight[0], ...sizes];
}

/** The output shape of a transposed convolution. Throws what does not fit together, naming `op`. */
export function convTransposeShape(
  op: string,
  x: Shape,
  weight: Shape,
  bias: Shape | undefined,
  sweep: TransposeSweep,
): number[] {
  checkRanks(op, x, weight, sweep);
  const given = describe(x, weight, sweep.groups);
  if (x[1] !== weight[0]) fail(op, `x must have ${weight[0]} channels (weight's first size)`, given);
  checkBias(op, bias, weight[1] * sweep.groups);
  const n = x.length - 2;
  const sizes = reach(weight.slice(2), sweep).map((covered, d) => {
    const size =
      (x[d + 2] - 1) * sweep.stride[d] - sweep.padding[d] - sweep.padding[d + n] + covered + sweep.outputPadding[d];
    if (covered === 0 || size < 1) fail(op, covered === 0 ? 'the kernel is empty' : 'the output would be empty', given);
    return size;
  });
  return [x[0], weight[1] * sweep.groups, ...sizes];
}

// Native code needs no padding behind the last row and column: the output's size implies it.
export const packSweep = ({ stride, padding, dilation, groups }: Sweep) => [
  ...stride,
  ...padding.slice(0, stride.length),
  ...dilation,
  groups,
];

/** Throws unless the two factors are floats of one dtype and what is added to their products is of that of the result. */
export function checkDTypes(op: string, factors: readonly Meta[], terms: readonly (Meta | undefined)[] = []): void {
  for (const m of factors) {
    if (!dtypes[m.dtype].isFloat) fail(op, 'inputs must be float32, float64 or bfloat16', m.dtype);
    if (m.dtype !== factors[0].dtype) fail(op, 'inputs differ in dtype', `${factors[0].dtype} and ${m.dtype}`);
  }
  const dtype = productDType(factors[0].dtype);
  for (const m of terms) {
    if (m !== undefined && m.dtype !== dtype) fail(op, `what is added must be ${dtype}`, m.dtype);
  }
}

/** term(x index, weight index, output index) for every product in the definition of a convolution x -> out. */
function eachProduct(
  x: Shape,
  weight: Shape,
  out: Shape,
  { stride, padding, dilation, groups }: Sweep,
  term: (atX: number, atWeight: number, atOut: number) => void,
): void {
  const [perGroup, channels] = [weight[0] / groups, weight[1]];
  const [, , height, width] = x;
  const [, , kh, kw] = weight;
  const [, , oh, ow] = out;
  const { floor } = Math; // test runners put a slow door before globals
  for (let n = 0; n < x[0]; n++) {
    for (let o = 0; o < weight[0]; o++) {
      for (let c = 0; c < channels; c++) {
        const planeX = n * x[1] + floor(o / perGroup) * channels + c;
        for (let at = 0; at < oh * ow; at++) {
          for (let r = 0; r < kh; r++) {
            const row = floor(at / ow) * stride[0] + r * dilation[0] - padding[0];
            for (let s = 0; s < kw; s++) {
              const column = (at % ow) * stride[1] + s * dilation[1] - padding[1];
              if (row < 0 || row >= height || column < 0 || column >= width) continue;
              term(
                (planeX * height + row) * width + column,
                ((o * channels + c) * kh + r) * kw + s,
                (n * weight[0] + o) * oh * ow + at,
              );
            }
          }
        }
      }
    }
  }
}

/** An output whose channels start from the bias. */
function startFrom(shape: Shape, bias: RefArray | undefined): RefArray {
  const plane = numel(shape.slice(2));
  const data = new Float64Array(numel(shape));
  if (bias !== undefined) for (let i = 0; i < data.length; i++) data[i] = bias.data[Math.floor(i / plane) % shape[1]];
  return { shape, data };
}

/** Multiplications and additions of a convolution: one of each for every weight at every point of the smaller side. */
export const flopsOf = (small: Shape, weight: Shape) => 2 * small[0] * numel(small.slice(2)) * numel(weight);

// A transposed convolution may make rows that its own convolution would not come back to.
function cropped(x: Tensor, shape: Shape): Tensor {
  return sameShape(x.shape, shape) ? x : x.slice(...shape.map((end) => ({ end })));
}

/** How much longer `shape` is than the shortest that `g` can come from. */
function missing(shape: Shape, g: Shape, kernel: Shape, sweep: Sweep): number[] {
  const { stride, padding } = sweep;
  return reach(kernel, sweep).map(
    (covered, d) => shape[d + 2] - ((g[d + 2] - 1) * stride[d] - padding[d] - padding[d + kernel.length] + covered),
  );
}

/** The float64 reference of a convolution. */
export function convolve(x: RefArray, weight: RefArray, bias: RefArray | undefined, sweep: Sweep): RefArray {
  const out = startFrom(convShape('conv2d', x.shape, weight.shape, bias?.shape, sweep), bias);
  eachProduct(x.shape, weight.shape, out.shape, sweep, (i, k, o) => {
    out.data[o] += x.data[i] * weight.data[k];
  });
  return out;
}

/** The gradient of a convolution's input of the given shape, from that of its output. */
export function inputGradient(g: Tensor, weight: Tensor, sweep: Sweep, shape: Shape): Tensor {
  const { stride, padding, dilation, groups } = sweep;
  const outputPadding = missing(shape, g.shape, weight.shape.slice(2), sweep);
  return apply(convTranspose2dOp, [g, weight], { stride, padding, dilation, groups, outputPadding });
}

/** The gradient of a convolution's weight of the given shape, from that of its output. */
export function weightGradient(g: Tensor, x: Tensor, sweep: Sweep, shape: Shape): Tensor {
  const { stride, padding, dilation, groups } = sweep;
  return apply(weightGradientOp, [x, g], { stride, padding, dilation, groups, kernel: shape.slice(2) });
}

const conv2dOp: Op<Sweep> = defineOp<Sweep>({
  name: 'conv2d',
  bfloat16: true,
  inputs: ['x', 'weight', 'bias'],
  infer: (inputs, sweep) => {
    const [x, weight, bias] = inputs as readonly [Meta, Meta, Meta | undefined];
    checkDTypes('conv2d', [x, weight], [bias]);
    return { shape: convShape('conv2d', x.shape, weight.shape, bias?.shape, sweep), dtype: productDType(x.dtype) };
  },
  pack: packSweep,
  save: ['x', 'weight'],
  vjp: [
    // Gradients are products of the same kind: in bfloat16 what comes in is rounded to it first.
    (g, { weight }, { attrs, inputs: [x] }) => inputGradient(g.cast(weight.dtype), weight, attrs, x.shape),
    (g, { x }, { attrs, inputs: [, weight] }) => weightGradient(g.cast(x.dtype), x, attrs, weight.shape),
    (g) => g.sum([0, 2, 3]),
  ],
  ref: ([x, weight, bias], sweep) => convolve(x, weight, bias, sweep),
  cost: (inputs, [out]) => ({ flops: flopsOf(out.shape, inputs[1].shape), bytes: bytesOf([...inputs, out]) }),
});

const convTranspose2dOp: Op<TransposeSweep> = defineOp<TransposeSweep>({
  name: 'convTranspose2d',
  bfloat16: true,
  inputs: ['x', 'weight', 'bias'],
  infer: (inputs, sweep) => {
    const [x, weight, bias] = inputs as readonly [Meta, Meta, Meta | undefined];
    checkDTypes('convTranspose2d', [x, weight], [bias]);
    const shape = convTransposeShape('convTranspose2d', x.shape, weight.shape, bias?.shape, sweep);
    return { shape, dtype: productDType(x.dtype) };
  },
  pack: packSweep,
  save: ['x', 'weight'],
  vjp: [
    (g, { weight }, { attrs, inputs: [x] }) => cropped(apply(conv2dOp, [g.cast(weight.dtype), weight], attrs), x.shape),
    (g, { x }, { attrs, inputs: [, weight] }) =>
      apply(weightGradientOp, [g.cast(x.dtype), x], { ...attrs, kernel: weight.shape.slice(2) }),
    (g) => g.sum([0, 2, 3]),
  ],
  ref: ([x, weight, bias], sweep) => {
    const out = startFrom(convTransposeShape('convTranspose2d', x.shape, weight.shape, bias?.shape, sweep), bias);
    eachProduct(out.shape, weight.shape, x.shape, sweep, (o, k, i) => {
      out.data[o] += x.data[i] * weight.data[k];
    });
    return out;
  },
  cost: (inputs, [out]) => ({
    flops: flopsOf(inputs[0].shape, inputs[1].shape),
    bytes: bytesOf([...inputs, out]),
  }),
});

const weightGradientOp: Op<WeightSweep> = defineOp<WeightSweep>({
  name: 'conv2dWeightGradient',
  bfloat16: true,
  inputs: ['x', 'g'],
  infer: ([x, g], { groups, kernel }) => {
    checkDTypes('conv2dWeightGradient', [x, g]);
    return { shape: [g.shape[1], x.shape[1] / groups, ...kernel], dtype: productDType(x.dtype) };
  },
  pack: packSweep,
  save: ['x', 'g'],
  vjp: [
    (gg, { g }, { attrs, inputs: [x] }) => {
      const outputPadding = missing(x.shape, g.shape, attrs.kernel, attrs);
      return apply(convTranspose2dOp, [g, gg.cast(g.dtype)], { ...attrs, outputPadding });
    },
    (gg, { x }, { attrs, inputs: [, g] }) => cropped(apply(conv2dOp, [x, gg.cast(x.dtype)], attrs), g.shape),
  ],
  ref: ([x, g], { kernel, ...sweep }) => {
    const shape = [g.shape[1], x.shape[1] / sweep.groups, ...kernel];
    const data = new Float64Array(numel(shape));
    eachProduct(x.shape, shape, g.shape, sweep, (i, k, o) => {
      data[k] += x.data[i] * g.data[o];
    });
    return { shape, data };
  },
  cost: ([x, g], [out]) => ({ flops: flopsOf(g.shape, out.shape), bytes: bytesOf([x, g, out]) }),
});

/** A convolution of images [N, C, H, W]; the arguments are checked by the row. */
export function applyConv2d(inputs: readonly Tensor[], sweep: Sweep): Tensor {
  return apply(conv2dOp, inputs, sweep);
}

/** A transposed convolution of images [N, C, H, W]; the arguments are checked by the row. */
export function applyConvTranspose2d(inputs: readonly Tensor[], sweep: TransposeSweep): Tensor {
  return apply(convTranspose2dOp, inputs, sweep);
}
