// Who reads what a layer makes, seen by running a model once.
import { runIn } from '../context.js';
import { tidy } from '../memory.js';
import type { Storage } from '../storage.js';
import { Tensor } from '../tensor.js';
import type { Tracer } from '../tracer.js';
import { Conv1d, Conv2d } from './conv.js';
import { hasHooks } from './hooks.js';
import { Linear } from './linear.js';
import type { AnyModule, Module } from './module.js';

/** Layers that end with a sum, which another layer may become part of. */
export type Affine = Conv1d | Conv2d | Linear;

export const isAffine = (m: AnyModule): m is Affine =>
  m instanceof Conv1d || m instanceof Conv2d || m instanceof Linear;

/** What was seen of the layers while the model ran once. */
class Sightings implements Tracer {
  /** Who made the memory of a tensor, and as what. */
  private readonly makers = new Map<Storage, { layer: Affine; out: Tensor }>();
  /** By layer, who read what it made; null: something that is no follower. */
  private readonly readers = new Map<Affine, Set<AnyModule | null>>();
  /** By follower, whose results it read; null: another tensor. */
  private readonly sources = new Map<AnyModule, Set<Affine | null>>();
  private readonly open: AnyModule[] = [];

  /** `follows` says which modules are followers, `takes` whether one may read `x`, all or a view of what a layer made. */
  constructor(
    private readonly follows: (m: AnyModule) => boolean,
    private readonly takes: (layer: Affine, out: Tensor, x: Tensor) => boolean,
  ) {}

  call(_op: unknown, inputs: readonly unknown[]): number {
    const inside = this.open[this.open.length - 1];
    for (const x of inputs) {
      const maker = x instanceof Tensor ? this.makers.get(x.storage)?.layer : undefined;
      if (maker !== undefined)
        this.readers.get(maker)?.add(inside !== undefined && this.follows(inside) ? inside : null);
    }
    return 0;
  }
  recorded(): void {}
  backward(): () => void {
    return () => {};
  }
  forward(): () => void {
    return () => {};
  }

  /** Watches a module's forward until the function returned is called. */
  watch(module: AnyModule): () => void {
    const own = Object.getOwnPropertyDescriptor(module, 'forward');
    const { forward } = module;
    const watched = (...inputs: unknown[]): unknown => {
      const [x] = inputs;
      if (this.follows(module) && x instanceof Tensor) {
        // One that is told more than its input does more than a layer can take over.
        const maker = inputs.length > 1 ? undefined : this.makers.get(x.storage);
        const layer = maker !== undefined && this.takes(maker.layer, maker.out, x) ? maker.layer : null;
        this.sources.set(module, (this.sources.get(module) ?? new Set()).add(layer));
      }
      this.open.push(module);
      try {
        const out = (forward as (...given: unknown[]) => unknown).apply(module, inputs);
        if (isAffine(module)) this.made(module, out as Tensor);
        return out;
      } finally {
        this.open.pop();
      }
    };
    Object.defineProperty(module, 'forward', { value: watched, configurable: true, writable: true });
    return () => {
      if (own === undefined) delete (module as Partial<AnyModule>).forward;
      else Object.defineProperty(module, 'forward', own);
    };
  }

  private made(layer: Affine, out: Tensor): void {
    this.makers.set(out.storage, { layer, out });
    if (!this.readers.has(layer)) this.readers.set(layer, new Set());
  }

  /** What the model gives back is read by whoever called it. */
  returned(value: unknown, seen = new Set<unknown>()): void {
    if (value instanceof Tensor) {
      const maker = this.makers.get(value.storage)?.layer;
      if (maker !== undefined) this.readers.get(maker)?.add(null);
    } else if (typeof value === 'object' && value !== null && !seen.has(value)) {
      seen.add(value);
      for (const item of Object.values(value)) this.returned(item, seen);
    }
  }

  /** Followers that read nothing but what one layer made, which nothing else read. */
  pairs(): [Affine, AnyModule][] {
    return [...this.sources].flatMap(([follower, sources]): [Affine, AnyModule][] => {
      const [layer] = sources;
      if (sources.size !== 1 || layer === null) return [];
      const readers = this.readers.get(layer);
      return readers?.size === 1 && readers.has(follower) ? [[layer, follower]] : [];
    });
  }
}

/**
 * Layers that end with a sum, each with a follower that reads nothing but that sum, which nobody else reads: seen by
 * running the model on the inputs. `takes` refuses views of the sum that the follower could not be joined with. Modules
 * with hooks are left out: what is joined is not called any more.
 */
export function seePairs<F extends AnyModule, Inputs extends readonly unknown[]>(
  model: Module<Inputs, unknown>,
  inputs: Inputs,
  follows: (m: AnyModule) => m is F,
  takes: (layer: Affine, out: Tensor, x: Tensor) => boolean = () => true,
): [Affine, F][] {
  const seen = new Sightings(follows, takes);
  const unwatch = model
    .modules()
    .filter((m) => isAffine(m) || follows(m))
    .map((m) => seen.watch(m));
  try {
    runIn({ grad: false, tracer: seen }, () => tidy(() => seen.returned(model.forward(...inputs))));
  } finally {
    for (const undo of unwatch) undo();
  }
  return (seen.pairs() as [Affine, F][]).filter(
    ([layer, follower]) => layer.activation === null && !hasHooks(layer) && !hasHooks(follower),
  );
}
