// Windows on a tensor, and tensors laid into a larger one: each is the gradient of the other.
import { defineOp, type Layout, type Op } from '../define.js';
import { apply } from '../dispatch.js';
import { fail } from '../errors.js';
import { formatShape, numel } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { bytesOf } from './cost.js';
import { throughLayout } from './make/layout.js';

/** What is taken out of a tensor: along each dimension a first index, a count and a step (negative: backwards). */
interface Window {
  readonly starts: readonly number[];
  readonly sizes: readonly number[];
  readonly steps: readonly number[];
}

function windowLayout({ strides, offset }: Layout, { starts, sizes, steps }: Window): Layout {
  return {
    shape: sizes,
    strides: strides.map((s, d) => s * steps[d]),
    offset: strides.reduce((at, s, d) => at + (sizes[d] === 0 ? 0 : s * starts[d]), offset),
  };
}

const sliceOp: Op<Window> = defineOp<Window>({
  name: 'slice',
  inputs: ['x'],
  infer: ([x], { sizes }) => ({ shape: sizes, dtype: x.dtype }),
  view: windowLayout,
  vjp: [
    (g, _saved, { attrs: { starts, steps }, inputs }) => place(g, { shape: inputs[0].shape, starts, steps, value: 0 }),
  ],
  ref: ([x], attrs) => throughLayout(x, (dense) => windowLayout(dense, attrs)),
  cost: () => ({ flops: 0, bytes: 0 }),
});

/** Elements starts[d] + i * steps[d] for i < sizes[d] along each axis; the arguments are checked by callers. */
export function window(
  x: Tensor,
  starts: readonly number[],
  sizes: readonly number[],
  steps: readonly number[],
): Tensor {
  return apply(sliceOp, [x], { starts, sizes, steps });
}

/** Where {@link place} puts a tensor: along each dimension a first index and a step (negative: backwards). */
interface Placement {
  readonly shape: readonly number[];
  readonly starts: readonly number[];
  readonly steps: readonly number[];
  readonly value: number;
}

const placeOp: Op<Placement> = defineOp<Placement>({
  name: 'place',
  bfloat16: true,
  inputs: ['x'],
  infer: ([x], { shape, starts, steps }) => {
    // The kernel trusts this: what lies outside would be written outside.
    const inside = (size: number, d: number) => {
      const last = starts[d] + (size - 1) * steps[d];
      return size === 0 || (Math.min(starts[d], last) >= 0 && Math.max(starts[d], last) < shape[d]);
    };
    if (x.shape.length !== shape.length || !x.shape.every(inside)) {
      fail('place', 'the tensor does not fit', `${formatShape(x.shape)} in ${formatShape(shape)}`);
    }
    return { shape, dtype: x.dtype };
  },
  pack: ({ starts, steps, value }) => [value, ...starts.flatMap((start, d) => [start, steps[d]])],
  vjp: [(g, _saved, { attrs, inputs }) => window(g, attrs.starts, inputs[0].shape, attrs.steps)],
  ref: ([x], { shape, starts, steps, value }) => {
    const data = new Float64Array(numel(shape)).fill(value);
    x.data.forEach((v, i) => {
      let rest = i;
      let at = 0;
      let step = 1;
      for (let d = shape.length - 1; d >= 0; d--) {
        at += step * (starts[d] + (rest % x.shape[d]) * steps[d]);
        rest = Math.floor(rest / x.shape[d]);
        step *= shape[d];
      }
      data[at] = v;
    });
    return { shape, data };
  },
  cost: (inputs, outputs) => ({ flops: 0, bytes: bytesOf([...inputs, ...outputs]) }),
});

/** `x` laid into a tensor of `shape` that is `value` elsewhere: what {@link window} takes out, put back. */
export function place(x: Tensor, placement: Placement): Tensor {
  return apply(placeOp, [x], placement);
}
