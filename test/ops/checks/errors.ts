import { type DType, dtypes } from '../../../lib/dtype.js';
import { AthanorError } from '../../../lib/index.js';
import { Tensor } from '../../../lib/tensor.js';
import { compareTensors, expectedOf, inferred } from '../reference.js';
import { call, disposeAll, dtypesFor, operands } from '../run.js';
import { drawCase, followsDType } from '../values.js';
import { caseCheck, during } from './check.js';

function errorOf(body: () => unknown): { message: string } {
  try {
    body();
  } catch (error) {
    if (!(error instanceof AthanorError)) throw new Error(`threw ${error} in place of an AthanorError`);
    return error;
  }
  throw new Error('nothing was thrown');
}

/** Disposed tensors and dtypes that the row does not take are refused by name, and leave the engine as it was. */
export const errors = caseCheck(
  'errors',
  'test',
  ({ op }, c, seed) => {
    const [dtype] = dtypesFor(op, c, seed);
    const drawn = drawCase(c, dtype, seed);
    drawn.forEach((_, i) => {
      const inputs = operands(drawn);
      const x = inputs[i];
      if (!(x instanceof Tensor)) return;
      x.dispose();
      during(`input ${i} disposed of`, () => {
        const { message } = errorOf(() => call(op, inputs, c.attrs));
        if (!message.startsWith(`${op.name}: the tensor was disposed of: `))
          throw new Error(`another message: ${message}`);
      });
      disposeAll(inputs);
    });
    const accepted = dtypesFor(op, c, seed);
    for (const other of followsDType(c) ? (Object.keys(dtypes) as DType[]) : []) {
      if (accepted.includes(other)) continue;
      during(other, () => {
        const { message } = errorOf(() => inferred(op, drawCase(c, other, seed), c.attrs));
        if (!/^\w+: .+: .+/.test(message))
          throw new Error(`not of the form "op: what is wrong: what was given": ${message}`);
      });
    }
    const inputs = operands(drawn);
    const outputs = call(op, inputs, c.attrs);
    if (!op.random) during('after the errors', () => compareTensors(outputs, expectedOf(op, drawn, c.attrs)));
    disposeAll(inputs, outputs);
  },
  ({ op }) => op.inputs.length > 0,
);
