// How a tracer hears of modules. `forward` is an ordinary method that models call on each other, so while somebody watches,
// the forward of every class that a module was ever made of is wrapped; nobody pays for it at other times.
import { context } from '../context.js';
import type { AnyModule } from './module.js';

type Forward = (this: AnyModule, ...inputs: unknown[]) => unknown;
type Prototype = { forward?: Forward };

const prototypes = new Set<Prototype>();
const originals = new Map<Prototype, { readonly forward: Forward; readonly wrapper: Forward }>();
let watchers = 0;

function wrap(prototype: Prototype): void {
  for (let p: Prototype | null = prototype; p !== null; p = Object.getPrototypeOf(p)) {
    const forward = Object.getOwnPropertyDescriptor(p, 'forward')?.value as Forward | undefined;
    if (typeof forward !== 'function' || originals.has(p)) continue;
    const wrapper: Forward = function (...inputs) {
      const leave = context().tracer?.forward(this);
      try {
        return forward.apply(this, inputs);
      } finally {
        leave?.();
      }
    };
    originals.set(p, { forward, wrapper });
    p.forward = wrapper;
  }
}

/** Takes note of the class of a new module. */
export function noteClass(prototype: object): void {
  if (prototypes.has(prototype)) return;
  prototypes.add(prototype);
  if (watchers > 0) wrap(prototype);
}

/** From now on, until the function returned is called, tracers hear of every module's forward. */
export function watchForwards(): () => void {
  if (watchers++ === 0) for (const prototype of prototypes) wrap(prototype);
  return () => {
    if (--watchers > 0) return;
    // A class whose forward was replaced meanwhile keeps the new one.
    for (const [p, { forward, wrapper }] of originals) if (p.forward === wrapper) p.forward = forward;
    originals.clear();
  };
}
