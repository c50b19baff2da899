// Batch normalisation folded into the layer before it: evaluating, both are linear maps of each channel.

import { runIn, withModes } from '../context.js';
import { fail, show } from '../errors.js';
import { tidy } from '../memory.js';
import type { Storage } from '../storage.js';
import { Tensor } from '../tensor.js';
import type { Tracer } from '../tracer.js';
import { ReLU } from './activations.js';
import { Identity } from './containers.js';
import { Conv1d, Conv2d } from './conv.js';
import { Linear } from './linear.js';
import { allModules, childrenOf } from './members.js';
import { type AnyModule, Module } from './module.js';
import { BatchNorm1d, BatchNorm2d } from './norm.js';
import { parameter } from './parameter.js';

type Affine = Conv1d | Conv2d | Linear;
type Norm = BatchNorm1d | BatchNorm2d;

const isAffine = (m: AnyModule): m is Affine => m instanceof Conv1d || m instanceof Conv2d || m instanceof Linear;
const isNorm = (m: AnyModule): m is Norm => m instanceof BatchNorm1d || m instanceof BatchNorm2d;

/** What was seen of the layers while the model ran once. */
class Sightings implements Tracer {
  /** Who made the memory of a tensor. */
  private readonly makers = new Map<Storage, Affine>();
  /** By layer, who read what it made; null: something that is no batch norm. */
  private readonly readers = new Map<Affine, Set<Norm | null>>();
  /** By norm, whose results it read; null: another tensor. */
  private readonly sources = new Map<Norm, Set<Affine | null>>();
  private readonly open: AnyModule[] = [];

  call(_op: unknown, inputs: readonly unknown[]): number {
    const inside = this.open[this.open.length - 1];
    for (const x of inputs) {
      const maker = x instanceof Tensor ? this.makers.get(x.storage) : undefined;
      if (maker !== undefined) this.readers.get(maker)?.add(inside !== undefined && isNorm(inside) ? inside : null);
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
      if (isNorm(module) && x instanceof Tensor) {
        this.sources.set(module, (this.sources.get(module) ?? new Set()).add(this.makers.get(x.storage) ?? null));
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
    this.makers.set(out.storage, layer);
    if (!this.readers.has(layer)) this.readers.set(layer, new Set());
  }

  /** Norms that read nothing but what one layer made, which nothing else read. */
  pairs(): [Affine, Norm][] {
    return [...this.sources].flatMap(([norm, sources]): [Affine, Norm][] => {
      const [layer] = sources;
      if (sources.size !== 1 || layer === null) return [];
      const readers = this.readers.get(layer);
      return readers?.size === 1 && readers.has(norm) ? [[layer, norm]] : [];
    });
  }
}

/** Changes a layer to what it and the norm after it compute. */
function fold(layer: Affine, norm: Norm): void {
  const { runningMean, runningVar, weight, bias, eps } = norm;
  if (runningMean === null || runningVar === null) return;
  withModes({ grad: false }, () =>
    tidy(() => {
      const root = runningVar.add(eps).rsqrt();
      const scale = weight === null ? root : root.mul(weight);
      const { requiresGrad } = layer.weight;
      const shift = (layer.bias === null ? runningMean.neg() : layer.bias.sub(runningMean)).mul(scale);
      const added = bias === null ? shift : shift.add(bias);
      layer.weight.copy_(layer.weight.mul(scale.reshape([-1, ...layer.weight.shape.slice(1).map(() => 1)])));
      if (layer.bias === null) Object.assign(layer, { bias: parameter(added, { requiresGrad }) });
      else layer.bias.copy_(added);
    }),
  );
}

/**
 * Folds every batch norm that follows a `Conv1d`, `Conv2d` or `Linear` into that layer, for a model in evaluation mode:
 * weight' = weight γ / √(variance + eps), bias' = (bias - mean) γ / √(variance + eps) + β. What follows what is seen by
 * running the model once on the inputs given. A norm in whose place another value is read too, or that has no running
 * statistics, stays. Changes the model (its state dict then has no such norms; an identity, or the norm's relu, takes
 * their place) and returns it. Throws unless the model evaluates. Source: torch.nn.utils.fusion.fuse_conv_bn_eval.
 */
export function foldBatchNorm<Inputs extends readonly unknown[], M extends Module<Inputs, unknown>>(
  model: M,
  ...inputs: Inputs
): M {
  if (!(model instanceof Module)) fail('foldBatchNorm', 'a module was expected', show(model));
  const modules = model.modules();
  const training = modules.find((m) => m.training && isNorm(m));
  if (model.training || training !== undefined) {
    fail('foldBatchNorm', 'statistics change while training; call eval() first', (training ?? model).constructor.name);
  }
  const seen = new Sightings();
  const unwatch = modules.filter((m) => isAffine(m) || isNorm(m)).map((m) => seen.watch(m));
  try {
    runIn({ grad: false, tracer: seen }, () => tidy(() => void model.forward(...inputs)));
  } finally {
    for (const undo of unwatch) undo();
  }
  const pairs = seen.pairs().filter(([, norm]) => norm.runningMean !== null);
  for (const [layer, norm] of pairs) fold(layer, norm);
  const folded = new Set<AnyModule>(pairs.map(([, norm]) => norm));
  for (const [, parent] of allModules(model)) {
    for (const { value, replace } of childrenOf(parent)) {
      if (folded.has(value)) replace(((value as Norm).activation === 'relu' ? new ReLU() : new Identity()).eval());
    }
  }
  return model;
}
