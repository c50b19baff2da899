import { checkDevice, type DeviceName } from '../device.js';
import { type DType, dtypes } from '../dtype.js';
import { fail, show } from '../errors.js';
import type { Tensor } from '../tensor.js';
import { checkTensor } from './axes.js';
import { cast } from './copy.js';
import { moved } from './transfer.js';

/**
 * The tensor in another dtype (`x.to('bfloat16')`: see {@link cast}) or on another device (`x.to('cuda')`); itself where
 * nothing changes. Gradients flow back to where it was. Throws when `target` names neither, and says why there is no such
 * device. Source: torch.Tensor.to.
 */
export function to(x: Tensor, target: DType | DeviceName): Tensor {
  checkTensor('to', x);
  if (Object.hasOwn(dtypes, target)) return cast(x, target as DType);
  if (target !== 'cpu' && !/^cuda/.test(String(target))) {
    const allowed = ['cpu', 'cuda', 'cuda:N', ...Object.keys(dtypes)].join(', ');
    fail('to', `a tensor moves to a device or a dtype: one of ${allowed}`, show(target));
  }
  return moved(x, checkDevice('to', target));
}
