// The row that moves tensors between devices.
import { defineOp } from '../define.js';
import { apply } from '../dispatch.js';
import type { Tensor } from '../tensor.js';
import { bytesOf } from './cost.js';

const toOp = defineOp<{ device: number; back: number }>({
  name: 'to',
  bfloat16: true,
  inputs: ['x'],
  infer: ([x]) => ({ shape: x.shape, dtype: x.dtype }),
  transfer: ({ device }) => device,
  vjp: [(g, _saved, { attrs }) => moved(g, attrs.back)],
  ref: ([x]) => x,
  cost: (inputs, outputs) => ({ flops: 0, bytes: bytesOf([...inputs, ...outputs]) }),
});

/** The tensor on the device of this number; itself when it is there. */
export function moved(x: Tensor, device: number): Tensor {
  const back = x.storage.device;
  return back === device ? x : apply(toOp, [x], { device, back });
}
