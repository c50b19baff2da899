import type { Op } from '../../../lib/define.js';
import { formatShape } from '../../../lib/shape.js';
import type { Case } from '../case.js';
import { compareTensors, expectedOf, inferred } from '../reference.js';
import { call, disposeAll, operands } from '../run.js';
import type { Subject } from '../subjects.js';
import { drawCase } from '../values.js';
import { during, rowCheck } from './check.js';

// Nothing, one, a vector of each width (4, 8, 16 lanes; unrolled 2 and 4 times) and its neighbours, and more than a page.
const sizes = [0, 1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65, 127, 1027];
// Enough to be cut among threads and to go through the queue: once a row, references are slow.
const large = 70001;

/** The case with every tensor input one-dimensional of size n, or null where its values or dtypes tie it to its shape. */
export function resized(c: Case, n: number): Case | null {
  const tied = c.inputs.some(
    (x) =>
      typeof x !== 'number' && (x.values !== undefined || x.integers || x.dtype === 'int32' || x.dtype === 'uint8'),
  );
  if (tied || c.inputs.every((x) => typeof x === 'number')) return null;
  return { ...c, inputs: c.inputs.map((x) => (typeof x === 'number' ? x : { ...x, shape: [n] })) };
}

/** Whether results have the size of the inputs, or one element, whatever that size is: attributes must not fix it. */
function followsSize(op: Op<never>, c: Case): boolean {
  try {
    return [5, 7].every((n) => {
      const probe = resized(c, n);
      return (
        probe !== null &&
        inferred(op, drawCase(probe, 'float32', 0), c.attrs).every((m) => m.shape.every((s) => s === n || s === 1))
      );
    });
  } catch {
    return false;
  }
}

/** The cases of a row that can be stretched to any size, one for each choice of attributes and plain numbers. */
export function stretchable({ op, cases }: Subject): Case[] {
  if (op.view !== undefined || op.random || op.inputs.length === 0) return [];
  const seen = new Set<string>();
  return cases.filter((c) => {
    const key = JSON.stringify([c.attrs, c.inputs.map((x) => (typeof x === 'number' ? x : x.dtype))]);
    if (seen.has(key) || !followsSize(op, c)) return false;
    seen.add(key);
    return true;
  });
}

/** Whether the shape rule takes the case; a maximum over nothing, say, is refused. */
export function accepts(op: Op<never>, c: Case, seed: number): boolean {
  try {
    inferred(op, drawCase(c, 'float32', seed), c.attrs);
    return true;
  } catch {
    return false;
  }
}

/** Whether {@link stretchable} finds any. */
export const isStretchable = (subject: Subject): boolean => stretchable(subject).length > 0;

/** Every size around the vector widths, on memory that is aligned and that is not. */
export const sizesCheck = rowCheck(
  'sizes',
  'test',
  (subject, seed) => {
    const { op } = subject;
    for (const [nth, c] of stretchable(subject).entries()) {
      for (const n of nth === 0 ? [...sizes, large] : sizes) {
        const sized = resized(c, n) as Case;
        if (!accepts(op, sized, seed)) continue;
        const drawn = drawCase(sized, 'float32', seed);
        const expected = expectedOf(op, drawn, c.attrs);
        for (const layout of ['contiguous', 'offset', 'reversed'] as const) {
          during(`shape ${formatShape([n])}, ${layout}, attributes ${JSON.stringify(c.attrs)}`, () => {
            const inputs = operands(drawn, () => layout);
            const outputs = call(op, inputs, c.attrs);
            compareTensors(outputs, expected);
            disposeAll(inputs, outputs);
          });
        }
      }
    }
  },
  isStretchable,
);
