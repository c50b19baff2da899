import type { Op } from '../../../lib/define.js';
import type { Operand } from '../../../lib/dispatch.js';
import type { Case } from '../case.js';
import { expanded, type Layout, layouts } from '../layouts.js';
import { compareTensors, type Expected, expectedOf } from '../reference.js';
import { call, canView, disposeAll, dtypesFor, operands } from '../run.js';
import type { Subject } from '../subjects.js';
import { type Drawn, drawCase, isNumber } from '../values.js';
import { caseCheck, during } from './check.js';

function compareCall(op: Op<never>, attrs: unknown, inputs: readonly Operand[], expected: readonly Expected[]): void {
  if (canView(op, inputs, attrs)) {
    const outputs = call(op, inputs, attrs);
    compareTensors(outputs, expected);
    disposeAll(outputs);
  }
  disposeAll(inputs);
}

const hasLayouts = ({ op }: Subject): boolean => !op.random && op.inputs.length > 0;

function everyLayout(op: Op<never>, c: Case, drawn: Drawn): void {
  const expected = expectedOf(op, drawn, c.attrs);
  const tensors = drawn.flatMap((x, i) => (isNumber(x) ? [] : [i]));
  for (const layout of Object.keys(layouts) as Layout[]) {
    for (const chosen of tensors.length > 1 ? [...tensors.map((i) => [i]), tensors] : [tensors]) {
      during(`inputs ${chosen} ${layout}`, () => {
        const inputs = operands(drawn, (i) => (chosen.includes(i) ? layout : 'contiguous'));
        compareCall(op, c.attrs, inputs, expected);
      });
    }
  }
  for (const i of tensors) {
    const values = drawn[i];
    if (isNumber(values)) continue;
    values.shape.forEach((size, axis) => {
      if (size < 2) return;
      during(`input ${i} expanded along axis ${axis}`, () => {
        const repeated = expanded(values, axis);
        const others = drawn.map((x, k) => (k === i ? repeated.values : x));
        const inputs = operands(others);
        disposeAll([inputs[i]]);
        inputs[i] = repeated.tensor();
        compareCall(op, c.attrs, inputs, expectedOf(op, others, c.attrs));
      });
    });
  }
}

/** Results do not depend on how inputs lie in memory: each input alone, then all of them together. */
export const layoutsCheck = caseCheck(
  'layouts',
  'test',
  ({ op }, c, seed) => {
    const narrow = dtypesFor(op, c, seed).filter((d) => d === 'bfloat16'); // the other dtypes share float32's layouts
    for (const dtype of ['float32', ...narrow] as const) {
      during(dtype, () => everyLayout(op, c, drawCase(c, dtype, seed)));
    }
  },
  hasLayouts,
);
