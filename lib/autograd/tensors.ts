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

/** Undoes broadcasting: sums the axes that `shape` lacks or has with size 1. */
export function sumTo(g: Tensor, shape: Shape): Tensor {
  const lead = g.ndim - shape.length;
  const axes: number[] = [];
  for (let d = 0; d < g.ndim; d++) {
    if (d < lead || (shape[d - lead] === 1 && g.shape[d] !== 1)) axes.push(d);
  }
  // A gradient that was never broadcast up is spread out: an op's rule may return the gradient of one repeated value.
  if (axes.length === 0) return sameShape(g.shape, shape) ? g : g.expand(shape);
  const summed = g.sum(axes, { keepDims: true });
  return numel(summed.shape) === numel(shape) ? summed.reshape(shape) : summed.expand(shape);
}
