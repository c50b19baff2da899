// What a process is told from outside, and what it tells when it ends: each case is a process of its own.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { temporaryFolder } from '../support/folder.js';

const root = join(__dirname, '..', '..');
const folder = temporaryFolder();
const library = JSON.stringify(join(root, 'lib', 'index.ts'));

function run(body: string, env: NodeJS.ProcessEnv = {}) {
  const program = folder.write('program.js', `const athanor = require(${library});\n${body}\n`);
  const hook = join(root, 'scripts', 'lib', 'swc-register.js');
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-r', hook, program], {
    cwd: root,
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  return { status, stdout: stdout.trim(), stderr };
}

const report = `console.log(JSON.stringify([
  athanor.memory().limitBytes, athanor.getNumThreads(), athanor.info().synchronous]))`;

describe('environment variables', () => {
  test('are read', () => {
    const env = { ATHANOR_MEMORY_LIMIT: '512M', ATHANOR_NUM_THREADS: '3', ATHANOR_SYNC: '1' };
    expect(JSON.parse(run(report, env).stdout)).toEqual([512 * 2 ** 20, 3, true]);
  });

  test('that are empty are as good as none', () => {
    const none = { ATHANOR_MEMORY_LIMIT: '', ATHANOR_NUM_THREADS: '', ATHANOR_SYNC: '' };
    const [limit, threads, synchronous] = JSON.parse(run(report, none).stdout);
    expect([limit, synchronous]).toEqual([0, false]);
    expect(threads).toBeGreaterThanOrEqual(1);
  });

  test.each([
    ['ATHANOR_MEMORY_LIMIT', 'abc', 'bytes were expected, such as 500000000, 500M or 2G'],
    ['ATHANOR_MEMORY_LIMIT', '1.5G', 'bytes were expected, such as 500000000, 500M or 2G'],
    ['ATHANOR_NUM_THREADS', '0', 'a whole number from 1 to 1024 was expected'],
    ['ATHANOR_NUM_THREADS', '1.5', 'a whole number from 1 to 1024 was expected'],
    ['ATHANOR_SYNC', 'on', '1 or 0 was expected'],
    ['ATHANOR_DEVICE_CACHE', 'no', '1 or 0 was expected'],
  ])('%s=%s is refused', (name, value, wrong) => {
    const { status, stderr } = run(report, { [name]: value });
    expect(status).toBe(1);
    expect(stderr).toContain(`AthanorError: ${name}: ${wrong}: '${value}'`);
  });
});

describe('a failure that nothing waited for', () => {
  const told =
    /^athanor: the program ended with a failure that nothing had waited for\nindexSelect: index 5000 is out of/;
  // More work than is done by the time the program's last line has run.
  const lose = `
    const w = athanor.ones([3000, 64]);
    const busy = athanor.ones([700, 700]);
    busy.matmul(busy).matmul(busy);
    w.indexSelect(0, athanor.full([20000], 5000, { dtype: 'int32' })).sum();`;

  test('is told when the program has come to its end', () => {
    const { status, stdout, stderr } = run(`${lose} console.log('done');`);
    expect(stdout).toBe('done');
    expect(stderr).toMatch(told);
    expect(stderr).toMatch(/called at .*program\.js:\d+/);
    expect(status).toBe(1);
  });

  test('is told when it has been found by the time process.exit() is called', () => {
    const { status, stderr } = run(`${lose} setTimeout(() => process.exit(), 1500);`);
    expect(stderr).toMatch(told);
    expect(status).toBe(1);
  });

  test("leaves the program's own exit code", () => {
    expect(run(`${lose} process.exitCode = 7;`)).toMatchObject({ status: 7, stderr: expect.stringMatching(told) });
  });

  test('is told once', () => {
    const { status, stderr } = run(`${lose} try { athanor.synchronize() } catch (e) { console.error(e.message) }`);
    expect(stderr).toMatch(/^indexSelect: index 5000/);
    expect(stderr).not.toContain('the program ended');
    expect(status).toBe(0);
  });

  test('of a worker is told by the worker', () => {
    const { stdout, stderr } = run(`
      const { isMainThread, Worker } = require('node:worker_threads');
      if (isMainThread) new Worker(__filename).on('exit', (code) => console.log('exit code', code));
      else { ${lose} }`);
    expect(stderr).toMatch(told);
    expect(stdout).toBe('exit code 1');
  });

  test('a program without one ends as ever', () => {
    expect(run('athanor.ones([1000, 1000]).exp();')).toEqual({ status: 0, stdout: '', stderr: '' });
  });
});
