import * as fs from 'node:fs';
import * as path from 'node:path';
import { committedReport, documents } from '../../benchmarks/report/committed.js';
import { fillTables } from '../../benchmarks/report/markdown.js';
import { parseReport } from '../../benchmarks/report/report.js';

const root = path.join(__dirname, '..', '..');
const read = (name: string) => fs.readFileSync(path.join(root, name), 'utf8');

test.each(documents)('the tables of %s are those of the committed report (npm run bench:tables)', (name) => {
  const text = read(name);
  expect(text).toContain('<!-- bench table: ');
  expect(fillTables(text, parseReport(committedReport, read(committedReport)))).toBe(text);
});

test('the committed report holds no failure', () => {
  const { results } = parseReport(committedReport, read(committedReport));
  expect(results.flatMap((r) => r.failures)).toEqual([]);
});
