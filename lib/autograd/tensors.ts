// The few tensors that the engine makes itself.
import type { Meta } from '../define.js';
import { full } from '../ops/create.js';
import { numel, type Shape, sameShape } from '../shape.js';
import type { Tensor } from '../tensor.js';

/** A value repeated over a shape, in the memory of one element. */
export function fullLike(value: number, like: Meta): Tensor {
  const scalar = full([], value, { dtype: like.dtype });
  if (like.shape.length === 0) return scalar;
  const out = scalar.expand(like.shape);
  scalar.dispose();
  return out;
}

/** Zeros of a shape, in the memory of one element. */
export function zerosOf(like: Meta): Tensor {
  return fullLike(0, like);
}

/** A gradient in a dtype that can be added up: bfloat16 ones become float32. */
export function summable(g: Tensor): Tensor {
  return g.dtype === 'bfloat16' ? g.cast('float32') : g;
}

/** a + b in their own dtype; in bfloat16 rounded once. */
export function plus(a: Tensor, b: Tensor): Tensor {
  const sum = summable(a).add(summable(b));
  return a.dtype === 'bfloat16' ? sum.cast('bfloat16') : sum;
}

/** Undoes broadcasting: sums the axes that `shape` lacks or has with size 1. */
export function sumTo(g: Tensor, shape: Shape): Tensor {
  const lead = g.ndim - shape.length;
  const axes: number[] = [];
  for (let d = 0; d < g.ndim; d++) {
    if (d < lead || (shape[d - lead] === 1 && g.shape[d] !== 1)) axes.push(d);
  }
  // A gradient that was never broadcast up is spread out: an op's rule may return the gradient of one repeated value.
  if (axes.length === 0) return sameShape(g.shape, shape) ? g : g.expand(shape);
  const summed = summable(g).sum(axes, { keepDims: true });
  return numel(summed.shape) === numel(shape) ? summed.reshape(shape) : summed.expand(shape);
}
