// What a benchmark is asked for is checked before anything is measured.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { checkWritable } from '../../benchmarks/files.js';
import { readReport } from '../../benchmarks/report/report.js';
import { temporaryFolder } from '../support/folder.js';
import { runPrepared } from '../support/prepared.js';

const root = join(__dirname, '..', '..');
const folder = temporaryFolder();

test('a file that can be written leaves nothing behind when it is tried', () => {
  const kept = folder.write('kept.json', 'old');
  checkWritable(kept);
  const file = folder.path('new/deep/report.json');
  checkWritable(file);
  expect(existsSync(file)).toBe(false);
  expect(readdirSync(dirname(file))).toEqual([]);
});

test('what cannot be written is named', () => {
  const below = join(folder.write('file', ''), 'report.json');
  expect(() => checkWritable(below)).toThrow(`${below} cannot be written: E`);
  const there = dirname(below.slice(0, -'/report.json'.length));
  expect(() => checkWritable(there)).toThrow(`${there} cannot be written: it is a folder`);
});

test('a report that cannot be read is named', () => {
  const there = dirname(folder.path('x'));
  expect(() => readReport(there)).toThrow(`${there}: no benchmark report: EISDIR`);
  expect(() => readReport(folder.path('none'))).toThrow(`${folder.path('none')}: no benchmark report: ENOENT`);
});

describe('npm run bench', () => {
  const bench = (...args: readonly string[]) => {
    const program = join(root, 'build', 'benchmarks', 'main.js');
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, '--peers', 'none', ...args], {
      cwd: root,
      encoding: 'utf8',
    });
    return { status, stdout, stderr };
  };

  test('measures nothing where no case fits', () => {
    const { status, stdout, stderr } = bench('--match', 'zzz');
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toBe('no case has such a group and name; --list shows them\n');
  });

  test('measures nothing where the report cannot be written', () => {
    const file = join(folder.write('plain', ''), 'report.json');
    const { status, stdout, stderr } = bench('--quick', '--json', file);
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toContain(`${file} cannot be written: `);
  });
});

test('help and mistakes in the arguments come before kernels are compiled', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const start = (script: string, ...args: string[]) =>
    runPrepared(folder, [...scripts[script].split(' ').slice(1), ...args]);
  for (const [script, args, message] of [
    ['bench', ['--only', 'nonsense'], /'nonsense' is invalid. groups are /],
    ['start', ['--epochs', '0'], /'0' is invalid\. Allowed are whole numbers from 1 to 10000\./],
    ['start', ['--out', join(folder.write('taken', ''), 'run')], /taken is a file\./],
  ] as const) {
    const { status, stdout, stderr } = start(script, ...args);
    expect(stderr).toMatch(message);
    expect([status, stdout]).toEqual([1, 'no kernels\n']);
  }
  for (const [script, usage] of [
    ['bench', 'bench'],
    ['start', 'npm start --'],
  ]) {
    const { status, stdout } = start(script, '--help');
    expect(stdout.split('\n').slice(0, 2)).toEqual(['no kernels', `Usage: ${usage} [options]`]);
    expect(status).toBe(0);
  }
});
