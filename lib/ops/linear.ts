import type { Tensor } from '../tensor.js';
import { type LinearFunctionOptions, preparedLinear } from './linear-prepared.js';

export type { LinearFunctionOptions } from './linear-prepared.js';

/**
 * A linear layer: y = activation(x W^T + bias) for x [..., in], weight [out, in] and bias [out] (may be absent): [..., out].
 * Beside bfloat16 x and weight the bias and the result are float32. Throws when the sizes do not fit together, when x or
 * weight alone is bfloat16, and for an activation that is none of relu, sigmoid, tanh. Source: torch.nn.functional.linear.
 */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor | null, options: LinearFunctionOptions = {}): Tensor {
  return preparedLinear(x, weight, bias, options, false);
}
