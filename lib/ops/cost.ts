import type { Meta } from '../define.js';
import { dtypes } from '../dtype.js';
import { numel } from '../shape.js';

/** Bytes of all elements: what an op moves that reads and writes each of them once. */
export function bytesOf(metas: readonly Meta[]): number {
  return metas.reduce((n, m) => n + numel(m.shape) * dtypes[m.dtype].itemSize, 0);
}
