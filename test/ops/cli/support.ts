// `support`: what each public op can do, as the rows and the checks say it.
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Meta, Op } from '../../../lib/define.js';
import { type DType, dtypes } from '../../../lib/dtype.js';
import * as athanor from '../../../lib/index.js';
import { native } from '../../../lib/native.js';
import type { Case } from '../case.js';
import { defaultSeed } from '../checks/check.js';
import { notDifferentiable } from '../checks/gradient.js';
import { dtypesFor } from '../run.js';
import type { Subject } from '../subjects.js';
import { drawCase } from '../values.js';

const root = path.resolve(__dirname, '..', '..', '..');
const begin = '<!-- support table: npm run ops -- support --write -->';
const end = '<!-- end of support table -->';

/** The rows with kernels for CUDA, as the sources say it: what the lists name, and the lines of ops.def of the kinds that they take whole. */
export function cudaRows(families?: readonly string[]): Set<string> {
  const folder = path.join(root, 'native', 'cuda');
  const files = fs.readdirSync(folder).filter((name) => name.endsWith('.cu'));
  const table = fs.readFileSync(path.join(root, 'native', 'ops.def'), 'utf8');
  const found = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, name]) => name);
  const rows = files
    .filter((name) => families === undefined || families.includes(name.slice(0, -3)))
    .flatMap((name) => {
      const text = fs.readFileSync(path.join(folder, name), 'utf8');
      const kinds = new Set(found(text, /^#define ([A-Z][A-Z_0-9]*)\(name\b/gm));
      // A kind that a file does not take itself may fall back to one that it does.
      for (const [, kind, other] of table.matchAll(/^#define (\w+)\(name\b.*\) (\w+)\(name\b/gm))
        if (kinds.has(other)) kinds.add(kind);
      const lines = [...kinds].flatMap((kind) => found(table, new RegExp(`^${kind}\\((\\w+), .*\\)$`, 'gm')));
      return [...found(text, /\bATHANOR_OP\((\w+),/g), ...lines];
    });
  return new Set(rows);
}

const isPublic = (name: string) => name in athanor || name in athanor.Tensor.prototype;

/** Whether a row without inputs can give a dtype. */
function makes(op: Op<never>, { attrs }: Case, dtype: DType): boolean {
  try {
    return [op.infer([], { ...(attrs as object), dtype } as never)].flat().some((m) => (m as Meta).dtype === dtype);
  } catch {
    return false;
  }
}

/** The dtypes that one case or another of the row is run with. */
function supported({ op, cases }: Subject): Set<DType> {
  const found = new Set<DType>();
  for (const c of cases) {
    for (const dtype of dtypesFor(op, c, defaultSeed)) {
      for (const x of drawCase(c, dtype, defaultSeed)) if (typeof x !== 'number') found.add(x.dtype);
      if (c.inputs.length === 0) for (const d of Object.keys(dtypes) as DType[]) if (makes(op, c, d)) found.add(d);
    }
  }
  return found;
}

function gradientOf({ op, cases }: Subject): string {
  if (!op.differentiable) return '';
  if (op.jointVjp === null && (op.vjp as readonly unknown[]).every((rule) => typeof rule !== 'function')) return '0';
  return cases.some((c) => notDifferentiable(op, c, drawCase(c, 'float64', defaultSeed)) === null) ? 'yes' : '';
}

/** One line for each row: its name, dtypes, gradient, whether it runs on CUDA; with `kernels` also how it can be computed on this machine. */
export function supportTable(subjects: Iterable<Subject>, kernels = false): string {
  const names = Object.keys(dtypes) as DType[];
  const cuda = cudaRows();
  const head = ['op', ...names, 'gradient', 'second gradient', 'CUDA', ...(kernels ? ['kernels'] : [])];
  const rows = [...subjects]
    .sort((a, b) => (a.op.name < b.op.name ? -1 : 1))
    .map((subject) => {
      const { op } = subject;
      const found = supported(subject);
      const gradient = gradientOf(subject);
      return [
        `\`${op.name}\``,
        ...names.map((d) => (found.has(d) ? 'yes' : '')),
        gradient,
        gradient,
        op.code < 0 || cuda.has(op.name) ? 'yes' : '',
        ...(kernels ? [kernelsOf(op)] : []),
      ];
    });
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)));
  const line = (cells: readonly string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`;
  return [line(head), line(widths.map((w) => '-'.repeat(w))), ...rows.map(line)].join('\n');
}

function kernelsOf(op: Op<never>): string {
  return op.code < 0 ? 'view' : native.kernels(op.code).join(', ');
}

export function publicSubjects(subjects: Iterable<Subject>): Subject[] {
  return [...subjects].filter(({ op }) => isPublic(op.name));
}

/** The documents that hold the table, each with its text as it is and as it should be. */
export function documents(subjects: Iterable<Subject>): { file: string; is: string; should: string }[] {
  const table = supportTable(publicSubjects(subjects));
  return ['README.md', 'docs/ops.md'].flatMap((name) => {
    const file = path.join(root, name);
    if (!fs.existsSync(file)) return [];
    const is = fs.readFileSync(file, 'utf8');
    const from = is.indexOf(begin);
    const to = is.indexOf(end);
    if (from < 0 || to < from) return [];
    return [{ file, is, should: `${is.slice(0, from)}${begin}\n\n${table}\n\n${is.slice(to)}` }];
  });
}

/** Brings the table in the documents up to date. */
export function writeSupport(subjects: Iterable<Subject>): void {
  for (const { file, is, should } of documents(subjects)) {
    if (is !== should) fs.writeFileSync(file, should);
    console.log(`${path.relative(root, file)}: ${is === should ? 'is up to date' : 'written'}`);
  }
}
