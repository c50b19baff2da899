// Cutting along an axis. The parts are views: nothing is copied, and gradients flow back to their places.
import { fail, show } from '../errors.js';
import { checkAxis, checkInteger } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { checkTensor } from './axes.js';

/**
 * Parts of `x` along `axis`: of `size` each (the last may be smaller), or of the given sizes. Views. Throws when the sizes
 * do not add up to the axis.
 */
export function split(x: Tensor, size: number | readonly number[], axis = 0): Tensor[] {
  const d = checkAxis('split', axis, checkTensor('split', x).ndim);
  const total = x.shape[d];
  let sizes: number[];
  if (Array.isArray(size)) {
    sizes = size.map((s) => checkInteger('split', 'a size', s));
    if (sizes.reduce((sum, s) => sum + s, 0) !== total) {
      fail('split', `the sizes must add up to ${total}, the size of axis ${d}`, show(size));
    }
  } else {
    const each = checkInteger('split', 'size', size, 1);
    sizes = Array.from({ length: Math.max(1, Math.ceil(total / each)) }, (_, i) => Math.min(each, total - i * each));
  }
  let start = 0;
  return sizes.map((s) => {
    start += s;
    return x.narrow(d, start - s, s);
  });
}

/**
 * At most `chunks` parts of `x` along `axis`, all of one size but the last. Views. Throws when `chunks` is less than 1.
 */
export function chunk(x: Tensor, chunks: number, axis = 0): Tensor[] {
  const d = checkAxis('chunk', axis, checkTensor('chunk', x).ndim);
  checkInteger('chunk', 'chunks', chunks, 1);
  return split(x, Math.max(1, Math.ceil(x.shape[d] / chunks)), d);
}

/** The sub-tensors at each index of `axis`, which disappears. Views; the opposite of stack. Throws for a scalar. */
export function unbind(x: Tensor, axis = 0): Tensor[] {
  const d = checkAxis('unbind', axis, checkTensor('unbind', x).ndim);
  return Array.from({ length: x.shape[d] }, (_, i) => x.select(d, i));
}
