// Ops that move no data: another window on the same memory. A tensor's layout is lib/'s own business, so these rows have
// no native kernel.
import { defineOp, type Layout } from '../define.js';
import { apply } from '../dispatch.js';
import { fail, show } from '../errors.js';
import { checkOptions } from '../options.js';
import {
  checkAxes,
  checkAxis,
  checkInteger,
  checkShape,
  contiguousStrides,
  formatShape,
  maxDims,
  numel,
  type Shape,
  sameShape,
} from '../shape.js';
import type { Tensor } from '../tensor.js';
import { checkTensor } from './axes.js';
import { throughLayout } from './make/layout.js';
import { window } from './window.js';

const free = () => ({ flops: 0, bytes: 0 });

// ---- reshape

/** Strides that show the same elements in another shape, or null where only a copy can. */
function reshapedStrides(x: Layout, to: Shape): number[] | null {
  if (numel(x.shape) === 0) return contiguousStrides(to);
  // Axes of size 1 constrain nothing.
  const shape = x.shape.filter((s) => s !== 1);
  const strides = x.strides.filter((_, i) => x.shape[i] !== 1);
  const out = new Array<number>(to.length).fill(0);
  let d = to.length - 1;
  // Runs of old dimensions that are contiguous among themselves are matched, from the back, with runs of new ones.
  for (let end = shape.length - 1; end >= 0; ) {
    let first = end;
    let run = shape[end];
    while (first > 0 && strides[first - 1] === shape[first] * strides[first]) run *= shape[--first];
    let step = strides[end];
    let covered = 1;
    while (d >= 0 && covered < run) {
      out[d] = step;
      step *= to[d];
      covered *= to[d--];
    }
    if (covered !== run) return null;
    end = first - 1;
  }
  for (; d >= 0; d--) if (to[d] !== 1) return null;
  return out;
}

const reshapeOp = defineOp<{ shape: Shape }>({
  name: 'reshape',
  inputs: ['x'],
  infer: ([x], { shape }) => ({ shape, dtype: x.dtype }),
  view: (x, { shape }) => ({ shape, strides: reshapedStrides(x, shape) as number[], offset: x.offset }),
  vjp: [(g, _saved, { inputs }) => reshape(g, inputs[0].shape)],
  ref: ([x], { shape }) => ({ shape, data: x.data }),
  cost: free,
});

/** The sizes that are meant, -1 worked out. Throws unless they make as many elements as `x` has. */
function sizesFor(op: string, x: Tensor, shape: Shape): Shape {
  checkTensor(op, x);
  const known = Array.isArray(shape) ? shape.filter((s) => s !== -1) : shape;
  checkShape(op, known);
  const unknown = shape.length - known.length;
  const rest = numel(known);
  const given = () => `${formatShape(x.shape)} to ${formatShape(shape)}`;
  if (unknown > 1) fail(op, 'only one size may be -1', given());
  if (unknown === 1 && (rest === 0 || x.size % rest !== 0)) fail(op, 'no size fits in place of -1', given());
  const full = unknown === 1 ? shape.map((s) => (s === -1 ? x.size / rest : s)) : [...shape];
  if (numel(full) !== x.size) fail(op, 'the number of elements differs', given());
  return full;
}

/**
 * The same elements in another shape; one size may be -1 and follows from the others. A view where the layout allows it,
 * else a copy. Throws when the number of elements differs.
 */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const full = sizesFor('reshape', x, shape);
  const source = reshapedStrides(x, full) === null ? x.contiguous() : x;
  return apply(reshapeOp, [source], { shape: full });
}

/**
 * {@link reshape} that never copies: the same memory in another shape. Throws where the strides allow no such view (each
 * new axis must lie within old ones that follow each other without gaps), and when the number of elements differs.
 * Source: torch.Tensor.view.
 */
export function view(x: Tensor, shape: Shape): Tensor {
  const full = sizesFor('view', x, shape);
  if (reshapedStrides(x, full) === null) {
    const given = `${formatShape(x.shape)} with strides ${formatShape(x.strides)} to ${formatShape(full)}`;
    fail('view', 'these elements have no view of that shape; reshape() copies them', given);
  }
  return apply(reshapeOp, [x], { shape: full });
}

