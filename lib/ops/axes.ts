// What the ops that work along axes share: their arguments, their shape rule and how their references see the input.
import type { Cost, Meta, RefArray } from '../define.js';
import { type DType, dtypes } from '../dtype.js';
import { fail, show } from '../errors.js';
import { checkFlag, checkOptions } from '../options.js';
import { checkAxes, checkAxis, formatShape, numel, reducedShape, type Shape } from '../shape.js';
import { Tensor } from '../tensor.js';

/** Attributes of an op that takes axes away. */
export interface Axes {
  /** Sorted, counted from the front. */
  readonly axes: readonly number[];
  readonly keepDims: boolean;
}

/** How the result of a reduction is shaped. */
export interface KeepDims {
  /** Leave the axes in place with size 1, so that the result broadcasts against the input. Default false. */
  readonly keepDims?: boolean;
}

/** Throws unless `x` is a tensor. */
export function checkTensor(op: string, x: unknown, what = 'x'): Tensor {
  return x instanceof Tensor ? x : fail(op, `${what} must be a tensor`, show(x));
}

/** The tensor as float32 unless it has a float dtype already. */
export function asFloat(x: Tensor): Tensor {
  return x.isFloat ? x : x.cast('float32');
}

const keepDimsAlone = ['keepDims'] as const;

/** The attributes of a reduction from a caller's arguments. Throws for what is no axis or no option. */
export function axesOf<O extends KeepDims>(
  op: string,
  x: Tensor,
  axis: number | readonly number[] | undefined,
  options: O,
  known: readonly (keyof O & string)[] = keepDimsAlone,
): Axes {
  checkTensor(op, x);
  checkOptions(op, options, known);
  return {
    axes: checkAxes(op, axis, x.ndim),
    keepDims: checkFlag(op, 'keepDims', options.keepDims ?? false),
  };
}

/** The axes as native code takes them: one bit each. */
export function packAxes({ axes }: Axes): number[] {
  return [axes.reduce((mask, d) => mask | (1 << d), 0)];
}

/** The shape rule of a reduction. Throws for axes that `x` does not have. */
export function reducedMeta(op: string, x: Meta, { axes, keepDims }: Axes, dtype: DType): Meta {
  const last = axes.length - 1;
  if (last >= 0) checkAxis(op, axes[last], x.shape.length);
  return { shape: reducedShape(x.shape, axes, keepDims), dtype };
}

/** How many elements come together in each result. */
export function foldedCount(shape: Shape, axes: readonly number[]): number {
  return axes.reduce((n, d) => n * shape[d], 1);
}

/** Throws when there is nothing that the value could be chosen from. */
export function checkNotEmpty(op: string, x: Meta, axes: readonly number[]): void {
  if (foldedCount(x.shape, axes) === 0) {
    fail(op, 'there are no elements to choose from', `${formatShape(x.shape)} along ${show(axes)}`);
  }
}

/** A reduced tensor repeated along the axes that it lost: the shape of the input again. */
export function spread(g: Tensor, shape: Shape, axes: readonly number[]): Tensor {
  return g.reshape(reducedShape(shape, axes, true)).expand(shape);
}

/** Places, in row-major data, of the elements that come together in each result, in order. */
export function groupsOf(shape: Shape, axes: readonly number[]): number[][] {
  const kept = reducedShape(shape, axes, true);
  const groups: number[][] = Array.from({ length: numel(kept) }, () => []);
  for (let i = 0; i < numel(shape); i++) {
    let rest = i;
    let group = 0;
    let step = 1;
    for (let d = shape.length - 1; d >= 0; d--) {
      const index = rest % shape[d];
      rest = (rest - index) / shape[d];
      if (!axes.includes(d)) group += index * step;
      step *= kept[d];
    }
    groups[group].push(i);
  }
  return groups;
}

/** A reference: `fold` of the elements that come together in each result. */
export function foldRef(x: RefArray, { axes, keepDims }: Axes, fold: (values: Float64Array) => number): RefArray {
  const groups = groupsOf(x.shape, axes);
  return {
    shape: reducedShape(x.shape, axes, keepDims),
    data: Float64Array.from(groups, (group) => fold(Float64Array.from(group, (i) => x.data[i]))),
  };
}

/** Bytes of all operands, and some operations for each element of the largest input. */
export function costPerElement(flops: number): (inputs: readonly Meta[], outputs: readonly Meta[]) => Cost {
  return (inputs, outputs) => ({
    flops: flops * Math.max(...inputs.map((m) => numel(m.shape))),
    bytes: [...inputs, ...outputs].reduce((n, m) => n + numel(m.shape) * dtypes[m.dtype].itemSize, 0),
  });
}
