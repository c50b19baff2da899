// Making a tensor larger: by padding, or by repeating it. Composites over views, `place` and `indexSelect`.
import { dtypes } from '../dtype.js';
import { fail, show } from '../errors.js';
import { checkOptions } from '../options.js';
import { checkAxis, checkInteger, checkShape, formatShape, numel, sameShape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { checkTensor } from './axes.js';
import { place } from './window.js';

/** What pad() puts around a tensor. */
export interface PadOptions {
  /**
   * "constant" (default): `value`. "replicate": the nearest element. "reflect": the tensor mirrored at its first and last
   * element, which are not repeated. "circular": the tensor again from its other end.
   */
  readonly mode?: 'constant' | 'replicate' | 'reflect' | 'circular';
  /** For mode "constant"; default 0. */
  readonly value?: number;
}

const modes = ['constant', 'replicate', 'reflect', 'circular'] as const;

/** Which element of an axis stands at i, for an i outside of it too. */
function source(mode: (typeof modes)[number], i: number, size: number): number {
  if (mode === 'replicate') return Math.min(Math.max(i, 0), size - 1);
  if (mode === 'circular') return ((i % size) + size) % size;
  return i < 0 ? -i : i >= size ? 2 * (size - 1) - i : i;
}

/** Padding before and after each axis, from PyTorch's list, which begins with the last axis. */
function checkPadding(x: Tensor, padding: readonly number[]): { before: number[]; after: number[] } {
  const before = new Array<number>(x.ndim).fill(0);
  const after = new Array<number>(x.ndim).fill(0);
  if (!Array.isArray(padding) || padding.length % 2 !== 0 || padding.length > 2 * x.ndim) {
    const wanted = `padding must be pairs [before, after], at most ${x.ndim} of them, from the last axis on`;
    fail('pad', wanted, show(padding));
  }
  padding.forEach((amount, i) => {
    checkInteger('pad', 'padding', amount, Number.MIN_SAFE_INTEGER);
    (i % 2 === 0 ? before : after)[x.ndim - 1 - (i >> 1)] = amount;
  });
  x.shape.forEach((size, d) => {
    if (size + Math.min(before[d], 0) + Math.min(after[d], 0) < 0) {
      fail('pad', `negative padding takes more than axis ${d} has`, `${show(padding)} of ${formatShape(x.shape)}`);
    }
  });
  return { before, after };
}

function padByIndex(x: Tensor, mode: 'replicate' | 'reflect' | 'circular', before: number[], after: number[]): Tensor {
  const reach = (size: number) =>
    mode === 'reflect' ? size - 1 : mode === 'circular' ? size : Number.MAX_SAFE_INTEGER;
  x.shape.forEach((size, d) => {
    const most = Math.max(before[d], after[d]);
    if (most > 0 && (size === 0 || most > reach(size))) {
      fail('pad', `${mode} padding of axis ${d} needs more elements than it has`, `${most} on ${formatShape(x.shape)}`);
    }
  });
  let out = x;
  x.shape.forEach((size, d) => {
    if (before[d] === 0 && after[d] === 0) return;
    const index = Int32Array.from({ length: before[d] + size + after[d] }, (_, i) => source(mode, i - before[d], size));
    out = out.indexSelect(d, index);
  });
  return out;
}

/**
 * `x` with elements put around it. `padding` lists pairs [before, after], the last axis first, as PyTorch's does:
 * [left, right, top, bottom] pads images. Negative amounts cut off. Throws when there are more pairs than axes, or when a
 * mode needs more elements than there are ("reflect": fewer than the size, "circular": at most the size).
 */
export function pad(x: Tensor, padding: readonly number[], options: PadOptions = {}): Tensor {
  checkTensor('pad', x);
  checkOptions('pad', options, ['mode', 'value']);
  const { mode = 'constant', value = 0 } = options;
  if (!modes.includes(mode)) fail('pad', `mode must be one of ${modes.join(', ')}`, show(mode));
  if (typeof value !== 'number') fail('pad', 'value must be a number', show(value));
  if (!dtypes[x.dtype].isFloat && !Number.isInteger(value)) fail('pad', `value does not fit ${x.dtype}`, show(value));
  const { before, after } = checkPadding(x, padding);
  const cut = x.slice(
    ...x.shape.map((size, d) => ({ start: Math.max(0, -before[d]), end: size + Math.min(after[d], 0) })),
  );
  const left = before.map((n) => Math.max(n, 0));
  const right = after.map((n) => Math.max(n, 0));
  const inner = sameShape(x.shape, cut.shape) ? x : cut;
  if (left.every((n) => n === 0) && right.every((n) => n === 0)) return inner;
  if (mode !== 'constant') return padByIndex(inner, mode, left, right);
  const shape = checkShape(
    'pad',
    inner.shape.map((size, d) => left[d] + size + right[d]),
  );
  return place(inner, { shape, starts: left, steps: left.map(() => 1), value });
}

/** x with axis d repeated: the whole axis `times` over, or each of its elements in place. */
function repeatAxis(x: Tensor, d: number, times: number, eachElement: boolean): Tensor {
  if (times === 1) return x;
  const outer = numel(x.shape.slice(0, d));
  const inner = numel(x.shape.slice(d + 1));
  const shape = x.shape.map((size, i) => (i === d ? size * times : size));
  const flat = eachElement ? x.reshape([outer * x.shape[d], 1, inner]) : x.reshape([outer, 1, x.shape[d] * inner]);
  return flat.expand([flat.shape[0], times, flat.shape[2]]).reshape(shape);
}

/**
 * `x` laid out `repeats[d]` times along each axis d. A longer list adds axes in front, a shorter one applies to the last
 * axes. Throws for counts that are negative or not whole.
 */
export function tile(x: Tensor, repeats: readonly number[]): Tensor {
  checkTensor('tile', x);
  if (!Array.isArray(repeats)) fail('tile', 'repeats must be an array of counts', show(repeats));
  for (const n of repeats) checkInteger('tile', 'a count', n);
  const ndim = Math.max(x.ndim, repeats.length);
  const shape = [...new Array<number>(ndim - x.ndim).fill(1), ...x.shape];
  const counts = [...new Array<number>(ndim - repeats.length).fill(1), ...repeats];
  checkShape(
    'tile',
    shape.map((size, d) => size * counts[d]),
  );
  // From the back, so that what is copied first is smallest.
  return counts.reduceRight((out, n, d) => repeatAxis(out, d, n, false), x.ndim === ndim ? x : x.reshape(shape));
}

/** Like {@link tile}, with a count for every axis: throws when the list is shorter than the tensor has axes. */
export function repeat(x: Tensor, repeats: readonly number[]): Tensor {
  if (Array.isArray(repeats) && repeats.length < checkTensor('repeat', x).ndim) {
    fail('repeat', `a count for each of the ${x.ndim} axes is needed`, show(repeats));
  }
  return tile(x, repeats);
}

/** Each element `times` in a row along `axis`: [a, b] becomes [a, a, b, b]. Throws for a count that is not whole. */
export function repeatInterleave(x: Tensor, times: number, axis: number): Tensor {
  const d = checkAxis('repeatInterleave', axis, checkTensor('repeatInterleave', x).ndim);
  return repeatAxis(x, d, checkInteger('repeatInterleave', 'times', times), true);
}
