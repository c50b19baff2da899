// What all checks of the suite have in common: they run over a row's cases and say how to repeat what failed.
import type { Case } from '../case.js';
import type { Subject } from '../subjects.js';

/** What to run of a row. */
export interface Selection {
  readonly seed: number;
  /** The one case to run; all when absent. */
  readonly only?: number;
}

/** One property that every row must have. */
export interface Check {
  readonly name: string;
  /** The command of `npm run ops` that runs it. */
  readonly command: 'test' | 'grad' | 'leak';
  /** Whether there is anything to check: a view has no kernels, say. */
  readonly applies: (subject: Subject) => boolean;
  /** Throws where the row lacks it. */
  readonly run: (subject: Subject, selection: Selection) => void;
}

export const defaultSeed = 1;

function failure(error: unknown, where: string, repeat: string): Error {
  const cause = error as { message?: string };
  const wrapped = new Error(`${where}: ${cause?.message ?? String(error)}\n  repeat: ${repeat}`);
  // The stack of the mistake itself leads further than that of its report.
  const at = (error as { stack?: string })?.stack?.split('\n').filter((line) => line.startsWith('    at '));
  if (at !== undefined) wrapped.stack = [`Error: ${wrapped.message}`, ...at].join('\n');
  return wrapped;
}

type Applies = Check['applies'];

const always: Applies = () => true;

function requireCases({ op, cases }: Subject): void {
  if (cases.length === 0) throw new Error(`${op.name}: the row has no cases; write some in test/ops/cases/`);
}

/** A check that looks at the row as a whole. */
export function rowCheck(
  name: string,
  command: Check['command'],
  body: (subject: Subject, seed: number) => void,
  applies = always,
): Check {
  return {
    name,
    command,
    applies,
    run(subject, { seed }) {
      const row = subject.op.name;
      requireCases(subject);
      try {
        body(subject, seed);
      } catch (error) {
        throw failure(error, `${row}, ${name}`, `npm run ops -- ${command} -o ${row} --seed ${seed}`);
      }
    },
  };
}

/** A check that looks at one case after the other. */
export function caseCheck(
  name: string,
  command: Check['command'],
  body: (subject: Subject, c: Case, seed: number) => void,
  applies = always,
): Check {
  return {
    name,
    command,
    applies,
    run(subject, { seed, only }) {
      const row = subject.op.name;
      requireCases(subject);
      subject.cases.forEach((c, index) => {
        if (only !== undefined && index !== only) return;
        try {
          body(subject, c, seed);
        } catch (error) {
          const repeat = `npm run ops -- ${command} -o ${row} --case ${index} --seed ${seed}`;
          throw failure(error, `${row}, ${name}, case ${index}`, repeat);
        }
      });
    },
  };
}

/** Runs `body`, adding to its error what it was about. */
export function during<R>(what: string, body: () => R): R {
  try {
    return body();
  } catch (error) {
    const wrapped = new Error(`${what}: ${(error as { message?: string })?.message ?? error}`);
    wrapped.stack = (error as { stack?: string })?.stack;
    throw wrapped;
  }
}
