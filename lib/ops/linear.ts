// Linear layers.
import { apply } from '../dispatch.js';
import type { Tensor } from '../tensor.js';
import { checkObject } from './axes.js';
import { checkActivation, type LinearActivation, linearActivationOp, linearOp } from './linear-rows.js';
import { delivered, meet, type ProductOptions } from './matmul-rows.js';

/** Options of {@link linear}. */
export interface LinearFunctionOptions extends ProductOptions {
  /** Comes last, in the same pass over memory. Default null: nothing does. */
  readonly activation?: LinearActivation | null;
}

/**
 * A linear layer: y = activation(x W^T + bias) for x [..., in], weight [out, in] and bias [out] (may be absent): [..., out].
 * Beside bfloat16 x and weight the bias and the result are float32. Throws when the sizes do not fit together, when x or
 * weight alone is bfloat16, and for an activation that is none of relu, sigmoid, tanh. Source: torch.nn.functional.linear.
 */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor | null, options: LinearFunctionOptions = {}): Tensor {
  checkObject('linear', options);
  const operands = meet('linear', bias ? [x, weight, bias] : [x, weight], ['x', 'weight', 'bias']);
  const activation = checkActivation('linear', options.activation ?? null);
  const out =
    activation === null ? apply(linearOp, operands, undefined) : apply(linearActivationOp, operands, activation);
  return delivered('linear', out, options);
}
