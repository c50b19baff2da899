import type { Layout, RefArray } from '../../define.js';
import { contiguousStrides, numel } from '../../shape.js';

/** Reads a dense reference through a view rule: its data, picked in the order of the new layout. */
export function throughLayout(x: RefArray, rule: (dense: Layout) => Layout): RefArray {
  const { shape, strides, offset } = rule({ shape: x.shape, strides: contiguousStrides(x.shape), offset: 0 });
  const data = new Float64Array(numel(shape));
  for (let i = 0; i < data.length; i++) {
    let rest = i;
    let at = offset;
    for (let d = shape.length - 1; d >= 0; d--) {
      at += (rest % shape[d]) * strides[d];
      rest = Math.floor(rest / shape[d]);
    }
    data[i] = x.data[at];
  }
  return { shape, data };
}
