// Running sums.
import { defineOp, type Op } from '../define.js';
import { apply } from '../dispatch.js';
import { fail } from '../errors.js';
import { checkAxis } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { checkTensor, costPerElement, groupsOf } from './axes.js';

interface Scan {
  readonly axis: number;
  /** From the end of the axis to its front. */
  readonly reverse: boolean;
}

const cumsumOp: Op<Scan> = defineOp<Scan>({
  name: 'cumsum',
  inputs: ['x'],
  infer: ([x], { axis }) => {
    checkAxis('cumsum', axis, x.shape.length);
    if (x.dtype === 'bool' || x.dtype === 'uint8') fail('cumsum', 'sums of small integers need int32', x.dtype);
    return { shape: x.shape, dtype: x.dtype };
  },
  pack: ({ axis, reverse }) => [axis, Number(reverse)],
  vjp: [(g, _saved, { attrs: { axis, reverse } }) => apply(cumsumOp, [g], { axis, reverse: !reverse })],
  ref: ([x], { axis, reverse }) => {
    const data = new Float64Array(x.data.length);
    for (const group of groupsOf(x.shape, [axis])) {
      let total = 0;
      for (const place of reverse ? [...group].reverse() : group) {
        total += x.data[place];
        data[place] = total;
      }
    }
    return { shape: x.shape, data };
  },
  cost: costPerElement(1),
});

/**
 * The sums of the elements up to and including each one along `axis`: `out_i = sum of x_j for j <= i`, of x's shape. Integers
 * and booleans add up to int32, which wraps around; float32 elements are added up in float64. Throws when there is no such
 * axis.
 */
export function cumsum(x: Tensor, axis: number): Tensor {
  const place = checkAxis('cumsum', axis, checkTensor('cumsum', x).ndim);
  return apply(cumsumOp, [x.isFloat ? x : x.cast('int32')], { axis: place, reverse: false });
}
