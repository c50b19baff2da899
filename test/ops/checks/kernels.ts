import { getNumThreads, setNumThreads } from '../../../lib/index.js';
import { native } from '../../../lib/native.js';
import { compareTensors, expectedOf } from '../reference.js';
import { call, disposeAll, dtypesFor, operands } from '../run.js';
import type { Subject } from '../subjects.js';
import { drawCase } from '../values.js';
import { during, rowCheck } from './check.js';

const threadCounts = [1, 3];
const inLayouts = ['contiguous', 'transposed'] as const;
const doesNotFit = /the forced kernel .* does not fit/;

/** Runs `body` with one kernel of the row, on a device, as the only choice. False when it does not fit the call. */
export function forced(code: number, kernel: number, body: () => void, device = 0): boolean {
  native.forceKernel(code, kernel, device);
  try {
    body();
    return true;
  } catch (error) {
    if (doesNotFit.test((error as { message: string }).message)) return false;
    throw error;
  } finally {
    native.forceKernel(code, -1, device);
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
    const calls = cases.flatMap((c, index) =>
      dtypesFor(op, c, seed).map((dtype) => {
        const drawn = drawCase(c, dtype, seed);
        return { drawn, attrs: c.attrs, expected: expectedOf(op, drawn, c.attrs), name: `case ${index}, ${dtype}` };
      }),
    );
    const variants = threadCounts.flatMap((threads) => inLayouts.map((layout) => ({ threads, layout })));
    const before = getNumThreads();
    try {
      native.kernels(op.code).forEach((name, k) => {
        let fitted = 0;
        for (const { threads, layout } of variants) {
          setNumThreads(threads);
          for (const one of calls) {
            const inputs = operands(one.drawn, () => layout);
            const ran = during(`kernel ${name}, ${one.name}, ${layout}, ${threads} threads`, () =>
              forced(op.code, k, () => {
                const outputs = call(op, inputs, one.attrs);
                compareTensors(outputs, one.expected);
                disposeAll(outputs);
              }),
            );
            if (ran) fitted++;
            disposeAll(inputs);
          }
        }
        if (fitted === 0)
          throw new Error(`kernel ${name} fits none of the ${cases.length} cases: add one that it fits`);
      });
    } finally {
      setNumThreads(before);
    }
  },
  hasKernels,
);
