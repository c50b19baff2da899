import { getNumThreads, setNumThreads } from '../../../lib/index.js';
import { native } from '../../../lib/native.js';
import { compareTensors, expectedOf } from '../reference.js';
import { call, disposeAll, dtypesFor, operands } from '../run.js';
import type { Subject } from '../subjects.js';
import { drawCase } from '../values.js';
import { during, rowCheck } from './check.js';

const doesNotFit = /the forced kernel .* does not fit/;

/** Runs `body` with one kernel of the row as the only choice. False when it does not fit the call. */
export function forced(code: number, kernel: number, body: () => void): boolean {
  native.forceKernel(code, kernel);
  try {
    body();
    return true;
  } catch (error) {
    if (doesNotFit.test((error as { message: string }).message)) return false;
    throw error;
  } finally {
    native.forceKernel(code, -1);
  }
}

const hasKernels = ({ op }: Subject): boolean => op.code >= 0 && !op.random;

/**
 * Each kernel of the row gives the right results wherever it fits, on one thread and on several, on dense and on
 * transposed inputs. A kernel that fits none of the cases is an error: it would go untested.
 */
export const kernels = rowCheck(
  'kernels',
  'test',
  ({ op, cases }, seed) => {
    const threads = getNumThreads();
    try {
      native.kernels(op.code).forEach((name, k) => {
        let fitted = 0;
        for (const count of [1, 3]) {
          setNumThreads(count);
          cases.forEach((c, index) => {
            for (const dtype of dtypesFor(op, c, seed)) {
              for (const layout of ['contiguous', 'transposed'] as const) {
                const drawn = drawCase(c, dtype, seed);
                const inputs = operands(drawn, () => layout);
                const ran = during(`kernel ${name}, case ${index}, ${dtype}, ${layout}, ${count} threads`, () =>
                  forced(op.code, k, () => {
                    const outputs = call(op, inputs, c.attrs);
                    compareTensors(outputs, expectedOf(op, drawn, c.attrs));
                    disposeAll(outputs);
                  }),
                );
                if (ran) fitted++;
                disposeAll(inputs);
              }
            }
          });
        }
        if (fitted === 0)
          throw new Error(`kernel ${name} fits none of the ${cases.length} cases: add one that it fits`);
      });
    } finally {
      setNumThreads(threads);
    }
  },
  hasKernels,
);
