import { inspect } from 'node:util';
import { withModes } from '../context.js';
import { checkDevice, type DeviceName } from '../device.js';
import { type DType, dtypes } from '../dtype.js';
import { fail, show } from '../errors.js';
import type { StateDict } from '../named.js';
import { moved } from '../ops/transfer.js';
import { checkFlag, checkOptions } from '../options.js';
import type { Tensor } from '../tensor.js';
import { formatModule } from './format.js';
import { addHook, type ForwardHook, type ForwardPreHook, type HookHandle } from './hooks.js';
import { allModules, allState, childrenOf, stateOf, unique } from './members.js';
import { adopt, Buffer, Parameter } from './parameter.js';
import { noteClass } from './scopes.js';
import { type LoadReport, loadState } from './state.js';

/** A module of whatever inputs and output. */
export type AnyModule = Module<never, unknown>;

/**
 * A layer or a model: parameters, buffers and modules in its fields, and `forward`, which computes its output.
 * Assigning to a field is all the registration there is, also inside of arrays and plain objects; `#private` fields are
 * not seen.
 *
 * ```ts
 * class Net extends nn.Module {
 *   hidden = new nn.Linear(784, 128);
 *   out = new nn.Linear(128, 10);
 *   forward(x: Tensor): Tensor {
 *     return this.out.forward(this.hidden.forward(x).relu());
 *   }
 * }
 * const y = new Net().forward(x);
 * ```
 *
 * A model of several inputs says so: `class Pair extends nn.Module<[a: Tensor, b: Tensor]>`. Names in
 * {@link namedParameters} and the state dict are paths of field names: `hidden.weight`.
 */
export abstract class Module<Inputs extends readonly unknown[] = [x: Tensor], Output = Tensor> {
  /** Whether dropout drops and batch norm uses the batch's statistics; set by {@link train} and {@link eval}. */
  training = true;

  constructor() {
    noteClass(new.target.prototype);
  }

  /** The output for the given input: this is how a module is called. */
  abstract forward(...inputs: Inputs): Output;

  // ---- what it is made of

  /** The modules directly in the fields of this one. */
  children(): AnyModule[] {
    return unique(this.namedChildren()).map(([, module]) => module);
  }

  /** The modules directly in the fields of this one, with the names of the fields. */
  namedChildren(): [name: string, module: AnyModule][] {
    return childrenOf(this).map(({ name, value }) => [name, value]);
  }

  /** This module and all below it, parents first. */
  modules(): AnyModule[] {
    return this.namedModules().map(([, module]) => module);
  }

  /** This module (named "") and all below it, parents first; one that is used twice appears once, by its first name. */
  namedModules(): [name: string, module: AnyModule][] {
    return unique(allModules(this));
  }

  /** What the module learns: the parameters of this module and all below it, each once. */
  parameters(): Parameter[] {
    return this.namedParameters().map(([, parameter]) => parameter);
  }

  /** The parameters with their names, such as `conv1.weight`; one that is shared appears once, by its first name. */
  namedParameters(): [name: string, parameter: Parameter][] {
    const entries = allState(this).map(({ name, value }): [string, Parameter | Buffer] => [name, value]);
    return unique(entries).filter((entry): entry is [string, Parameter] => entry[1] instanceof Parameter);
  }

  /** The buffers of this module and all below it, each once. */
  buffers(): Buffer[] {
    return this.namedBuffers().map(([, buffer]) => buffer);
  }

  /** The buffers with their names, such as `bn1.runningMean`. */
  namedBuffers(): [name: string, buffer: Buffer][] {
    const entries = allState(this).map(({ name, value }): [string, Parameter | Buffer] => [name, value]);
    return unique(entries).filter((entry): entry is [string, Buffer] => entry[1] instanceof Buffer);
  }

  // ---- modes

  /** Puts this module and all below it in training mode (or out of it: `train(false)`). Returns the module. */
  train(mode = true): this {
    if (typeof mode !== 'boolean') fail('train', 'mode must be true or false', show(mode));
    for (const module of this.modules()) module.training = mode;
    return this;
  }

  /** Puts this module and all below it in evaluation mode. Returns the module. */
  eval(): this {
    return this.train(false);
  }

  /** Freezes the parameters (`false`), or makes them learn again. Returns the module. */
  requiresGrad_(value = true): this {
    for (const parameter of this.parameters()) parameter.requiresGrad = value;
    return this;
  }

  /** Forgets the gradients of all parameters and frees them at once: `p.grad.detach()` is a hold that outlives this. */
  zeroGrad(): void {
    for (const parameter of this.parameters()) {
      parameter.grad?.dispose();
      parameter.grad = null;
    }
  }

  // ---- state

