// A convolution with what follows it (a residual, relu) and with weights that were packed ahead.
import { defineOp, type Meta, type Op } from '../define.js';
import { apply } from '../dispatch.js';
import { fail } from '../errors.js';
import { formatShape, numel, sameShape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { reluGradOp } from './activation-rows.js';
import {
  checkDTypes,
  convolve,
  convShape,
  flopsOf,
  inputGradient,
  packSweep,
  type Sweep,
  weightGradient,
} from './conv-rows.js';
import { bytesOf } from './cost.js';
import { productDType } from './matmul-rows.js';

interface FusedSweep extends Sweep {
  /** Whether max(0, y) comes last. */
  readonly relu: boolean;
  // Which operands follow x and weight, in this order.
  readonly packed: boolean;
  readonly biased: boolean;
  readonly residual: boolean;
}

/** The operands of {@link fusedOp}, or their shapes, by what they are. */
function partsOf<X>(inputs: readonly X[], { packed, biased, residual }: FusedSweep) {
  const [x, weight, ...rest] = inputs;
  if (packed) rest.shift();
  return { x, weight, bias: biased ? rest.shift() : undefined, residual: residual ? rest.shift() : undefined };
}

const fusedOp: Op<FusedSweep> = defineOp<FusedSweep>({
  name: 'conv2dFused',
  bfloat16: true,
  inputs: ['x', 'weight', 'packed weight, bias, residual'],
  variadic: true,
  infer: (inputs, sweep) => {
    const { x, weight, bias, residual } = partsOf(inputs, sweep);
    checkDTypes('conv2d', sweep.packed ? inputs.slice(0, 3) : [x, weight], [bias, residual]);
    const shape = convShape('conv2d', x.shape, weight.shape, bias?.shape, sweep);
    if (residual !== undefined && !sameShape(residual.shape, shape)) {
      fail('conv2d', `residual must be ${formatShape(shape)}, like the output`, formatShape(residual.shape));
    }
    return { shape, dtype: productDType(x.dtype) };
  },
  pack: (attrs) => [
    ...packSweep(attrs),
    Number(attrs.relu),
    Number(attrs.packed),
    Number(attrs.biased),
    Number(attrs.residual),
  ],
  save: ['x', 'weight', 'out'],
  vjp: {
    joint: (g, { x, weight, out }, { attrs, inputs, needs }) => {
      const slope = attrs.relu ? apply(reluGradOp, [g, out], undefined) : g;
      const rules = [
        () => inputGradient(slope.cast(weight.dtype), weight, attrs, inputs[0].shape),
        () => weightGradient(slope.cast(x.dtype), x, attrs, inputs[1].shape),
        ...(attrs.packed ? [() => null] : []),
        ...(attrs.biased ? [() => slope.sum([0, 2, 3])] : []),
        ...(attrs.residual ? [() => slope] : []),
      ];
      return rules.map((rule, i) => (needs[i] ? rule() : null));
    },
  },
  ref: (inputs, sweep) => {
    const { x, weight, bias, residual } = partsOf(inputs, sweep);
    const { shape, data } = convolve(x, weight, bias, sweep);
    const sums = residual === undefined ? data : data.map((sum, i) => sum + residual.data[i]);
    return { shape, data: sweep.relu ? sums.map((sum) => (sum < 0 ? 0 : sum)) : sums };
  },
  cost: (inputs, [out], sweep) => {
    const { x, weight, bias, residual } = partsOf(inputs, sweep);
    const moved = [x, weight, bias, residual, out].filter((m): m is Meta => m !== undefined);
    const after = (Number(sweep.relu) + Number(sweep.residual)) * numel(out.shape);
    return { flops: flopsOf(out.shape, weight.shape) + after, bytes: bytesOf(moved) };
  },
});

/** What a convolution may have beside its operands: see {@link applyFusedConv2d}. */
export interface Following {
  /** Whether max(0, y) comes last. */
  readonly relu: boolean;
  /** What {@link applyConv2dPack} made of the weight as it is now. */
  readonly packed?: Tensor;
  /** Added before relu; shaped like the output. */
  readonly residual?: Tensor;
}

/** relu?(conv2d(x, weight) + bias? + residual?) in one pass; the arguments are checked by the row. */
export function applyFusedConv2d(inputs: readonly Tensor[], sweep: Sweep, following: Following): Tensor {
  const [x, weight, bias] = inputs;
  const { relu, packed, residual } = following;
  const all = [x, weight, packed, bias, residual].filter((t): t is Tensor => t !== undefined);
  const there = { packed: packed !== undefined, biased: bias !== undefined, residual: residual !== undefined };
  return apply(fusedOp, all, { ...sweep, relu, ...there });
}

// The widest panels that native code cuts output channels into: one, two or four vectors of up to 16 numbers.
const panelOf = (channels: number) => (channels <= 16 ? 16 : channels <= 32 ? 32 : 64);
/** Numbers in front of the panels: see native/cpu/conv_packed.h. */
const lineSize = 16;

interface Packing extends Sweep {
  readonly columns: number;
}

const packOp: Op<Packing> = defineOp<Packing>({
  name: 'conv2dPack',
  inputs: ['weight'],
  opaque: true,
  infer: ([weight], { groups }) => {
    checkDTypes('conv2dPack', [weight]);
    const channels = weight.shape[0] / groups;
    const panel = panelOf(channels);
    const size = groups * Math.ceil(channels / panel) * panel * numel(weight.shape.slice(1));
    return { shape: [lineSize + size], dtype: weight.dtype };
  },
  pack: (attrs) => [...packSweep(attrs), attrs.columns],
  vjp: ['none'],
  ref: ([weight]) => weight,
  cost: (inputs, outputs) => ({ flops: 0, bytes: bytesOf([...inputs, ...outputs]) }),
});

/** A weight in the order in which kernels read it, best for output rows of `columns` columns and right for any. */
export function applyConv2dPack(weight: Tensor, sweep: Sweep, columns: number): Tensor {
  return apply(packOp, [weight], { ...sweep, columns });
}
