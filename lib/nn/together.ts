// Layers of a Sequential that run as one op: what a layer makes is passed on while it still lies in a near cache.
import { context } from '../context.js';
import { preparedLinear } from '../ops/linear-prepared.js';
import type { LinearActivation } from '../ops/linear-rows.js';
import type { Tensor } from '../tensor.js';
import { ReLU, Sigmoid, Tanh } from './activations.js';
import { Linear } from './linear.js';
import type { Module } from './module.js';

const activations = new Map<unknown, LinearActivation>([
  [ReLU, 'relu'],
  [Sigmoid, 'sigmoid'],
  [Tanh, 'tanh'],
]);

/**
 * The result of `layer` and then `next` in one op, where both are known to do nothing else; null otherwise, and while a
 * tracer wants to hear of each.
 */
export function forwardTogether(layer: Module, next: Module | undefined, x: Tensor): Tensor | null {
  if (next === undefined || !(layer instanceof Linear) || layer.activation !== null) return null;
  const activation = activations.get(next.constructor);
  if (activation === undefined || context().tracer !== null) return null;
  const replaced = layer.forward !== Linear.prototype.forward || next.forward !== next.constructor.prototype.forward;
  if (replaced) return null;
  return preparedLinear(x, layer.weight, layer.bias, { activation }, layer.packs);
}
