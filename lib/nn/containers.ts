import { fail, show } from '../errors.js';
import type { Tensor } from '../tensor.js';
import { checkWhole } from './check.js';
import { formatArguments } from './format.js';
import { type AnyModule, Module } from './module.js';
import { forwardTogether } from './together.js';

/**
 * What {@link Sequential} and {@link ModuleList} share: entries under the keys 0, 1, ... which also name their state.
 */
abstract class Entries<M extends AnyModule, Inputs extends readonly unknown[], Output> extends Module<Inputs, Output> {
  readonly [index: number]: M;

  /** How many modules there are. */
  get length(): number {
    let n = 0;
    while (this[n] !== undefined) n++;
    return n;
  }

  /** The module at an index; negative ones count from the end. Throws when there is none. */
  at(index: number): M {
    const { length } = this;
    if (!Number.isInteger(index) || index < -length || index >= length) {
      fail(`${this.constructor.name}.at`, `there are ${length} entries`, show(index));
    }
    return this[index < 0 ? index + length : index];
  }

  /** Adds a module at the end and returns the container. Throws when it is not a module. */
  append(module: M): this {
    const { length } = this;
    if (!(module instanceof Module)) fail(this.constructor.name, `entry ${length} must be a module`, show(module));
    return Object.assign(this, { [length]: module });
  }

  *[Symbol.iterator](): Iterator<M> {
    for (let i = 0; this[i] !== undefined; i++) yield this[i];
  }
}

/**
 * Modules applied one after another, each to the output of the one before; none: the input itself. A Linear and the
 * ReLU, Sigmoid or Tanh behind it run as one op. Entries are
 * `seq[0]`, `seq.at(-1)`, `seq.length`, `for (const layer of seq)`; their parameters are named `0.weight` and so on.
 */
export class Sequential extends Entries<Module, [x: Tensor], Tensor> {
  /** Throws when an entry is not a module. */
  constructor(...modules: readonly Module[]) {
    super();
    for (const module of modules) this.append(module);
  }

  forward(x: Tensor): Tensor {
    let out = x;
    for (let i = 0; this[i] !== undefined; i++) {
      const together = forwardTogether(this[i], this[i + 1], out);
      out = together ?? this[i].forward(out);
      if (together !== null) i++;
    }
    return out;
  }
}

/**
 * Modules in a list, for a model that says itself in which order they run: `list[0]`, `list.at(-1)`, `list.length`,
 * `for (const block of list)`. A plain array in a field is seen as well; this one is a module itself. It has no
 * forward.
 */
export class ModuleList<M extends AnyModule = Module> extends Entries<M, never, never> {
  /** Throws when an entry is not a module. */
  constructor(modules: Iterable<M> = []) {
    super();
    if (typeof (modules as Iterable<M> | null)?.[Symbol.iterator] !== 'function') {
      fail('ModuleList', 'an array of modules was expected', show(modules));
    }
    for (const module of modules) this.append(module);
  }

  /** Throws: a list does not say how its modules follow each other. */
  forward(): never {
    return fail('ModuleList.forward', 'a list has no forward; call those of its modules, or use a Sequential');
  }
}

/** The input as it is: a place to put nothing. */
export class Identity extends Module {
  forward(x: Tensor): Tensor {
    return x;
  }
}

/**
 * Axes `startAxis` to `endAxis` made one: `[N, C, H, W]` to `[N, C * H * W]` as it is by default. A view where
 * possible.
 */
export class Flatten extends Module {
  /** Negative axes count from the end. Throws unless both are whole numbers. */
  constructor(
    readonly startAxis = 1,
    readonly endAxis = -1,
  ) {
    super();
    checkWhole('Flatten', 'startAxis', startAxis);
    checkWhole('Flatten', 'endAxis', endAxis);
  }

  forward(x: Tensor): Tensor {
    return x.flatten(this.startAxis, this.endAxis);
  }

  override extraRepr(): string {
    const args = [this.startAxis, this.endAxis];
    return this.startAxis === 1 && this.endAxis === -1 ? '' : formatArguments(args);
  }
}