/** The axes from `start` to `end`, both included, merged into one. Throws when there is no such axis. */
export function flatten(x: Tensor, start = 0, end = -1): Tensor {
  checkTensor('flatten', x);
  if (x.ndim === 0) return reshape(x, [1]);
  const from = checkAxis('flatten', start, x.ndim);
  const to = checkAxis('flatten', end, x.ndim);
  if (from > to)
    fail('flatten', 'the first axis comes after the last', `${start} to ${end} of ${formatShape(x.shape)}`);
  const merged = numel(x.shape.slice(from, to + 1));
  return reshape(x, [...x.shape.slice(0, from), merged, ...x.shape.slice(to + 1)]);
}

/** The tensor without its axes of size 1, or without the given ones. Throws when a given axis is larger. */
export function squeeze(x: Tensor, axis?: number | readonly number[]): Tensor {
  checkTensor('squeeze', x);
  const axes =
    axis === undefined ? x.shape.flatMap((s, d) => (s === 1 ? [d] : [])) : checkAxes('squeeze', axis, x.ndim);
  for (const d of axes) if (x.shape[d] !== 1) fail('squeeze', `axis ${d} is not of size 1`, formatShape(x.shape));
  return reshape(
    x,
    x.shape.filter((_, d) => !axes.includes(d)),
  );
}

/** The tensor with an axis of size 1 put in at `axis` (negative: counted from the back of the result). */
export function unsqueeze(x: Tensor, axis: number): Tensor {
  checkTensor('unsqueeze', x);
  if (x.ndim === maxDims) fail('unsqueeze', `a tensor has at most ${maxDims} dimensions`, formatShape(x.shape));
  const d = checkAxis('unsqueeze', axis, x.ndim + 1);
  return reshape(x, [...x.shape.slice(0, d), 1, ...x.shape.slice(d)]);
}

// ---- permute

const permuteOp = defineOp<{ axes: readonly number[] }>({
  name: 'permute',
  inputs: ['x'],
  infer: ([x], { axes }) => ({ shape: axes.map((d) => x.shape[d]), dtype: x.dtype }),
  view: ({ shape, strides, offset }, { axes }) => ({
    shape: axes.map((d) => shape[d]),
    strides: axes.map((d) => strides[d]),
    offset,
  }),
  vjp: [(g, _saved, { attrs }) => permute(g, inverse(attrs.axes))],
  ref: ([x], { axes }) =>
    throughLayout(x, ({ shape, strides }) => ({
      shape: axes.map((d) => shape[d]),
      strides: axes.map((d) => strides[d]),
      offset: 0,
    })),
  cost: free,
});

function inverse(axes: readonly number[]): number[] {
  const out = new Array<number>(axes.length);
  axes.forEach((d, i) => {
    out[d] = i;
  });
  return out;
}

/** The axes in another order: axis i of the result is axis `axes[i]` of `x`. A view. Throws unless each occurs once. */
export function permute(x: Tensor, axes: readonly number[]): Tensor {
  checkTensor('permute', x);
  if (!Array.isArray(axes)) fail('permute', 'axes must be an array', show(axes));
  if (checkAxes('permute', axes, x.ndim).length !== x.ndim) {
    fail('permute', `each of the ${x.ndim} axes must be named once`, show(axes));
  }
  return apply(permuteOp, [x], { axes: axes.map((d) => checkAxis('permute', d, x.ndim)) });
}

/** Two axes exchanged: by default the last two, which transposes matrices. A view. */
export function transpose(x: Tensor, first = -2, second = -1): Tensor {
  checkTensor('transpose', x);
  const a = checkAxis('transpose', first, x.ndim);
  const b = checkAxis('transpose', second, x.ndim);
  const axes = x.shape.map((_, d) => (d === a ? b : d === b ? a : d));
  return apply(permuteOp, [x], { axes });
}

// ---- expand

function expandedStrides(x: Layout, shape: Shape): number[] {
  const lead = shape.length - x.shape.length;
  return shape.map((_, d) => (d < lead || x.shape[d - lead] === 1 ? 0 : x.strides[d - lead]));
}

const expandOp = defineOp<{ shape: Shape }>({
  name: 'expand',
  inputs: ['x'],
  infer: ([x], { shape }) => ({ shape, dtype: x.dtype }),
  view: (x, { shape }) => ({ shape, strides: expandedStrides(x, shape), offset: x.offset }),
  vjp: [(g) => g],
  ref: ([x], { shape }) => throughLayout(x, (dense) => ({ shape, strides: expandedStrides(dense, shape), offset: 0 })),
  cost: free,
});

