import { defineOp } from '../define.js';
import { apply } from '../dispatch.js';
import { dtypes } from '../dtype.js';
import { checkAxes, numel, reducedShape } from '../shape.js';
import type { Tensor } from '../tensor.js';

const sumOp = defineOp<{ axes: readonly number[]; keepDims: boolean }>({
  name: 'sum',
  inputs: ['x'],
  infer: ([x], { axes, keepDims }) => ({ shape: reducedShape(x.shape, axes, keepDims), dtype: x.dtype }),
  pack: ({ axes }) => axes,
  vjp: [
    (g, _s, { attrs, inputs }) => g.reshape(reducedShape(inputs[0].shape, attrs.axes, true)).expand(inputs[0].shape),
  ],
  ref: ([x], { axes, keepDims }) => {
    const kept = reducedShape(x.shape, axes, true);
    const data = new Float64Array(numel(kept));
    x.data.forEach((v, i) => {
      let rest = i;
      let at = 0;
      let step = 1;
      for (let d = x.shape.length - 1; d >= 0; d--) {
        if (kept[d] !== 1) at += (rest % x.shape[d]) * step;
        step *= kept[d];
        rest = Math.floor(rest / x.shape[d]);
      }
      data[at] += v;
    });
    return { shape: reducedShape(x.shape, axes, keepDims), data };
  },
  cost: ([x], [out]) => ({
    flops: numel(x.shape),
    bytes: (numel(x.shape) + numel(out.shape)) * dtypes[x.dtype].itemSize,
  }),
});

/** The sum over the given axes (all, when absent). */
export function sum(
  x: Tensor,
  axis?: number | readonly number[],
  { keepDims = false }: { readonly keepDims?: boolean } = {},
): Tensor {
  return apply(sumOp, [x], { axes: checkAxes('sum', axis, x.ndim), keepDims });
}
