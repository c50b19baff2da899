// The operands of elementwise ops: which dtypes an op takes, and at which dtype two operands meet.
import type { Meta } from '../../define.js';
import type { Operand } from '../../dispatch.js';
import { type DType, dtypes, promote, promoteNumber } from '../../dtype.js';
import { fail, show } from '../../errors.js';
import { Tensor } from '../../tensor.js';
import { asFloat, checkTensor } from '../axes.js';

/** The dtypes that a row's kernels take; native/ops.def has the same three words. */
export type Accepts = 'floats' | 'numbers' | 'all';

function takes(accepts: Accepts, dtype: DType): boolean {
  return accepts === 'all' || (accepts === 'floats' ? dtypes[dtype].isFloat : dtype !== 'bool');
}

/** Throws unless all operands have one dtype, and the row takes it. */
export function checkDTypes(op: string, accepts: Accepts, metas: readonly Meta[]): DType {
  const { dtype } = metas[0];
  for (let i = 1; i < metas.length; i++) {
    if (metas[i].dtype !== dtype) fail(op, 'operands differ in dtype', metas.map((m) => m.dtype).join(' and '));
  }
  if (!takes(accepts, dtype)) fail(op, `not defined for ${dtype} elements; use cast()`, `${dtype}`);
  return dtype;
}

/** The tensor in a dtype that the row takes: whole numbers go to float32 where it computes with floats. */
export function accepted(op: string, accepts: Accepts, x: Tensor): Tensor {
  checkTensor(op, x);
  if (accepts === 'floats') return asFloat(x);
  if (!takes(accepts, x.dtype)) fail(op, `not defined for ${x.dtype} elements; use cast()`, x.describe());
  return x;
}

/** The dtype at which two operands meet. Throws unless at least one is a tensor, and the other that or a number. */
export function meetingDType(op: string, a: Operand, b: Operand): DType {
  if (a instanceof Tensor) {
    if (b instanceof Tensor) return promote(a.dtype, b.dtype);
    if (typeof b === 'number') return promoteNumber(a.dtype, b);
  } else if (b instanceof Tensor && typeof a === 'number') {
    return promoteNumber(b.dtype, a);
  }
  return fail(op, 'operands must be tensors, or a tensor and a number', `${show(a)} and ${show(b)}`);
}

/** Two operands at one dtype that the row takes. A number stays one: it takes the dtype of the tensor beside it. */
export function meet(op: string, accepts: Accepts, a: Operand, b: Operand): [Operand, Operand] {
  let dtype = meetingDType(op, a, b);
  if (!takes(accepts, dtype)) {
    if (accepts === 'floats') dtype = 'float32';
    else fail(op, `not defined for ${dtype} elements; use cast()`, `${describe(a)} and ${describe(b)}`);
  }
  return [typeof a === 'number' ? a : a.cast(dtype), typeof b === 'number' ? b : b.cast(dtype)];
}

/** `[2, 3] float32`, or the number. */
export function describe(x: Operand): string {
  return x instanceof Tensor ? x.describe() : show(x);
}

/** The first of an op's outputs. The others are let go of at once: a graph that needs them holds them itself. */
export function firstOf([out, ...rest]: readonly Tensor[]): Tensor {
  for (const t of rest) t.dispose();
  return out;
}