/**
 * Axes of size 1 (and missing leading ones) repeated to `shape` without copying: a view. -1 keeps a size. Throws when
 * another size would have to change.
 */
export function expand(x: Tensor, shape: Shape): Tensor {
  checkTensor('expand', x);
  if (!Array.isArray(shape)) fail('expand', 'shape must be an array of sizes', show(shape));
  const lead = shape.length - x.ndim;
  const full = shape.map((s, d) => (s === -1 && d >= lead ? x.shape[d - lead] : s));
  checkShape('expand', full);
  if (lead < 0 || x.shape.some((s, d) => s !== 1 && s !== full[d + lead])) {
    fail('expand', 'only axes of size 1 can be repeated', `${formatShape(x.shape)} to ${formatShape(shape)}`);
  }
  return sameShape(full, x.shape) ? x : apply(expandOp, [x], { shape: full });
}

// ---- slices

/** What to take along one axis: an index range with a step, or `undefined` for all of it. */
export interface Range {
  /** First index; negative counts from the end. Default: the first (the last, for a negative step). */
  readonly start?: number;
  /** Where to stop, itself not taken; negative counts from the end. Default: past the end in the step's direction. */
  readonly end?: number;
  /** Default 1. May be negative, not 0. */
  readonly step?: number;
}

function resolveRange(range: Range, size: number): { start: number; count: number; step: number } {
  const step = range.step ?? 1;
  if (!Number.isInteger(step) || step === 0)
    fail('slice', 'step must be a whole number other than 0', show(range.step));
  const bound = (value: number | undefined, otherwise: number) => {
    if (value === undefined) return otherwise;
    if (!Number.isInteger(value)) fail('slice', 'start and end must be whole numbers', show(value));
    const from = value < 0 ? value + size : value;
    return step > 0 ? Math.min(Math.max(from, 0), size) : Math.min(Math.max(from, -1), size - 1);
  };
  const start = bound(range.start, step > 0 ? 0 : size - 1);
  const end = bound(range.end, step > 0 ? size : -1);
  return { start, count: Math.max(0, Math.ceil((end - start) / step)), step };
}

/**
 * A window on `x`: `ranges[d]` says what to take along axis d; axes beyond the list are taken whole. Bounds past the
 * ends are cut to them, as in Python. A view, negative steps included.
 */
export function slice(x: Tensor, ...ranges: (Range | undefined)[]): Tensor {
  checkTensor('slice', x);
  if (ranges.length > x.ndim) fail('slice', 'more ranges than axes', `${ranges.length} for ${formatShape(x.shape)}`);
  for (const range of ranges)
    if (range !== undefined) checkOptions('slice', range, ['start', 'end', 'step'], 'a range');
  const parts = x.shape.map((size, d) => resolveRange(ranges[d] ?? {}, size));
  return window(
    x,
    parts.map((p) => p.start),
    parts.map((p) => p.count),
    parts.map((p) => p.step),
  );
}

/** `length` elements along `axis` from `start` on (negative: counted from the end). A view. Throws past the end. */
export function narrow(x: Tensor, axis: number, start: number, length: number): Tensor {
  checkTensor('narrow', x);
  const d = checkAxis('narrow', axis, x.ndim);
  const size = x.shape[d];
  checkInteger('narrow', 'start', start, -size, size);
  const from = start < 0 ? start + size : start;
  checkInteger('narrow', 'length', length, 0, size - from);
  return slice(x, ...x.shape.slice(0, d).map(() => undefined), { start: from, end: from + length });
}

/** The sub-tensor at one index of an axis, which disappears. A view. Throws when the index is out of range. */
export function select(x: Tensor, axis: number, index: number): Tensor {
  checkTensor('select', x);
  const d = checkAxis('select', axis, x.ndim);
  const size = x.shape[d];
  if (size === 0) fail('select', 'the axis is empty', formatShape(x.shape));
  checkInteger('select', 'index', index, -size, size - 1);
  return reshape(narrow(x, d, index < 0 ? index + size : index, 1), [...x.shape.slice(0, d), ...x.shape.slice(d + 1)]);
}

/** The elements in opposite order along the given axes (all, when absent). A view with negative strides. */
export function flip(x: Tensor, axis?: number | readonly number[]): Tensor {
  checkTensor('flip', x);
  const axes = checkAxes('flip', axis, x.ndim);
  return slice(x, ...x.shape.map((_, d) => (axes.includes(d) ? { step: -1 } : undefined)));
}
