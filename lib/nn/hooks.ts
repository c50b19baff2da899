// Functions that are called around a module's forward. `forward` is an ordinary method, so a module with hooks has one of
// its own in front of its class's; a module without pays nothing, and layers that run as one op otherwise see that it is
// replaced and run apart.
import { fail, show } from '../errors.js';
import type { AnyModule } from './module.js';

// Hooks are methods here, and have a name, so that TypeScript compares their parameters in both directions: a Linear is a
// module of whatever inputs, hooks or not.
interface Hook<M, Inputs, Output> {
  before(module: M, inputs: Inputs): Inputs | undefined | void;
  after(module: M, inputs: Inputs, output: Output): Output | undefined | void;
}
type Named = { readonly name?: string };

/** Called before a module's forward; a list that it returns takes the place of the inputs. */
export type ForwardPreHook<M, Inputs> = Hook<M, Inputs, unknown>['before'] & Named;

/** Called after a module's forward; what it returns takes the place of the output, unless it is undefined. */
export type ForwardHook<M, Inputs, Output> = Hook<M, Inputs, Output>['after'] & Named;

/** What takes a hook away again; `using handle = ...` does so at the end of the block. */
export interface HookHandle {
  /** Takes the hook away; again without effect. */
  remove(): void;
  [Symbol.dispose](): void;
}

type Call = (this: AnyModule, ...inputs: unknown[]) => unknown;
type Before = (module: never, inputs: never) => unknown;
type After = (module: never, inputs: never, output: never) => unknown;

/** The hooks of a module, in the order in which they were registered; each entry is another object. */
interface Hooks {
  before: readonly { readonly call: Before }[];
  after: readonly { readonly call: After }[];
  /** Takes the forward with hooks off the module. */
  readonly undo: () => void;
}

const hooked = new WeakMap<AnyModule, Hooks>();

/** Whether functions are to be called around this module's forward, which therefore must run by itself. */
export function hasHooks(module: AnyModule): boolean {
  return hooked.has(module);
}

function hook(module: AnyModule): Hooks {
  const own = Object.getOwnPropertyDescriptor(module, 'forward');
  const forward: Call = (...given) => {
    const { before, after } = hooked.get(module) ?? { before: [], after: [] };
    let inputs = given;
    for (const { call } of before) {
      const others = call(module as never, inputs as never);
      if (others === undefined) continue;
      if (!Array.isArray(others)) {
        fail('registerForwardPreHook', 'a hook returns a list of inputs, or nothing', show(others));
      }
      inputs = others;
    }
    // The class's is looked up with each call: a tracer replaces it while it listens.
    let output = ((own?.value ?? Object.getPrototypeOf(module).forward) as Call).apply(module, inputs);
    for (const { call } of after) output = call(module as never, inputs as never, output as never) ?? output;
    return output;
  };
  Object.defineProperty(module, 'forward', { value: forward, configurable: true, writable: true });
  const undo = () => {
    if (Object.getOwnPropertyDescriptor(module, 'forward')?.value !== forward) return; // replaced meanwhile
    if (own === undefined) delete (module as Partial<AnyModule>).forward;
    else Object.defineProperty(module, 'forward', own);
  };
  const hooks = { before: [], after: [], undo };
  hooked.set(module, hooks);
  return hooks;
}

/** Adds a hook to one of a module's lists. Throws when it is no function. */
export function addHook(op: string, module: AnyModule, list: 'before' | 'after', call: Before | After): HookHandle {
  if (typeof call !== 'function') fail(op, 'the hook must be a function', show(call));
  const hooks = hooked.get(module) ?? hook(module);
  const entry = { call };
  const change = (entries: readonly { readonly call: unknown }[]) => Object.assign(hooks, { [list]: entries });
  change([...hooks[list], entry]);
  const remove = () => {
    change(hooks[list].filter((other) => other !== entry));
    if (hooks.before.length + hooks.after.length > 0 || hooked.get(module) !== hooks) return;
    hooks.undo();
    hooked.delete(module);
  };
  return { remove, [Symbol.dispose]: remove };
}
