// The rows of linear layers: a product with a transposed weight, a bias, and perhaps the activation that follows.
import { defineOp, type Meta, type Op, type RefArray } from '../define.js';
import { apply } from '../dispatch.js';
import { dtypes } from '../dtype.js';
import { fail, show } from '../errors.js';
import { formatShape, numel, type Shape } from '../shape.js';
import { reluGradOp, sigmoidGradOp, sigmoidRef, tanhGradOp } from './activation-rows.js';
import { bytesOf } from './cost.js';
import { matmul } from './matmul.js';
import { checkDTypes, productDType, sharedGradient } from './matmul-rows.js';

function linearShapes(x: Shape, weight: Shape): string {
  return `x is ${formatShape(x)}, weight is ${formatShape(weight)}`;
}

function inferLinear(inputs: readonly Meta[]): Meta {
  const [x, weight, bias] = inputs as readonly [Meta, Meta, Meta | undefined];
  const given = linearShapes(x.shape, weight.shape);
  checkDTypes('linear', [x, weight]);
  if (weight.shape.length !== 2) fail('linear', 'weight must be a matrix [out features, in features]', given);
  if (x.shape.length === 0) fail('linear', 'x needs a dimension of features', given);
  const [features, inner] = weight.shape;
  if (x.shape[x.shape.length - 1] !== inner) fail('linear', 'inner sizes differ', given);
  if (bias !== undefined && (bias.shape.length !== 1 || bias.shape[0] !== features)) {
    fail('linear', `bias must be [${features}], one number an output`, `bias is ${formatShape(bias.shape)}, ${given}`);
  }
  const dtype = productDType(x.dtype);
  if (bias !== undefined && bias.dtype !== dtype) {
    fail('linear', `bias must be ${dtype}`, `bias is ${bias.dtype}, x is ${x.dtype}`);
  }
  return { shape: [...x.shape.slice(0, -1), features], dtype };
}

function linearRef([x, weight, bias]: readonly RefArray[]): RefArray {
  const [features, inner] = weight.shape;
  const rows = numel(x.shape.slice(0, -1));
  const data = new Float64Array(rows * features);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < features; j++) {
      let sum = bias === undefined ? 0 : bias.data[j];
      for (let k = 0; k < inner; k++) sum += x.data[i * inner + k] * weight.data[j * inner + k];
      data[i * features + j] = sum;
    }
  }
  return { shape: [...x.shape.slice(0, -1), features], data };
}

function linearCost(inputs: readonly Meta[], [out]: readonly Meta[], flops: number) {
  const each = 2 * inputs[1].shape[1] + (inputs.length > 2 ? 1 : 0) + flops;
  return { flops: each * numel(out.shape), bytes: bytesOf([...inputs, out]) };
}

/** x W^T + bias */
export const linearOp = defineOp({
  name: 'linear',
  bfloat16: true,
  inputs: ['x', 'weight', 'bias'],
  infer: inferLinear,
  save: ['x', 'weight'],
  vjp: [
    (g, { weight }) => matmul(g.cast(weight.dtype), weight),
    (g, { x }) => sharedGradient(g.cast(x.dtype), x),
    (g) => g,
  ],
  ref: linearRef,
  cost: (inputs, outputs) => linearCost(inputs, outputs, 0),
});

/** What may follow a linear layer in the same pass over its result. */
export type LinearActivation = 'relu' | 'sigmoid' | 'tanh';

/** An activation whose gradient can be told from its result, so that nothing else need be kept. */
interface Follower {
  /** Its number in native code: see `finish_function` in native/cpu/activations.h. */
  readonly code: number;
  readonly flops: number;
  readonly ref: (z: number) => number;
  /** The gradient by its argument, from that by its result. */
  readonly grad: Op<undefined>;
}

const followers: Readonly<Record<LinearActivation, Follower>> = {
  relu: { code: 1, flops: 1, ref: (z) => (z < 0 ? 0 : z), grad: reluGradOp },
  sigmoid: { code: 2, flops: 18, ref: sigmoidRef, grad: sigmoidGradOp },
  tanh: { code: 3, flops: 24, ref: Math.tanh, grad: tanhGradOp },
};

