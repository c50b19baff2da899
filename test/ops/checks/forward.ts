import { compareTensors, expectedOf } from '../reference.js';
import { call, disposeAll, dtypesFor, operands } from '../run.js';
import type { Subject } from '../subjects.js';
import { drawCase } from '../values.js';
import { caseCheck, during } from './check.js';

/** Random rows are checked in random.ts. */
export const isDetermined = ({ op }: Subject): boolean => !op.random;

/** Results agree with the float64 reference, in every dtype that the row accepts. */
export const forward = caseCheck(
  'forward',
  'test',
  ({ op }, c, seed) => {
    for (const dtype of dtypesFor(op, c, seed)) {
      during(dtype, () => {
        const drawn = drawCase(c, dtype, seed);
        const inputs = operands(drawn);
        const outputs = call(op, inputs, c.attrs);
        compareTensors(outputs, expectedOf(op, drawn, c.attrs));
        disposeAll(inputs, outputs);
      });
    }
  },
  isDetermined,
);
