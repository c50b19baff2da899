// `test`, `grad` and `leak`: the suite's checks on one op, or on all.
import type { Check } from '../checks/check.js';
import { checks } from '../checks/index.js';
import type { Subject } from '../subjects.js';

export interface CheckOptions {
  readonly seed: number;
  readonly case?: number;
}

function runOne(check: Check, subject: Subject, options: CheckOptions): boolean {
  const start = performance.now();
  try {
    check.run(subject, { seed: options.seed, only: options.case });
    console.log(`  ok      ${check.name.padEnd(16)} ${(performance.now() - start).toFixed(0).padStart(6)} ms`);
    return true;
  } catch (error) {
    console.log(`  FAILED  ${check.name}`);
    console.log(String((error as { stack?: string }).stack ?? error).replace(/^/gm, '    '));
    return false;
  }
}

/** Runs the checks of one command and says how each went; false when one failed. */
export function runChecks(command: Check['command'], subjects: readonly Subject[], options: CheckOptions): boolean {
  let passed = 0;
  let failed = 0;
  for (const subject of subjects) {
    const { op, cases } = subject;
    if (options.case !== undefined && cases[options.case] === undefined) {
      throw new RangeError(`${op.name} has cases 0 to ${cases.length - 1}, not ${options.case}`);
    }
    console.log(
      `${op.name}: ${options.case === undefined ? `${cases.length} cases` : `case ${options.case}`}, seed ${options.seed}`,
    );
    for (const check of checks) {
      if (check.command !== command || !check.applies(subject)) continue;
      if (runOne(check, subject, options)) passed++;
      else failed++;
    }
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0;
}
