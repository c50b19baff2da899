import { fail, show } from './errors.js';

/** Names of the devices that tensors can live on here, the default first. */
export function devices(): string[] {
  return ['cpu'];
}

/** Checks a device given by a caller. Throws naming the devices there are. */
export function checkDevice(op: string, device: unknown): 'cpu' {
  if (device === undefined || device === 'cpu') return 'cpu';
  if (typeof device === 'string' && /^cuda(:\d+)?$/.test(device)) {
    return fail(op, 'no CUDA module is part of this build; devices here are cpu', show(device));
  }
  return fail(op, `device must be one of ${devices().join(', ')}`, show(device));
}
