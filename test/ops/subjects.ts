// What is tested: every declared row, with its cases.
import * as fs from 'node:fs';
import * as path from 'node:path';
import '../../lib/index.js';
import { type Op, ops } from '../../lib/define.js';
import type { Case, ErrorCase } from './case.js';

/** A row and its cases. */
export interface Subject {
  readonly op: Op<never>;
  readonly cases: readonly Case[];
}

interface Family {
  readonly cases?: Readonly<Record<string, readonly Case[]>>;
  readonly errors?: readonly ErrorCase[];
}

const folder = path.join(__dirname, 'cases');

const families: ReadonlyMap<string, Family> = new Map(
  fs
    .readdirSync(folder)
    .filter((file) => file.endsWith('.ts'))
    .sort()
    .map((file) => [file.slice(0, -3), require(path.join(folder, file)) as Family]),
);

function casesByRow(): Map<string, readonly Case[]> {
  const all = new Map<string, readonly Case[]>();
  for (const [family, { cases = {} }] of families) {
    for (const [name, list] of Object.entries(cases)) {
      if (!ops().has(name)) throw new Error(`cases/${family}.ts has cases for ${name}, which is not the name of a row`);
      if (all.has(name)) throw new Error(`cases/${family}.ts has cases for ${name}, which another file has too`);
      all.set(name, list);
    }
  }
  return all;
}

/** All rows, by name. A row without cases has none to offer, and its tests fail. */
export function subjects(): ReadonlyMap<string, Subject> {
  const cases = casesByRow();
  return new Map([...ops()].map(([name, op]) => [name, { op, cases: cases.get(name) ?? [] }]));
}

/** The promised errors of all families. */
export function errorCases(): readonly { readonly family: string; readonly error: ErrorCase }[] {
  return [...families].flatMap(([family, { errors = [] }]) => errors.map((error) => ({ family, error })));
}
