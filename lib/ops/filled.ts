// Tensors with one value everywhere: the row, and how the engine itself makes them.
import { withModes } from '../context.js';
import { defineOp } from '../define.js';
import { apply } from '../dispatch.js';
import type { DType } from '../dtype.js';
import { numel } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { bytesOf } from './cost.js';
import { roundedToBfloat16 } from './make/bfloat16.js';

/** What float64 becomes when stored in a dtype. */
export function stored(value: number, dtype: DType): number {
  if (dtype === 'float64') return value;
  if (dtype === 'float32') return Math.fround(value);
  if (dtype === 'bfloat16') return roundedToBfloat16(value);
  if (dtype === 'bool') return value !== 0 ? 1 : 0;
  const [low, high] = dtype === 'uint8' ? [0, 255] : [-2147483648, 2147483647];
  return Number.isNaN(value) ? 0 : Math.trunc(Math.min(Math.max(value, low), high));
}

export const fillOp = defineOp<{ shape: readonly number[]; dtype: DType; value: number }>({
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

/** A new tensor with one value everywhere, where `like` is; the arguments are checked by the callers. */
export function filled(shape: readonly number[], value: number, dtype: DType, like?: Tensor): Tensor {
  const make = () => apply(fillOp, [], { shape, dtype, value });
  return like === undefined ? make() : withModes({ device: like.storage.device }, make);
}
