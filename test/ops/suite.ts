import { type Check, defaultSeed } from './checks/check.js';
import { subjects } from './subjects.js';

/** One test for each row that a check applies to; that rows have cases is asked in rows.test.ts. ATHANOR_TEST_SEED draws other inputs. */
export function everyRow(...checks: readonly Check[]): void {
  const seed = Number(process.env.ATHANOR_TEST_SEED ?? defaultSeed);
  for (const check of checks) {
    describe(check.name, () => {
      for (const [name, subject] of subjects()) {
        if (subject.cases.length > 0 && check.applies(subject)) test(name, () => check.run(subject, { seed }));
      }
    });
  }
}
