// What a piece of running code has switched on: gradient recording, a tidy scope, the stream its ops go to. Synchronous
// code keeps it in a variable; as soon as an asynchronous function runs in a context of its own, AsyncLocalStorage tells
// interleaved functions apart, so two requests of one server never see each other's modes.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Tensor } from './tensor.js';
import type { Tracer } from './tracer.js';

/** The modes of one call chain. */
export interface Context {
  grad: boolean;
  /** Collects what is created, for tidy(); null outside of one. */
  scope: Tensor[] | null;
  /** 0 computes, 1 loads data ahead. */
  stream: 0 | 1;
  /** Number of the device on which calls without tensors make theirs; null: the default one. */
  device: number | null;
  /** Watches what this code does; null: nobody. */
  tracer: Tracer | null;
}

const root: Context = { grad: true, scope: null, stream: 0, device: null, tracer: null };
const current = root;
/** Where tensors are made that nobody asks a device for: a setting of the thread, whatever runs in it. */
export const defaultDevice = { index: 0 };

let asynchronous = 0; // how many asynchronous contexts are open
const storage = new AsyncLocalStorage<Context>();

/** The context of the code that asks. */
export function context(): Context {
  return asynchronous === 0 ? current : (storage.getStore() ?? current);
}

/** Runs `fn` with some modes changed. `fn` must be synchronous: for what users pass in, use {@link runIn}. */
export function withModes<R>(change: Partial<Context>, fn: () => R): R {
  const active = context();
  const before = { ...active };
  Object.assign(active, change);
  try {
    return fn();
  } finally {
    Object.assign(active, before);
  }
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

/**
 * Runs a user's function, synchronous or not, with some modes changed; `finish` gets its result (or undefined when it
 * failed) before the context is left, and what it returns becomes the result.
 */
export function runIn<R>(change: Partial<Context>, fn: () => R, finish?: (result: unknown, inner: Context) => void): R {
  const inner: Context = { ...context(), ...change };
  asynchronous++;
  let result: R;
  try {
    result = storage.run(inner, fn);
  } catch (error) {
    asynchronous--;
    finish?.(undefined, inner);
    throw error;
  }
  if (!isPromise(result)) {
    asynchronous--;
    finish?.(result, inner);
    return result;
  }
  return result.then(
    (value) => {
      asynchronous--;
      finish?.(value, inner);
      return value;
    },
    (error) => {
      asynchronous--;
      finish?.(undefined, inner);
      throw error;
    },
  ) as R;
}
