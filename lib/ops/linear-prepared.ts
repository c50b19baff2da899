// Linear layers as modules call them: the weight packed once where the layer was prepared for inference.
import { apply } from '../dispatch.js';
import { checkOptions } from '../options.js';
import type { Tensor } from '../tensor.js';
import {
  checkActivation,
  type LinearActivation,
  linearActivationOp,
  linearOp,
  linearPackedOp,
  linearPackOp,
} from './linear-rows.js';
import { delivered, meet, type ProductOptions, productOptions } from './matmul-rows.js';
import { isPackable, packedOf } from './packed.js';

/** Options of linear(). */
export interface LinearFunctionOptions extends ProductOptions {
  /** Comes last, in the same pass over memory. Default null: nothing does. */
  readonly activation?: LinearActivation | null;
}

const known = [...productOptions, 'activation'] as const;

/** linear() of a layer that may be prepared for inference: `packs` says whether its weight is kept packed. */
export function preparedLinear(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null | undefined,
  options: LinearFunctionOptions,
  packs: boolean,
): Tensor {
  checkOptions('linear', options, known);
  const operands = meet('linear', bias ? [x, weight, bias] : [x, weight], ['x', 'weight', 'bias']);
  const activation = checkActivation('linear', options.activation ?? null);
  return delivered('linear', computed(weight, operands, activation, packs), options);
}

function computed(
  weight: Tensor,
  operands: readonly Tensor[],
  activation: LinearActivation | null,
  packs: boolean,
): Tensor {
  const [x, w, ...bias] = operands;
  // One row is a product with a vector, which reads the weight as it lies. What was cast is not the weight that is kept.
  const fits = w === weight && isPackable(w) && w.ndim === 2 && x.size > w.shape[1] && x.dtype !== 'bfloat16';
  if (packs && fits) {
    const packed = packedOf(w, 'linear', (given) => apply(linearPackOp, [given], undefined));
    return apply(linearPackedOp, [x, w, packed, ...bias], activation);
  }
  return activation === null ? apply(linearOp, operands, undefined) : apply(linearActivationOp, operands, activation);
}
