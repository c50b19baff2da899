// Limiting gradients between backward() and step().
import { withModes } from '../context.js';
import { type DType, promote } from '../dtype.js';
import { fail, show } from '../errors.js';
import { clipScale_, totalNorm } from '../ops/clip.js';
import { filled } from '../ops/filled.js';
import { checkFlag, checkOptions } from '../options.js';
import type { Storage } from '../storage.js';
import { Tensor } from '../tensor.js';

/** A parameter, or several. */
export type Clippable = Tensor | Iterable<Tensor>;

/** Gradients that may be written to, each once, by dtype. */
function gradients(op: string, params: Clippable): Map<DType, Tensor[]> {
  const given: unknown = params;
  if (!(given instanceof Tensor) && typeof (given as Iterable<Tensor> | null)?.[Symbol.iterator] !== 'function') {
    fail(op, 'parameters must be a tensor or several: model.parameters()', show(given));
  }
  const list = params instanceof Tensor ? [params] : [...params];
  for (const p of list) if (!(p instanceof Tensor)) fail(op, 'parameters must be tensors', show(p));
  const out = new Map<DType, Tensor[]>();
  const seen = new Set<Storage>();
  for (const p of new Set(list)) {
    if (p.grad === null) continue;
    if (p.grad.disposed) fail(op, 'the gradient was disposed of', `gradient of ${p.describe()}`);
    // Memory shared with another gradient would be written twice.
    if (seen.has(p.grad.storage) || p.grad.strides.includes(0)) p.grad = p.grad.clone();
    seen.add(p.grad.storage);
    const same = out.get(p.grad.dtype);
    if (same === undefined) out.set(p.grad.dtype, [p.grad]);
    else same.push(p.grad);
  }
  return out;
}

/** How clipGradNorm_() measures. */
export interface ClipGradNormOptions {
  /** The p of the norm; 2 by default, Infinity for the largest element. */
  readonly normType?: number;
  /** Fail, and change nothing, where the norm is nan or infinite. The failure comes with the next sync point. */
  readonly errorIfNonfinite?: boolean;
}

/**
 * Scales all gradients together so that their norm, taken over all of them as one vector, is at most `maxNorm`: by
 * min(1, maxNorm / (norm + 1e-6)), in place, without waiting for the norm. Returns the norm before, a scalar: 0 when there
 * are no gradients. Throws for a limit that is negative or not a number, and a norm type that is not positive.
 * Source: Pascanu et al., On the difficulty of training recurrent neural networks, 2013.
 */
export function clipGradNorm_(params: Clippable, maxNorm: number, options: ClipGradNormOptions = {}): Tensor {
  const op = 'clipGradNorm_';
  const known = ['normType', 'errorIfNonfinite'] as const;
  const { normType = 2, errorIfNonfinite = false } = checkOptions(op, options, known);
  checkFlag(op, 'errorIfNonfinite', errorIfNonfinite);
  if (typeof maxNorm !== 'number' || !(maxNorm >= 0)) fail(op, 'maxNorm must be a number, 0 or more', show(maxNorm));
  if (typeof normType !== 'number' || !(normType > 0)) fail(op, 'normType must be a positive number', show(normType));
  const groups = withModes({ grad: false, scope: null }, () => gradients(op, params));
  if (groups.size === 0) return filled([], 0, 'float32');
  return withModes({ grad: false }, () => {
    const norms = [...groups.values()].map((grads) => totalNorm(grads, normType));
    const dtype = [...groups.keys()].reduce(promote);
    const norm =
      norms.length === 1
        ? norms[0]
        : totalNorm(
            norms.map((n) => n.cast(dtype)),
            normType,
          );
    for (const [own, grads] of groups) {
      clipScale_(norm.cast(own), grads, { limit: maxNorm, finite: errorIfNonfinite });
    }
    return norm;
  });
}

/** Cuts every element of all gradients to [-clipValue, clipValue], in place. Throws for a negative limit. */
export function clipGradValue_(params: Clippable, clipValue: number): void {
  const op = 'clipGradValue_';
  if (typeof clipValue !== 'number' || !(clipValue >= 0)) {
    fail(op, 'clipValue must be a number, 0 or more', show(clipValue));
  }
  withModes({ grad: false, scope: null }, () => {
    for (const grads of gradients(op, params).values())
      for (const g of grads) g.clamp_({ min: -clipValue, max: clipValue });
  });
}
