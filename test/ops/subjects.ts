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
  /** Calls of real networks, for measuring. */
  readonly perf?: readonly Case[];
}

interface Family {
  readonly cases?: Readonly<Record<string, readonly Case[]>>;
  readonly perf?: Readonly<Record<string, readonly Case[]>>;
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

function byRow(kind: 'cases' | 'perf'): Map<string, readonly Case[]> {
  const all = new Map<string, readonly Case[]>();
  for (const [family, lists] of families) {
    for (const [name, list] of Object.entries(lists[kind] ?? {})) {
      if (!ops().has(name)) throw new Error(`cases/${family}.ts: ${kind} of ${name}, which is not the name of a row`);
      if (all.has(name)) throw new Error(`cases/${family}.ts: ${kind} of ${name}, which another file has too`);
      all.set(name, list);
    }
  }
  return all;
}

/** All rows, by name. A row without cases has none to offer, and its tests fail. */
export function subjects(): ReadonlyMap<string, Subject> {
  const cases = byRow('cases');
  const perf = byRow('perf');
  return new Map([...ops()].map(([name, op]) => [name, { op, cases: cases.get(name) ?? [], perf: perf.get(name) }]));
}

/** The promised errors of all families. */
export function errorCases(): readonly { readonly family: string; readonly error: ErrorCase }[] {
  return [...families].flatMap(([family, { errors = [] }]) => errors.map((error) => ({ family, error })));
}
