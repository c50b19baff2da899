// What a module is made of: its own enumerable fields, in the order they were assigned. Arrays and plain objects in
// fields are looked into.
import { types } from 'node:util';
import { fail } from '../errors.js';
import { isPlainObject } from '../named.js';
import { Tensor } from '../tensor.js';
import { type AnyModule, Module } from './module.js';
import { Buffer, Parameter } from './parameter.js';

/** A place in a module that holds part of it. */
export interface Member<T> {
  /** `conv1`, or `blocks.0` for an entry of an array, `heads.left` for one of an object. */
  readonly name: string;
  readonly value: T;
  /** Puts another value in its place. */
  replace(value: T): void;
}

/** A part of a module's state. */
export type State = Parameter | Buffer;

/** Entries of a Map or Set have no names that a state dict could hold, so parts of a module must not hide there. */
function checkForeign(owner: AnyModule, name: string, holder: Map<unknown, unknown> | Set<unknown>): void {
  for (const entry of holder.values()) {
    if (!(entry instanceof Module || entry instanceof Parameter || entry instanceof Buffer)) continue;
    fail(
      owner.constructor.name,
      `${name} holds a part of the module where it is not seen; use an array, an object or nn.ModuleList`,
      `${entry.constructor.name} in a ${types.isMap(holder) ? 'Map' : 'Set'}`,
    );
  }
}

function collect(owner: AnyModule, path: readonly object[], prefix: string, found: Member<unknown>[]): void {
  const holder = path[path.length - 1];
  for (const [key, value] of Object.entries(holder)) {
    const name = prefix + key;
    if (value instanceof Module || value instanceof Parameter || value instanceof Buffer) {
      found.push({ name, value, replace: (other) => void Object.assign(holder, { [key]: other }) });
    } else if (value instanceof Tensor) {
      if (!value.isLeaf || !value.requiresGrad) continue;
      fail(
        owner.constructor.name,
        `${name} requires grad but is no parameter; assign nn.parameter(t), or use a #private field for other tensors`,
        value.describe(),
      );
    } else if (types.isMap(value) || types.isSet(value)) {
      checkForeign(owner, name, value);
    } else if ((Array.isArray(value) || isPlainObject(value)) && !path.includes(value)) {
      collect(owner, [...path, value], `${name}.`, found);
    }
  }
}

function membersOf(module: AnyModule): Member<unknown>[] {
  const found: Member<unknown>[] = [];
  collect(module, [module], '', found);
  return found;
}

/** The modules in the fields of this one. */
export function childrenOf(module: AnyModule): Member<AnyModule>[] {
  return membersOf(module).filter((m): m is Member<AnyModule> => m.value instanceof Module);
}

/** The parameters and buffers in the fields of this module. */
export function stateOf(module: AnyModule): Member<State>[] {
  return membersOf(module).filter((m): m is Member<State> => m.value instanceof Tensor);
}

/** This module and all below it, parents first, under every name that leads to them; cycles are cut. */
function walk(module: AnyModule, prefix: string, path: readonly AnyModule[], out: [string, AnyModule][]): void {
  if (path.includes(module)) return;
  out.push([prefix, module]);
  for (const { name, value } of childrenOf(module)) {
    walk(value, prefix === '' ? name : `${prefix}.${name}`, [...path, module], out);
  }
}

/** Every name with its module; a module that is used twice appears twice. */
export function allModules(root: AnyModule): [string, AnyModule][] {
  const out: [string, AnyModule][] = [];
  walk(root, '', [], out);
  return out;
}

/** Every parameter and buffer of a module and those below it, under every name that leads to it. */
export function allState(root: AnyModule): Member<State>[] {
  return allModules(root).flatMap(([prefix, module]) =>
    stateOf(module).map((m) => ({ ...m, name: prefix === '' ? m.name : `${prefix}.${m.name}` })),
  );
}

/** The first entry for each value. */
export function unique<T>(entries: readonly [string, T][]): [string, T][] {
  const seen = new Set<T>();
  return entries.filter(([, value]) => !seen.has(value) && seen.add(value));
}
