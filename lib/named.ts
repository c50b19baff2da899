// Collections of tensors by name, as callers give them.
import { types } from 'node:util';
import { fail, show } from './errors.js';
import { Tensor } from './tensor.js';

/** Tensors by name: an object or a Map. */
export type StateDict = Readonly<Record<string, Tensor>> | ReadonlyMap<string, Tensor>;

/** Whether a value was made by `{...}`, here or in another realm: other objects say themselves what they hold. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** A collection of tensors by name. Throws for any other object, and for tensors that are none or were disposed of. */
export function namedTensors(op: string, given: unknown): Map<string, Tensor> {
  if (!types.isMap(given) && !isPlainObject(given)) {
    fail(op, 'an object or a Map of tensors by name was expected', show(given));
  }
  const entries = new Map<unknown, unknown>(types.isMap(given) ? given : Object.entries(given));
  for (const [name, value] of entries) {
    if (typeof name !== 'string') fail(op, 'names must be strings', show(name));
    if (!(value instanceof Tensor)) fail(op, `${name} must be a tensor`, show(value));
    if (value.disposed) fail(op, 'the tensor was disposed of', `${name} ${value.describe()}`);
  }
  return entries as Map<string, Tensor>;
}
