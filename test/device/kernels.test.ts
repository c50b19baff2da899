// Every kernel of every row, where it fits and not only where it is the fastest. What fits in tf32 alone is in
// precision.test.ts.
import './support.js';

import { setDefaultDevice } from '../../lib/index.js';
import { native } from '../../lib/native.js';
import { defaultSeed } from '../ops/checks/check.js';
import { forced } from '../ops/checks/kernels.js';
import { compareTensors, expectedOf } from '../ops/reference.js';
import { call, disposeAll, dtypesFor, operands } from '../ops/run.js';
import { type Subject, subjects } from '../ops/subjects.js';
import { drawCase } from '../ops/values.js';

const seed = Number(process.env.ATHANOR_TEST_SEED ?? defaultSeed);
const cuda = 1;
setDefaultDevice('cuda'); // opens the module, which the list below asks
const several = [...subjects().values()].filter(
  ({ op }) => op.code >= 0 && !op.random && native.kernels(op.code, cuda).length > 1,
);
setDefaultDevice('cpu');

beforeAll(() => setDefaultDevice('cuda'));
afterAll(() => setDefaultDevice('cpu'));

/** How many cases each kernel has taken. */
function run({ op, cases }: Subject): Map<string, number> {
  const taken = new Map(native.kernels(op.code, cuda).map((name) => [name, 0]));
  for (const one of cases) {
    for (const dtype of dtypesFor(op, one, seed)) {
      const drawn = drawCase(one, dtype, seed);
      const expected = expectedOf(op, drawn, one.attrs);
      const inputs = operands(drawn, () => 'contiguous');
      [...taken.keys()].forEach((name, k) => {
        const compare = () => {
          const outputs = call(op, inputs, one.attrs);
          compareTensors(outputs, expected);
          disposeAll(outputs);
        };
        if (forced(op.code, k, compare, cuda)) taken.set(name, (taken.get(name) ?? 0) + 1);
      });
      disposeAll(inputs);
    }
  }
  return taken;
}

/** Kernels that take float32 only where it may be rounded. */
const inTf32 = ['mma', 'sm80'];

test.each(several.map((subject) => [subject.op.name, subject] as const))('%s', (_, subject) => {
  const idle = [...run(subject)].filter(([name, count]) => count === 0 && !inTf32.includes(name));
  expect(idle).toEqual([]);
});
