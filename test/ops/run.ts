// Calling a row as the engine does, on drawn inputs in chosen layouts.
import type { Op } from '../../lib/define.js';
import { applyAll, type Operand } from '../../lib/dispatch.js';
import { type DType, dtypes } from '../../lib/dtype.js';
import { Tensor } from '../../lib/tensor.js';
import type { Case } from './case.js';
import { type Layout, laidOut } from './layouts.js';
import { inferred } from './reference.js';
import { type Drawn, drawCase, followsDType, isNumber } from './values.js';

/** Fresh tensors with the drawn values; `layoutOf` may choose a layout for each input. */
export function operands(drawn: Drawn, layoutOf: (input: number) => Layout = () => 'contiguous'): Operand[] {
  return drawn.map((x, i) => (isNumber(x) ? x : laidOut(x, layoutOf(i))));
}

export function call(op: Op<never>, inputs: readonly Operand[], attrs: unknown): Tensor[] {
  return applyAll(op, inputs, attrs as never);
}

export function disposeAll(...lists: readonly (readonly (Operand | null)[])[]): void {
  for (const x of lists.flat()) if (x instanceof Tensor) x.dispose();
}

/** Whether a view rule can show this layout at all; where it cannot, the op's function copies first. */
export function canView(op: Op<never>, inputs: readonly Operand[], attrs: unknown): boolean {
  if (op.view === undefined) return true;
  const [x] = inputs;
  return x instanceof Tensor && op.view(x, attrs as never).strides !== null;
}

/** The dtypes that the row's shape rule accepts for a case; one, when the case leaves none open. */
export function dtypesFor(op: Op<never>, c: Case, seed: number): DType[] {
  if (!followsDType(c)) return ['float32'];
  const accepted = (Object.keys(dtypes) as DType[]).filter((dtype) => {
    try {
      inferred(op, drawCase(c, dtype, seed), c.attrs);
      return true;
    } catch {
      return false;
    }
  });
  if (accepted.length === 0) inferred(op, drawCase(c, 'float32', seed), c.attrs); // throws what is wrong with the case
  return accepted;
}
