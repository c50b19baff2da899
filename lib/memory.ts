import { context, runIn } from './context.js';
import { checkDevice } from './device.js';
import { fail, show } from './errors.js';
import { native } from './native.js';
import { emptySpares } from './storage.js';
import { Tensor } from './tensor.js';

/** What memory() reports. Bytes are of buffers, not of the JavaScript objects around them. */
export interface MemoryReport {
  /** Buffers that JavaScript of this thread still holds; views of one tensor share a buffer. */
  readonly buffers: number;
  /** Their bytes. */
  readonly bytes: number;
  /** Bytes handed out by the process's allocator, to all threads and to work in flight, rounded up to block sizes. */
  readonly allocatedBytes: number;
  /** Bytes freed but kept for the next request. */
  readonly cachedBytes: number;
  /** The most that `allocatedBytes` ever was. */
  readonly peakBytes: number;
  /** The limit set by setMemoryLimit() or ATHANOR_MEMORY_LIMIT; 0: none. */
  readonly limitBytes: number;
  /** How often memory was asked of the system: constant once a training loop has warmed up. */
  readonly systemCalls: number;
}

/** Live buffers and bytes, cached bytes and peak of a device, the CPU if none is named. Throws when there is no such device. */
export function memory(device = 'cpu'): MemoryReport {
  const index = checkDevice('memory', device);
  emptySpares();
  return native.memory(index);
}

/** Starts a new `peakBytes` of a device from what is allocated now. */
export function resetPeakMemory(device = 'cpu'): void {
  const index = checkDevice('resetPeakMemory', device);
  emptySpares();
  native.configure({ device: index, resetPeak: true });
}

/** Gives a device's cached memory back to the system. */
export function trimMemory(device = 'cpu'): void {
  const index = checkDevice('trimMemory', device);
  emptySpares();
  native.configure({ device: index, trim: 0 });
}

/** The most bytes the process may hold on a device in tensors and cache; past it ops fail with "out of memory". 0: no
 *  limit. */
export function setMemoryLimit(bytes: number, device = 'cpu'): void {
  const index = checkDevice('setMemoryLimit', device);
  if (!Number.isInteger(bytes) || bytes < 0)
    fail('setMemoryLimit', 'bytes must be a whole number, 0 or more', show(bytes));
  emptySpares();
  native.configure({ device: index, memoryLimit: bytes });
}

function keepReachable(value: unknown, kept: Set<Tensor>, seen: Set<object>): void {
  if (typeof value !== 'object' || value === null || seen.has(value)) return;
  if (value instanceof Tensor) {
    kept.add(value);
    if (value.grad !== null) kept.add(value.grad);
    return;
  }
  if (ArrayBuffer.isView(value)) return;
  seen.add(value);
  const items = value instanceof Map || value instanceof Set ? [...value].flat() : Object.values(value);
  for (const item of items) keepReachable(item, kept, seen);
}

/**
 * Runs `fn` and disposes of every tensor made in it, except those in its result (a tensor, or arrays, objects, maps and
 * sets of tensors), those passed to {@link keep}, and gradients. `fn` may be async: the result is then awaited first, and
 * other code that runs meanwhile is not affected. When it throws, everything it made is disposed of.
 */
export function tidy<R>(fn: () => R): R {
  if (typeof fn !== 'function') fail('tidy', 'a function was expected', show(fn));
  const outer = context().scope;
  return runIn({ scope: [] }, fn, (result, inner) => {
    const kept = new Set<Tensor>();
    keepReachable(result, kept, new Set());
    for (const t of inner.scope ?? []) {
      if (kept.has(t)) outer?.push(t);
      else if (!t.kept) t.dispose();
    }
  });
}

/** Takes a tensor out of all tidy() scopes around it; it lives until it is disposed of or garbage. Returns it. */
export function keep(t: Tensor): Tensor {
  if (!(t instanceof Tensor)) fail('keep', 'a tensor was expected', show(t));
  t.kept = true;
  return t;
}
