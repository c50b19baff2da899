// Reading and adding by index along one axis. Indices are int32 and may not be negative; they are checked when the op
// runs, because only then their values exist: a wrong one fails the op's result with its value and place.
import { summable, zerosOf } from '../autograd/tensors.js';
import { defineOp, type Meta, type RefArray } from '../define.js';
import { apply, applyInto } from '../dispatch.js';
import { checkDType, type DType } from '../dtype.js';
import { fail } from '../errors.js';
import { checkOptions } from '../options.js';
import { checkAxis, checkInteger, formatShape, maxDims, numel, type Shape, sameShape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { checkTensor } from './axes.js';
import { bytesOf } from './cost.js';
import { asIndices, type Indices } from './make/indices.js';

interface Axis {
  readonly axis: number;
}

const joined = (before: Shape, middle: Shape, after: Shape) => [...before, ...middle, ...after];

function checkIndexDType(op: string, index: Meta): void {
  if (index.dtype !== 'int32') fail(op, 'indices must be int32', `${formatShape(index.shape)} ${index.dtype}`);
}

function checkAddable(op: string, x: Meta, src: Meta): void {
  if (x.dtype === 'bool') fail(op, 'bool tensors cannot be added to', formatShape(x.shape));
  if (x.dtype !== src.dtype) fail(op, 'x and src differ in dtype', `x is ${x.dtype}, src is ${src.dtype}`);
}

/** Index shapes of gather and scatterAdd: like x, but of any size along the axis and at most x's elsewhere. */
function checkElementwise(op: string, x: Meta, index: Meta, { axis }: Axis): void {
  checkIndexDType(op, index);
  const given = `x is ${formatShape(x.shape)}, index is ${formatShape(index.shape)}`;
  if (x.shape.length !== index.shape.length) fail(op, 'x and index must have as many axes', given);
  if (index.shape.some((size, d) => d !== axis && size > x.shape[d])) {
    fail(op, `index may exceed x only along axis ${axis}`, given);
  }
}

/** Splits a row-major position in `shape` into its coordinates. */
function coordinates(at: number, shape: Shape): number[] {
  const out = new Array<number>(shape.length);
  let rest = at;
  for (let d = shape.length - 1; d >= 0; d--) {
    out[d] = rest % shape[d];
    rest = Math.floor(rest / shape[d]);
  }
  return out;
}

const position = (at: readonly number[], shape: Shape) => at.reduce((p, i, d) => p * shape[d] + i, 0);

/** References: calls visit(i, j) with position i in `index` and the position j in x that it points to. */
function eachElement(x: RefArray, index: RefArray, axis: number, visit: (i: number, j: number) => void): void {
  index.data.forEach((k, i) => {
    const at = coordinates(i, index.shape);
    at[axis] = k;
    visit(i, position(at, x.shape));
  });
}

/** The same where an index stands for a whole row: position i in the rows' tensor, j in x. */
function eachRowElement(x: RefArray, index: RefArray, axis: number, visit: (i: number, j: number) => void): void {
  const shape = joined(x.shape.slice(0, axis), index.shape, x.shape.slice(axis + 1));
  for (let i = 0; i < numel(shape); i++) {
    const at = coordinates(i, shape);
    const k = index.data[position(at.slice(axis, axis + index.shape.length), index.shape)];
    visit(i, position([...at.slice(0, axis), k, ...at.slice(axis + index.shape.length)], x.shape));
  }
}

// ---- gather and scatterAdd: an index for each element

const gatherOp = defineOp<Axis>({
  name: 'gather',
  bfloat16: true,
  inputs: ['x', 'index'],
  infer: ([x, index], attrs) => {
    checkElementwise('gather', x, index, attrs);
    return { shape: index.shape, dtype: x.dtype };
  },
  pack: ({ axis }) => [axis],
  save: ['index'],
  vjp: [
    (g, { index }, { attrs, inputs }) => {
      const src = summable(g);
      return scatterAdd(zerosOf({ shape: inputs[0].shape, dtype: src.dtype }), attrs.axis, index, src);
    },
    'none',
  ],
  ref: ([x, index], { axis }) => {
    const data = new Float64Array(index.data.length);
    eachElement(x, index, axis, (i, j) => {
      data[i] = x.data[j];
    });
    return { shape: index.shape, data };
  },
  cost: ([, index], [out]) => ({ flops: 0, bytes: bytesOf([index, out, out]) }),
});

const scatterAddOp = defineOp<Axis>({
  name: 'scatterAdd',
  inputs: ['x', 'index', 'src'],
  infer: ([x, index, src], attrs) => {
    checkElementwise('scatterAdd', x, index, attrs);
    checkAddable('scatterAdd', x, src);
    if (!sameShape(index.shape, src.shape)) {
      const given = `index is ${formatShape(index.shape)}, src is ${formatShape(src.shape)}`;
      fail('scatterAdd', 'index and src differ in shape', given);
    }
    return { shape: x.shape, dtype: x.dtype };
  },
  pack: ({ axis }) => [axis],
  save: ['index'],
  vjp: [(g) => g, 'none', (g, { index }, { attrs }) => gather(g, attrs.axis, index)],
  ref: ([x, index, src], { axis }) => {
    const data = x.data.slice();
    eachElement(x, index, axis, (i, j) => {
      data[j] += src.data[i];
    });
    return { shape: x.shape, data };
  },
  cost: ([x, index, src]) => ({ flops: numel(src.shape), bytes: bytesOf([x, x, index, src, src, src]) }),
});

/**
 * Picks one element of `x` for each index, along `axis`: for axis 1 of three, `out[i][j][k] = x[i][index[i][j][k]][k]`.
 * `index` has as many axes as `x` and gives the result its shape; it may be smaller than `x`, and of any size along
 * `axis`. Throws when it is larger elsewhere; the result fails when an index is not in [0, size of the axis).
 */
export function gather(x: Tensor, axis: number, index: Tensor): Tensor {
  const d = checkAxis('gather', axis, checkTensor('gather', x).ndim);
  return apply(gatherOp, [x, asIndices('gather', index, x)], { axis: d });
}

function scatterOperands(op: string, x: Tensor, axis: number, index: Tensor, src: Tensor): [Tensor[], Axis] {
  const attrs = { axis: checkAxis(op, axis, checkTensor(op, x).ndim) };
  const indices = asIndices(op, index, x);
  checkTensor(op, src, 'src');
  return [[x, indices, src], attrs];
}

/**
 * A copy of `x` to which each element of `src` is added where its index says, along `axis`: for axis 1 of three,
 * `out[i][index[i][j][k]][k] += src[i][j][k]`. Elements that meet are added in the order of `src`, so the sum is the same
 * in every run. The gradient of {@link gather}. Throws when `index` and `src` differ in shape or are larger than `x` in
 * another axis; the result fails when an index is out of range.
 */
export function scatterAdd(x: Tensor, axis: number, index: Tensor, src: Tensor): Tensor {
  return apply(scatterAddOp, ...scatterOperands('scatterAdd', x, axis, index, src));
}

/** {@link scatterAdd} into `x` itself; nothing is added when an index is out of range. */
export function scatterAdd_(x: Tensor, axis: number, index: Tensor, src: Tensor): Tensor {
  addInto(scatterAddOp, x, ...scatterOperands('scatterAdd_', x, axis, index, src));
  return x;
}

/** Adds into x's own memory. A src in that memory would change while it is read. */
function addInto(op: typeof scatterAddOp, x: Tensor, [, index, src]: Tensor[], attrs: Axis): void {
  applyInto(op, [x, index, src.storage === x.storage ? src.clone() : src], [x], attrs, `${op.name}_`);
}

// ---- indexSelect and indexAdd: an index for each row

const indexSelectOp = defineOp<Axis>({
  name: 'indexSelect',
  bfloat16: true,
  inputs: ['x', 'index'],
  infer: ([x, index], { axis }) => {
    checkIndexDType('indexSelect', index);
    const shape = joined(x.shape.slice(0, axis), index.shape, x.shape.slice(axis + 1));
    if (shape.length > maxDims) fail('indexSelect', `a tensor has at most ${maxDims} dimensions`, formatShape(shape));
    return { shape, dtype: x.dtype };
  },
  pack: ({ axis }) => [axis],
  save: ['index'],
  vjp: [
    (g, { index }, { attrs, inputs }) => {
      const src = summable(g);
      return indexAdd(zerosOf({ shape: inputs[0].shape, dtype: src.dtype }), attrs.axis, index, src);
    },
    'none',
  ],
  ref: ([x, index], { axis }) => {
    const shape = joined(x.shape.slice(0, axis), index.shape, x.shape.slice(axis + 1));
    const data = new Float64Array(numel(shape));
    eachRowElement(x, index, axis, (i, j) => {
      data[i] = x.data[j];
    });
    return { shape, data };
  },
  cost: ([, index], [out]) => ({ flops: 0, bytes: bytesOf([index, out, out]) }),
});

const indexAddOp = defineOp<Axis>({
  name: 'indexAdd',
  inputs: ['x', 'index', 'src'],
  infer: ([x, index, src], { axis }) => {
    checkIndexDType('indexAdd', index);
    checkAddable('indexAdd', x, src);
    const needed = joined(x.shape.slice(0, axis), index.shape, x.shape.slice(axis + 1));
    if (!sameShape(src.shape, needed)) {
      const given = `x is ${formatShape(x.shape)}, index is ${formatShape(index.shape)}, src is ${formatShape(src.shape)}`;
      fail('indexAdd', `src must be ${formatShape(needed)}, one row for each index along axis ${axis}`, given);
    }
    return { shape: x.shape, dtype: x.dtype };
  },
  pack: ({ axis }) => [axis],
  save: ['index'],
  vjp: [(g) => g, 'none', (g, { index }, { attrs }) => indexSelect(g, attrs.axis, index)],
  ref: ([x, index, src], { axis }) => {
    const data = x.data.slice();
    eachRowElement(x, index, axis, (i, j) => {
      data[j] += src.data[i];
    });
    return { shape: x.shape, data };
  },
  cost: ([x, index, src]) => ({ flops: numel(src.shape), bytes: bytesOf([x, x, index, src, src, src]) }),
});

/**
 * Rows of `x` by index along `axis`: `out[:, k] = x[:, index[k]]` for axis 1. The index's shape takes the axis's place, so
 * a matrix of indices gives a matrix of rows. Throws for indices that are not whole; the result fails when one is not in
 * [0, size of the axis).
 */
export function indexSelect(x: Tensor, axis: number, index: Indices): Tensor {
  const d = checkAxis('indexSelect', axis, checkTensor('indexSelect', x).ndim);
  return apply(indexSelectOp, [x, asIndices('indexSelect', index, x)], { axis: d });
}

/** Elements of `x` by their position in row-major order, in the shape of `index`. The result fails as indexSelect's does. */
export function take(x: Tensor, index: Indices): Tensor {
  return indexSelect(checkTensor('take', x).reshape([x.size]), 0, asIndices('take', index, x));
}

function addOperands(op: string, x: Tensor, axis: number, index: Indices, src: Tensor): [Tensor[], Axis] {
  return scatterOperands(op, x, axis, asIndices(op, index, x), src);
}

/**
 * A copy of `x` to whose rows along `axis` those of `src` are added: `out[:, index[k]] += src[:, k]` for axis 1, in the
 * order of k. The gradient of {@link indexSelect}. Throws unless `src` has x's shape with the index's shape in place of
 * the axis; the result fails when an index is out of range.
 */
export function indexAdd(x: Tensor, axis: number, index: Indices, src: Tensor): Tensor {
  return apply(indexAddOp, ...addOperands('indexAdd', x, axis, index, src));
}

/** {@link indexAdd} into `x` itself; nothing is added when an index is out of range. */
export function indexAdd_(x: Tensor, axis: number, index: Indices, src: Tensor): Tensor {
  addInto(indexAddOp, x, ...addOperands('indexAdd_', x, axis, index, src));
  return x;
}

// ---- oneHot

const oneHotOp = defineOp<{ classes: number; dtype: DType }>({
  name: 'oneHot',
  inputs: ['index'],
  infer: ([index], { classes, dtype }) => {
    checkIndexDType('oneHot', index);
    if (index.shape.length === maxDims) {
      fail('oneHot', `a tensor has at most ${maxDims} dimensions`, `indices ${formatShape(index.shape)}`);
    }
    return { shape: [...index.shape, classes], dtype };
  },
  vjp: ['none'],
  ref: ([index], { classes }) => {
    const data = new Float64Array(index.data.length * classes);
    index.data.forEach((k, i) => {
      data[i * classes + k] = 1;
    });
    return { shape: [...index.shape, classes], data };
  },
  cost: ([index], [out]) => ({ flops: 0, bytes: bytesOf([index, out]) }),
});

/**
 * Each index as a vector of `classes` elements, 1 at the index and 0 elsewhere, along a new last axis; float32 unless said
 * otherwise. Throws for indices that are not int32 or uint8; the result fails when one is not in [0, classes).
 */
export function oneHot(index: Tensor, classes: number, options: { readonly dtype?: DType } = {}): Tensor {
  checkOptions('oneHot', options, ['dtype']);
  const dtype = checkDType('oneHot', options.dtype ?? 'float32');
  return apply(oneHotOp, [asIndices('oneHot', index)], { classes: checkInteger('oneHot', 'classes', classes), dtype });
}
