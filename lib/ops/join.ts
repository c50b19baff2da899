import { defineOp } from '../define.js';
import { apply } from '../dispatch.js';
import { promote } from '../dtype.js';
import { fail, show } from '../errors.js';
import { checkAxis, formatShape, maxDims, numel, sameShape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { checkTensor } from './axes.js';
import { bytesOf } from './cost.js';

const concatOp = defineOp<{ axis: number }>({
  name: 'concat',
  bfloat16: true,
  inputs: ['tensors'],
  variadic: true,
  infer: (inputs, { axis }) => {
    const [first] = inputs;
    checkAxis('concat', axis, first.shape.length);
    for (const [i, m] of inputs.entries()) {
      const fits =
        m.shape.length === first.shape.length && m.shape.every((size, d) => d === axis || size === first.shape[d]);
      if (!fits) {
        const given = `tensor 0 is ${formatShape(first.shape)}, tensor ${i} is ${formatShape(m.shape)}`;
        fail('concat', `shapes may differ only along axis ${axis}`, given);
      }
    }
    const size = inputs.reduce((sum, m) => sum + m.shape[axis], 0);
    return { shape: first.shape.map((s, d) => (d === axis ? size : s)), dtype: first.dtype };
  },
  pack: ({ axis }) => [axis],
  vjp: {
    joint: (g, _saved, { attrs: { axis }, inputs, needs }) => {
      let start = 0;
      return inputs.map(({ shape }, i) => {
        start += shape[axis];
        return needs[i] ? g.narrow(axis, start - shape[axis], shape[axis]) : null;
      });
    },
  },
  ref: (inputs, { axis }) => {
    const size = inputs.reduce((sum, x) => sum + x.shape[axis], 0);
    const shape = inputs[0].shape.map((s, d) => (d === axis ? size : s));
    const outer = numel(shape.slice(0, axis));
    const parts: number[] = [];
    for (let o = 0; o < outer; o++) {
      for (const { data } of inputs) {
        const run = data.length / outer;
        parts.push(...data.subarray(o * run, (o + 1) * run));
      }
    }
    return { shape, data: Float64Array.from(parts) };
  },
  cost: (inputs, outputs) => ({ flops: 0, bytes: bytesOf([...inputs, ...outputs]) }),
});

function checkTensors(op: string, tensors: readonly Tensor[]): void {
  if (!Array.isArray(tensors)) fail(op, 'an array of tensors was expected', show(tensors));
  if (tensors.length === 0) fail(op, 'at least one tensor is needed', '[]');
  for (const [i, t] of tensors.entries()) checkTensor(op, t, `item ${i}`);
}

const most = 1024; // operands that one call has room for, whatever their number of axes

/**
 * The tensors side by side along `axis`, in their common dtype. Throws when there is none, when one is a scalar, or when
 * their shapes differ in another axis.
 */
export function concat(tensors: readonly Tensor[], axis = 0): Tensor {
  checkTensors('concat', tensors);
  const d = checkAxis('concat', axis, tensors[0].ndim);
  const dtype = tensors.reduce((common, t) => promote(common, t.dtype), tensors[0].dtype);
  let parts = tensors.map((t) => t.cast(dtype));
  while (parts.length > most) {
    const groups = Array.from({ length: Math.ceil(parts.length / most) }, (_, i) =>
      parts.slice(i * most, (i + 1) * most),
    );
    parts = groups.map((group) => apply(concatOp, group, { axis: d }));
  }
  return apply(concatOp, parts, { axis: d });
}

/**
 * The tensors along a new axis at `axis` (negative: counted from the back of the result), in their common dtype. Throws
 * when there is none or when their shapes differ.
 */
export function stack(tensors: readonly Tensor[], axis = 0): Tensor {
  checkTensors('stack', tensors);
  const { shape, ndim } = tensors[0];
  if (ndim === maxDims) fail('stack', `a tensor has at most ${maxDims} dimensions`, formatShape(shape));
  const d = checkAxis('stack', axis, ndim + 1);
  for (const [i, t] of tensors.entries()) {
    if (!sameShape(t.shape, shape)) {
      fail('stack', 'shapes differ', `tensor 0 is ${formatShape(shape)}, tensor ${i} is ${formatShape(t.shape)}`);
    }
  }
  return concat(
    tensors.map((t) => t.unsqueeze(d)),
    d,
  );
}
