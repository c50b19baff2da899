// Where the largest and the smallest elements are.
import { defineOp, type Op } from '../define.js';
import { apply } from '../dispatch.js';
import { fail } from '../errors.js';
import { checkAxis, formatShape, numel } from '../shape.js';
import type { Tensor } from '../tensor.js';
import {
  type Axes,
  axesOf,
  checkNotEmpty,
  costPerElement,
  foldRef,
  type KeepDims,
  packAxes,
  reducedMeta,
} from './axes.js';

/** Along one axis; `axes` has one entry. */
function placeRow(name: string, beats: (a: number, b: number) => boolean): Op<Axes> {
  return defineOp<Axes>({
    name,
    inputs: ['x'],
    infer: ([x], attrs) => {
      checkNotEmpty(name, x, attrs.axes);
      return reducedMeta(name, x, attrs, 'int32');
    },
    pack: packAxes,
    vjp: ['none'],
    ref: ([x], attrs) =>
      foldRef(x, attrs, (values) =>
        values.reduce(
          (best, v, i) => (beats(v, values[best]) || (Number.isNaN(v) && !Number.isNaN(values[best])) ? i : best),
          0,
        ),
      ),
    cost: costPerElement(1),
  });
}

const argmaxOp = placeRow('argmax', (a, b) => a > b);
const argminOp = placeRow('argmin', (a, b) => a < b);

function place(op: Op<Axes>, x: Tensor, axis: number | undefined, options: KeepDims): Tensor {
  const { keepDims } = axesOf(op.name, x, undefined, options);
  if (numel(x.shape) > 2 ** 31) fail(op.name, 'places do not fit int32', formatShape(x.shape));
  if (axis !== undefined) return apply(op, [x], { axes: [checkAxis(op.name, axis, x.ndim)], keepDims });
  checkNotEmpty(
    op.name,
    x,
    x.shape.map((_, d) => d),
  );
  const out = apply(op, [x.reshape([x.size])], { axes: [0], keepDims: false });
  return keepDims ? out.reshape(x.shape.map(() => 1)) : out;
}

/**
 * The index of the largest element along `axis`, or, when absent, in the whole tensor read in row-major order. Returns int32;
 * the first of several equal ones; the first nan where there is one. Throws when there is no such axis, or no element.
 */
export function argmax(x: Tensor, axis?: number, options: KeepDims = {}): Tensor {
  return place(argmaxOp, x, axis, options);
}

/**
 * The index of the smallest element along `axis`, or, when absent, in the whole tensor read in row-major order. Returns
 * int32; the first of several equal ones; the first nan where there is one. Throws when there is no such axis, or no element.
 */
export function argmin(x: Tensor, axis?: number, options: KeepDims = {}): Tensor {
  return place(argminOp, x, axis, options);
}