/** Throws unless it is the name of an activation, or null for none. */
export function checkActivation(op: string, given: unknown): LinearActivation | null {
  if (given === null || (typeof given === 'string' && Object.hasOwn(followers, given))) {
    return given as LinearActivation | null;
  }
  return fail(op, `activation must be one of ${Object.keys(followers).join(', ')}, or null`, show(given));
}

/** activation(x W^T + bias) */
export const linearActivationOp = defineOp<LinearActivation>({
  name: 'linearActivation',
  bfloat16: true,
  inputs: ['x', 'weight', 'bias'],
  infer: (inputs) => {
    const out = inferLinear(inputs);
    if (!dtypes[out.dtype].isFloat) fail('linear', 'an activation needs a float dtype', show(out.dtype));
    return out;
  },
  pack: (activation) => [followers[activation].code],
  save: ['x', 'weight', 'out'],
  vjp: {
    joint: (g, { x, weight, out }, { attrs, inputs, needs }) => {
      const slope = apply(followers[attrs].grad, [g, out], undefined);
      const factor = slope.cast(x.dtype);
      const rules = [() => matmul(factor, weight), () => sharedGradient(factor, x), () => slope];
      return inputs.map((_, i) => (needs[i] ? rules[i]() : null));
    },
  },
  ref: (inputs, activation) => {
    const { shape, data } = linearRef(inputs);
    return { shape, data: data.map(followers[activation].ref) };
  },
  cost: (inputs, outputs, activation) => linearCost(inputs, outputs, followers[activation].flops),
});

/** activation(x W^T + bias), or without one: null; `packed` is what {@link linearPackOp} made of the weight. */
export const linearPackedOp = defineOp<LinearActivation | null>({
  name: 'linearPacked',
  inputs: ['x', 'weight', 'packed', 'bias'],
  infer: (inputs) => {
    const { dtype } = inputs[0];
    if (dtype !== 'float32' && dtype !== 'float64')
      fail('linear', 'a packed weight is float32 or float64', show(dtype));
    for (const m of inputs) if (m.dtype !== dtype) fail('linear', 'inputs differ in dtype', `${dtype} and ${m.dtype}`);
    return inferLinear(inputs.filter((_, i) => i !== 2));
  },
  pack: (activation) => [activation === null ? 0 : followers[activation].code],
  save: ['x', 'weight', 'out'],
  vjp: {
    joint: (g, { x, weight, out }, { attrs, inputs, needs }) => {
      const slope = attrs === null ? g : apply(followers[attrs].grad, [g, out], undefined);
      const rules = [() => matmul(slope, weight), () => sharedGradient(slope, x), () => null, () => slope];
      return inputs.map((_, i) => (needs[i] ? rules[i]() : null));
    },
  },
  ref: ([x, weight, , ...bias], activation) => {
    const { shape, data } = linearRef([x, weight, ...bias]);
    return { shape, data: activation === null ? data : data.map(followers[activation].ref) };
  },
  cost: ([x, weight, , ...bias], outputs, activation) =>
    linearCost([x, weight, ...bias], outputs, activation === null ? 0 : followers[activation].flops),
});

// Numbers in front of the panels, and the widest panels that native code cuts output features into.
const lineSize = 16;
const panel = 32;

/** A weight in the order in which kernels read it, for {@link linearPackedOp} in this process. */
export const linearPackOp = defineOp({
  name: 'linearPack',
  inputs: ['weight'],
  opaque: true,
  infer: ([weight]) => {
    if (weight.dtype !== 'float32' && weight.dtype !== 'float64') {
      fail('linearPack', 'weight must be float32 or float64', show(weight.dtype));
    }
    const [features, inner] = weight.shape;
    return { shape: [lineSize + Math.ceil(features / panel) * panel * inner], dtype: weight.dtype };
  },
  vjp: ['none'],
  ref: ([weight]) => weight,
  cost: (inputs, outputs) => ({ flops: 0, bytes: bytesOf([...inputs, ...outputs]) }),
});
