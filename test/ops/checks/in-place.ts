import type { Op } from '../../../lib/define.js';
import { applyInto } from '../../../lib/dispatch.js';
import { sameShape } from '../../../lib/shape.js';
import { Tensor } from '../../../lib/tensor.js';
import type { Layout } from '../layouts.js';
import { compareTensors, expectedOf, inferred } from '../reference.js';
import { disposeAll, dtypesFor, operands } from '../run.js';
import { type Drawn, drawCase, isNumber } from '../values.js';
import { caseCheck, during } from './check.js';

const targets: readonly Layout[] = ['contiguous', 'transposed', 'stepped', 'reversed'];

/** Whether the result fits in the place of the first input. */
function fits(op: Op<never>, drawn: Drawn, attrs: unknown): boolean {
  const [x] = drawn;
  const [out] = inferred(op, drawn, attrs);
  return !isNumber(x) && out.dtype === x.dtype && sameShape(out.shape, x.shape);
}

/**
 * Rows with a method that ends in an underscore give the same in the memory of their first input, however it lies there,
 * and when the second input is another view of that memory.
 */
export const inPlace = caseCheck(
  'in place',
  'test',
  ({ op }, c, seed) => {
    for (const dtype of dtypesFor(op, c, seed)) {
      const drawn = drawCase(c, dtype, seed);
      if (!fits(op, drawn, c.attrs)) continue;
      const expected = expectedOf(op, drawn, c.attrs);
      for (const layout of targets) {
        during(`${dtype}, ${layout}`, () => {
          const inputs = operands(drawn, (i) => (i === 0 ? layout : 'contiguous'));
          applyInto(op, inputs, [inputs[0] as Tensor], c.attrs as never);
          compareTensors([inputs[0] as Tensor], expected);
          disposeAll(inputs);
        });
      }
      const [x, y] = drawn;
      if (op.inputs.length !== 2 || isNumber(x) || isNumber(y) || y.dtype !== x.dtype) continue;
      during(`${dtype}, both inputs the same memory`, () => {
        const reversed = { ...x, data: x.data.slice().reverse() };
        const [target] = operands([x]) as [Tensor];
        const view = target.flip();
        applyInto(op, [target, view], [target], c.attrs as never);
        compareTensors([target], expectedOf(op, [x, reversed], c.attrs));
        disposeAll([target, view]);
      });
    }
  },
  ({ op }) => op.inputs.length > 0 && `${op.name}_` in Tensor.prototype,
);
