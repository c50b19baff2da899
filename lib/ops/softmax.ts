// softmax, its logarithm, and the logarithm of its denominator.
import { defineOp, type Meta, type Op, type RefArray, type Row } from '../define.js';
import { apply } from '../dispatch.js';
import { checkAxis } from '../shape.js';
import type { Tensor } from '../tensor.js';
import {
  type Axes,
  asFloat,
  axesOf,
  checkTensor,
  costPerElement,
  foldRef,
  groupsOf,
  type KeepDims,
  packAxes,
  reducedMeta,
  spread,
} from './axes.js';
import { checkDTypes } from './make/operands.js';

interface Along {
  readonly axis: number;
}

/** A row that maps each line along an axis to a line. `ref` gets the lines of all inputs. */
function lineRow(
  name: string,
  inputs: readonly string[],
  ref: (...lines: Float64Array[]) => Float64Array,
  rest: Pick<Row<Along>, 'save' | 'vjp'>,
): Op<Along> {
  return defineOp<Along>({
    name,
    inputs,
    infer: (metas: readonly Meta[], { axis }) => {
      checkAxis(name, axis, metas[0].shape.length);
      return { shape: metas[0].shape, dtype: checkDTypes(name, 'floats', metas) };
    },
    pack: ({ axis }) => [axis],
    ref: (arrays: readonly RefArray[], { axis }) => {
      const data = new Float64Array(arrays[0].data.length);
      for (const group of groupsOf(arrays[0].shape, [axis])) {
        const line = ref(...arrays.map((x) => Float64Array.from(group, (i) => x.data[i])));
        group.forEach((place, i) => {
          data[place] = line[i];
        });
      }
      return { shape: arrays[0].shape, data };
    },
    cost: costPerElement(5),
    ...rest,
  });
}

const sumOf = (line: Float64Array) => line.reduce((a, b) => a + b, 0);
const maxOf = (line: Float64Array) => line.reduce((a, b) => Math.max(a, b), -Infinity);
const along = (axis: number): [number, { readonly keepDims: true }] => [axis, { keepDims: true }];

const softmaxGradOp: Op<Along> = lineRow(
  'softmaxGrad',
  ['g', 'out'],
  (g, out) => {
    const dot = sumOf(g.map((v, i) => v * out[i]));
    return out.map((v, i) => v * (g[i] - dot));
  },
  {
    save: ['g', 'out'],
    vjp: [
      (u, { out }, { attrs }) => apply(softmaxGradOp, [u, out], attrs),
      (u, { g, out }, { attrs: { axis } }) =>
        u.mul(g.sub(g.mul(out).sum(...along(axis)))).sub(g.mul(u.mul(out).sum(...along(axis)))),
    ],
  },
);

const softmaxOp = lineRow(
  'softmax',
  ['x'],
  (x) => {
    const top = maxOf(x);
    const powers = x.map((v) => Math.exp(v - top));
    const total = sumOf(powers);
    return powers.map((v) => v / total);
  },
  { save: ['out'], vjp: [(g, { out }, { attrs }) => apply(softmaxGradOp, [g, out], attrs)] },
);

/**
 * Softmax along `axis` (default: the last): `out_i = exp(x_i) / sum_j exp(x_j)`, computed from `x - max(x)` so that nothing
 * overflows. Lines of the result add up to 1. Integers are computed in float32. Throws when there is no such axis.
 */
export function softmax(x: Tensor, axis = -1): Tensor {
  checkTensor('softmax', x);
  return apply(softmaxOp, [asFloat(x)], { axis: checkAxis('softmax', axis, x.ndim) });
}

const logSoftmaxGradOp: Op<Along> = lineRow(
  'logSoftmaxGrad',
  ['g', 'out'],
  (g, out) => {
    const total = sumOf(g);
    return g.map((v, i) => v - Math.exp(out[i]) * total);
  },
  {
    save: ['g', 'out'],
    vjp: [
      (u, { out }, { attrs: { axis } }) => u.sub(u.mul(out.exp()).sum(...along(axis))),
      (u, { g, out }, { attrs: { axis } }) =>
        u
          .mul(out.exp())
          .mul(g.sum(...along(axis)))
          .neg(),
    ],
  },
);

const logSoftmaxOp = lineRow(
  'logSoftmax',
  ['x'],
  (x) => {
    const top = maxOf(x);
    const log = Math.log(sumOf(x.map((v) => Math.exp(v - top))));
    return x.map((v) => v - top - log);
  },
  { save: ['out'], vjp: [(g, { out }, { attrs }) => apply(logSoftmaxGradOp, [g, out], attrs)] },
);

/**
 * The logarithm of softmax along `axis` (default: the last): `out_i = x_i - log(sum_j exp(x_j))`, exact also where softmax
 * itself is too small for its dtype. Integers are computed in float32. Throws when there is no such axis.
 */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  checkTensor('logSoftmax', x);
  return apply(logSoftmaxOp, [asFloat(x)], { axis: checkAxis('logSoftmax', axis, x.ndim) });
}

const logSumExpOp = defineOp<Axes>({
  name: 'logSumExp',
  inputs: ['x'],
  infer: ([x], attrs) => reducedMeta('logSumExp', x, attrs, checkDTypes('logSumExp', 'floats', [x])),
  pack: packAxes,
  save: ['x', 'out'],
  vjp: [(g, { x, out }, { attrs: { axes } }) => spread(g, x.shape, axes).mul(x.sub(spread(out, x.shape, axes)).exp())],
  ref: ([x], attrs) =>
    foldRef(x, attrs, (values) => {
      const top = maxOf(values);
      const shift = Number.isFinite(top) ? top : 0;
      return shift + Math.log(sumOf(values.map((v) => Math.exp(v - shift))));
    }),
  cost: costPerElement(4),
});

/**
 * The logarithm of the sum of exponentials along the given axes (all, when absent): `out = log(sum_i exp(x_i))`, computed
 * from `x - max(x)` so that nothing overflows; -infinity where there are no elements. Integers are computed in float32.
 * Throws when there is no such axis, or when one is named twice.
 */
export function logSumExp(x: Tensor, axis?: number | readonly number[], options: KeepDims = {}): Tensor {
  const attrs = axesOf('logSumExp', x, axis, options);
  return apply(logSumExpOp, [asFloat(x)], attrs);
}
