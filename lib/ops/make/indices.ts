import { types } from 'node:util';
import { fail, show } from '../../errors.js';
import { checkInteger } from '../../shape.js';
import { Tensor } from '../../tensor.js';
import { tensor } from '../create.js';

/** Indices into an axis: an int32 (or uint8) tensor, an Int32Array, or plain whole numbers. */
export type Indices = Tensor | Int32Array | readonly number[];

/** Indices as an int32 tensor; plain ones are put where `like` is. Throws for fractions and other dtypes. */
export function asIndices(op: string, index: Indices, like?: Tensor): Tensor {
  if (index instanceof Tensor) {
    if (index.dtype === 'int32') return index;
    if (index.dtype === 'uint8') return index.cast('int32');
    return fail(op, 'indices must be int32 or uint8; use cast("int32")', index.describe());
  }
  const options = { device: like?.device };
  if (types.isInt32Array(index)) return tensor(index, options);
  if (!Array.isArray(index)) fail(op, 'indices must be an int32 tensor or an array of whole numbers', show(index));
  for (const i of index) checkInteger(op, 'an index', i, 0, 0x7fffffff);
  return tensor(Int32Array.from(index), options);
}
