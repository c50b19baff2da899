import { spawnSync } from 'node:child_process';
import * as path from 'node:path';
import { fillTables, tableOf } from '../../benchmarks/report/markdown.js';
import { formatReport, parseReport } from '../../benchmarks/report/report.js';
import { pointsOf, roofLines } from '../../benchmarks/report/roofline-plot.js';
import { timingOf } from '../../benchmarks/timer.js';
import { report, result } from './report.js';

const full = report([
  result('matmul 64x64x64', 1e-5, {
    timings: { athanor: timingOf([1e-5], 1), torch: timingOf([3e-5], 1), 'torch-compile': timingOf([2e-5], 1) },
  }),
  result('train <it>', 1e-3, { group: 'jobs', roof: undefined }),
]);

test('a report survives being written and read', () => {
  expect(parseReport('x.json', formatReport(full))).toEqual(JSON.parse(formatReport(full)));
});

test.each([
  ['no JSON', 'nonsense', /x\.json: no benchmark report: /],
  ['another format', '{}', /its format is another one/],
  ['another version', formatReport({ ...full, version: 99 as never }), /version 99, this program reads 1/],
  [
    'no roofs',
    formatReport({ ...full, machine: { ...full.machine, compute: undefined as never } }),
    /roofs are missing/,
  ],
  ['a result without time', formatReport(report([result('a', 0)])), /a, athanor: a timing lacks one of median/],
])('%s is told', (_, text, message) => {
  expect(() => parseReport('x.json', text)).toThrow(message);
});

test('tables show time, roof, and the ratio of each peer', () => {
  const table = tableOf('gemm', full) as string;
  expect(table).toMatch(/\| case +\| +time \| +rate \| +roof \| torch \| torch-compile \|/);
  expect(table).toMatch(
    /\| matmul 64x64x64 \| 10\.0 us ±0 % \| 100 GFLOP\/s \| 50\.0 % of compute \| 3\.00x \| +2\.00x \|/,
  );
  // The best of a peer's ways counts.
  expect(tableOf('summary', full)).toMatch(/\| gemm +\| +1 \| +50\.0 % \| +2\.00x of 1 \|/);
  expect(tableOf('roofs', full)).toMatch(/avx2 f32 multiply-add, GFLOP\/s \| +200 \| +400 \|/);
  expect(tableOf('nothing', full)).toBeUndefined();
});

test('tables are put between their markers, again and again', () => {
  const text = 'a\n<!-- bench table: jobs -->\n<!-- end of bench table -->\nb\n';
  const once = fillTables(text, full);
  expect(once).toContain('| train <it> |');
  expect(fillTables(once, full)).toBe(once);
  expect(() => fillTables(text.replace('jobs', 'nothing'), full)).toThrow('no table is called nothing');
});

test('kernels are points at intensity and rate; roofs meet at the ridge', () => {
  expect(pointsOf(full.results)).toEqual([
    { group: 'gemm', name: 'matmul 64x64x64', intensity: 10, rate: expect.closeTo(100, 6) },
  ]);
  const { memory, compute } = roofLines(full.machine, 0.1, 100);
  expect(compute).toEqual([{ label: 'f32 avx2 400 GFLOP/s', from: [0.4, 400], to: [100, 400] }]);
  const dram = memory.find(({ label }) => label.startsWith('DRAM'));
  expect(dram).toEqual({ label: 'DRAM 50 GB/s', from: [0.1, 5], to: [8, 400] });
});

test('the page escapes names and warns of a busy machine', () => {
  // In a process of its own: the plot comes from a package of ES modules, which jest cannot load.
  const page = path.join(__dirname, '..', '..', 'build', 'benchmarks', 'report', 'html.js');
  const program = `require(${JSON.stringify(page)}).htmlPage(JSON.parse(process.argv[1])).then((html) => console.log(html))`;
  const given = JSON.stringify({ ...full, busy: 'others work' });
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', program, given], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(stdout).toContain('train &#60;it&#62;');
  expect(stdout).not.toContain('<it>');
  expect(stdout).toContain('The machine was busy: others work');
  expect(stdout).toMatch(/<svg [\s\S]*matmul 64x64x64[\s\S]*<\/svg>/);
});
