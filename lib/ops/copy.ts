import { calledAs } from '../callsite.js';
import { withModes } from '../context.js';
import { defineOp } from '../define.js';
import { apply, applyInto } from '../dispatch.js';
import { checkDType, checkFits, type DType } from '../dtype.js';
import { fail, show } from '../errors.js';
import { formatShape, numel, sameShape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { checkTensor } from './axes.js';
import { bytesOf } from './cost.js';
import { roundedToBfloat16 } from './make/bfloat16.js';

/** What float64 becomes when stored in a dtype. */
function stored(value: number, dtype: DType): number {
  if (dtype === 'float64') return value;
  if (dtype === 'float32') return Math.fround(value);
  if (dtype === 'bfloat16') return roundedToBfloat16(value);
  if (dtype === 'bool') return value !== 0 ? 1 : 0;
  const [low, high] = dtype === 'uint8' ? [0, 255] : [-2147483648, 2147483647];
  return Number.isNaN(value) ? 0 : Math.trunc(Math.min(Math.max(value, low), high));
}

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

const fillOp = defineOp<{ shape: readonly number[]; dtype: DType; value: number }>({
  name: 'fill',
  bfloat16: true,
  inputs: [],
  infer: (_inputs, { shape, dtype }) => ({ shape, dtype }),
  pack: ({ value }) => [value],
  vjp: [],
  ref: (_inputs, { shape, dtype, value }) => ({
    shape,
    data: new Float64Array(numel(shape)).fill(stored(value, dtype)),
  }),
  cost: (_inputs, outputs) => ({ flops: 0, bytes: bytesOf(outputs) }),
});

/** @internal A new tensor with one value everywhere, where `like` is; the arguments are checked by the callers. */
export function filled(shape: readonly number[], value: number, dtype: DType, like?: Tensor): Tensor {
  const make = () => apply(fillOp, [], { shape, dtype, value });
  return like === undefined ? make() : withModes({ device: like.storage.device }, make);
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

/** Where `place` puts a tensor: along each dimension a first index and a step (negative: backwards). */
interface Placement {
  readonly shape: readonly number[];
  readonly starts: readonly number[];
  readonly steps: readonly number[];
  readonly value: number;
}

const placeOp = defineOp<Placement>({
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
  vjp: [(g, _saved, { attrs, inputs }) => g.window(attrs.starts, inputs[0].shape, attrs.steps)],
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

/** @internal `x` laid into a tensor of `shape` that is `value` elsewhere: what `window` takes out, put back. */
export function place(x: Tensor, placement: Placement): Tensor {
  return apply(placeOp, [x], placement);
}
