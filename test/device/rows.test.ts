// Every row that has CUDA kernels, through the whole engine: the same checks as on the CPU.
import './support.js';

import { setDefaultDevice } from '../../lib/index.js';
import { native } from '../../lib/native.js';
import { defaultSeed } from '../ops/checks/check.js';
import { forward } from '../ops/checks/forward.js';
import { layoutsCheck } from '../ops/checks/layouts.js';
import { random } from '../ops/checks/random.js';
import { sizesCheck } from '../ops/checks/sizes.js';
import { special } from '../ops/checks/special.js';
import { cudaRows } from '../ops/cli/support.js';
import { subjects } from '../ops/subjects.js';

beforeAll(() => setDefaultDevice('cuda'));
afterAll(() => setDefaultDevice('cpu'));

const seed = Number(process.env.ATHANOR_TEST_SEED ?? defaultSeed);
setDefaultDevice('cuda'); // opens the module, which the lists below ask
const ready = [...subjects()].filter(([, { op }]) => op.code >= 0 && native.kernels(op.code, 1).length > 0);
setDefaultDevice('cpu');

// Of these families alone, where a process each is wanted.
const families = process.env.ATHANOR_TEST_FAMILIES?.split(',');
const chosen = families === undefined ? null : cudaRows(families);

test('the support table lists the rows that have kernels here', () => {
  const rows = [...subjects().values()].filter(({ op }) => op.code >= 0);
  const listed = cudaRows();
  expect(ready.map(([name]) => name).sort()).toEqual(
    rows
      .map(({ op }) => op.name)
      .filter((n) => listed.has(n))
      .sort(),
  );
});

// One of them, where a process each is wanted.
const only = process.env.ATHANOR_TEST_CHECK;
const checks = [forward, random, layoutsCheck, sizesCheck, special].filter(
  ({ name }) => only === undefined || name === only,
);

for (const check of checks) {
  describe(check.name, () => {
    for (const [name, subject] of ready) {
      if (chosen !== null && !chosen.has(subject.op.name)) continue;
      if (check.applies(subject)) test(name, () => check.run(subject, { seed }));
    }
  });
}
