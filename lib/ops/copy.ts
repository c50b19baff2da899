import { calledAs } from '../callsite.js';
import { defineOp } from '../define.js';
import { apply, applyInto } from '../dispatch.js';
import { checkDType, checkFits, type DType } from '../dtype.js';
import { fail, show } from '../errors.js';
import { sameShape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { checkTensor } from './axes.js';
import { bytesOf } from './cost.js';
import { fillOp, stored } from './filled.js';

const copyOp = defineOp<{ dtype: DType }>({
  name: 'copy',
  bfloat16: true,
  inputs: ['x'],
  infer: ([x], { dtype }) => ({ shape: x.shape, dtype }),
  vjp: [(g, _saved, { inputs }) => g.cast(inputs[0].dtype)],
  ref: ([x], { dtype }) => ({ shape: x.shape, data: x.data.map((v) => stored(v, dtype)) }),
  cost: (inputs, outputs) => ({ flops: 0, bytes: bytesOf([...inputs, ...outputs]) }),
});

/** A new contiguous tensor with the same elements; gradients flow through. */
export function clone(x: Tensor): Tensor {
  checkTensor('clone', x);
  return apply(copyOp, [x], { dtype: x.dtype });
}

/** The tensor itself when its elements lie in row-major order without gaps, else a {@link clone}. */
export function contiguous(x: Tensor): Tensor {
  return checkTensor('contiguous', x).isContiguous ? x : clone(x);
}

/**
 * The elements converted to another dtype; the tensor itself when it has that dtype already. To an integer dtype numbers
 * are truncated towards zero and saturate at the ends of its range, NaN becomes 0; to bool, everything but 0 is true; to
 * bfloat16 they are rounded to the nearest, of two to the even one. Throws when `dtype` is not the name of one.
 */
export function cast(x: Tensor, dtype: DType): Tensor {
  return dtype === checkTensor('cast', x).dtype ? x : apply(copyOp, [x], { dtype: checkDType('cast', dtype) });
}

/**
 * Sets every element of `x` to `value`, in place. Throws when `x` requires grad outside of noGrad, is expanded, or is of a
 * dtype that cannot hold `value`.
 */
export function fill_(x: Tensor, value: number): Tensor {
  checkTensor('fill_', x);
  if (typeof value !== 'number') fail('fill_', 'value must be a number', show(value));
  checkFits('fill_', value, x.dtype);
  applyInto(fillOp, [], [x], { shape: x.shape, dtype: x.dtype, value }, 'fill_');
  return x;
}

/** Sets every element of `x` to 0, in place. Throws as {@link fill_} does. */
export function zero_(x: Tensor): Tensor {
  checkTensor('zero_', x);
  applyInto(fillOp, [], [x], { shape: x.shape, dtype: x.dtype, value: 0 }, 'zero_');
  return x;
}

/**
 * Copies the elements of `source` into `x`, in place, broadcasting and converting them to its dtype. Throws when the
 * shapes do not broadcast, when `x` requires grad outside of noGrad, or is expanded.
 */
export function copy_(x: Tensor, source: Tensor): Tensor {
  checkTensor('copy_', x);
  checkTensor('copy_', source, 'source');
  const spread = () => source.expand(x.shape);
  const from = sameShape(x.shape, source.shape) ? source : calledAs('copy_', 'expand', spread);
  applyInto(copyOp, [from], [x], { dtype: x.dtype }, 'copy_');
  return x;
}