  /**
   * Parameters and persistent buffers by name, the shared ones under each of their names. The tensors share the
   * module's memory: they change as it learns (`clone()` them to keep the present values).
   */
  stateDict(): Record<string, Tensor> {
    const out: Record<string, Tensor> = {};
    for (const { name, value } of allState(this)) {
      if (!(value instanceof Buffer) || value.persistent) out[name] = value.detach();
    }
    return out;
  }

  /**
   * Copies a state dict into the parameters and buffers, in place, converting dtypes. Returns the names that the dict
   * lacked and those it had beyond the module's; unless `strict` is false (default true) either is an error. Throws,
   * with nothing changed, listing every missing and unexpected name and every tensor of another shape.
   */
  loadStateDict(dict: StateDict, options: { readonly strict?: boolean } = {}): LoadReport {
    const { strict = true } = checkOptions('loadStateDict', options, ['strict']);
    return loadState(this, dict, checkFlag('loadStateDict', 'strict', strict));
  }

  /**
   * Moves the module to a device ("cpu", "cuda", "cuda:1"), or converts its float parameters and buffers to a dtype
   * ("float64"). New tensors take the place of the old ones, which are disposed of: make the optimizer afterwards.
   * Returns the module. Throws when there is no such device or float dtype.
   */
  to(target: DeviceName | 'float32' | 'float64'): this {
    let wants: (t: Tensor) => boolean;
    let change: (t: Tensor) => Tensor;
    if (Object.hasOwn(dtypes, target)) {
      const dtype = target as DType;
      if (dtype !== 'float32' && dtype !== 'float64')
        fail('to', 'a module converts to a float dtype: float32 or float64', show(target));
      wants = (t) => t.isFloat && t.dtype !== dtype;
      change = (t) => t.cast(dtype);
    } else {
      if (target !== 'cpu' && !/^cuda/.test(String(target))) {
        const allowed = 'cpu, cuda, cuda:N, float32, float64';
        fail('to', `a module moves to a device or a float dtype: one of ${allowed}`, show(target));
      }
      const device = checkDevice('to', target);
      wants = (t) => t.storage.device !== device;
      change = (t) => moved(t, device);
    }
    const converted = new Map<Tensor, Parameter | Buffer>();
    for (const { value, replace } of allModules(this).flatMap(([, module]) => stateOf(module))) {
      if (converted.has(value)) replace(converted.get(value) as Parameter);
      else if (wants(value)) {
        const other = convert(value, change);
        converted.set(value, other);
        replace(other);
      }
    }
    for (const old of converted.keys()) old.dispose();
    return this;
  }

  /** Calls `fn` with every module below this one, children first, and with this one last. Returns the module. */
  apply(fn: (module: AnyModule) => void): this {
    if (typeof fn !== 'function') fail('apply', 'a function was expected', show(fn));
    for (const module of this.modules().reverse()) fn(module);
    return this;
  }

  // ---- hooks

  /**
   * Calls `hook` with this module and the list of its inputs before each forward; a list that it returns takes the place
   * of the inputs. Hooks run in the order in which they were registered, and see every call of `forward`: not what other
   * modules compute with this one's parameters. Returns a handle whose `remove()` takes the hook away. Source:
   * torch.nn.Module.register_forward_pre_hook.
   */
  registerForwardPreHook(hook: ForwardPreHook<this, Inputs>): HookHandle {
    return addHook('registerForwardPreHook', this, 'before', hook);
  }

  /**
   * Calls `hook` with this module, the list of its inputs and its output after each forward; what it returns, unless it
   * is undefined, takes the place of the output. A module with hooks runs by itself: `Sequential` and
   * `prepareInference` join it with no other. Returns a handle whose `remove()` takes the hook away. Source:
   * torch.nn.Module.register_forward_hook.
   */
  registerForwardHook(hook: ForwardHook<this, Inputs, Output>): HookHandle {
    return addHook('registerForwardHook', this, 'after', hook);
  }

  // ---- text

  /** What stands between the parentheses when the module is printed: its constructor's arguments. */
  extraRepr(): string {
    return '';
  }

  /** The module and all below it, one a line, as they would be constructed. */
  toString(): string {
    return formatModule(this);
  }

  /** @internal */
  [inspect.custom](): string {
    return this.toString();
  }
}

function convert(old: Parameter | Buffer, change: (t: Tensor) => Tensor): Parameter | Buffer {
  return withModes({ grad: false, scope: null }, () => {
    const other = change(old);
    const out = adopt('to', old instanceof Parameter ? Parameter : Buffer, other);
    other.dispose();
    if (old instanceof Buffer) (out as Buffer).persistent = old.persistent;
    else out.requiresGrad = old.requiresGrad;
    out.grad = old.grad === null ? null : change(old.grad);
    return out;
  });
}
