// `npm run gpu` on the simulator in place of a GPU, in ways that a first meeting with one may take: the peer is not there, the
// sanitizer is a stand-in, time runs out, memory does, the device breaks, somebody presses Ctrl-C.
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { temporaryFolder } from '../support/folder';

const root = path.resolve(__dirname, '../..');
const folder = temporaryFolder();
const simulated = path.join(root, 'build/cmake/athanor_cuda_simulated.so');
/** Programs that a GPU machine has: one that tells the driver, and a sanitizer that runs its arguments. */
const tools = folder.path('tools');
fs.mkdirSync(tools);
const program = (name: string, body: string) => fs.writeFileSync(path.join(tools, name), body, { mode: 0o755 });
program('nvidia-smi', '#!/bin/sh\necho 580.00\n');
program(
  'compute-sanitizer',
  `#!/bin/sh
[ "$1" = --version ] && exec echo stand-in
while [ "\${1#--}" != "$1" ]; do shift 2; done
exec "$@"
`,
);

interface End {
  readonly status: number | null;
  readonly text: string;
}

/** Runs the script to its end; `then` may do something to it when it says what `on` matches. */
function gpu(args: readonly string[], env: NodeJS.ProcessEnv = {}, on?: RegExp, signal?: NodeJS.Signals): Promise<End> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [path.join(root, 'scripts/gpu.js'), ...args], {
      env: {
        ...process.env,
        PATH: `${tools}:${process.env.PATH}`,
        ATHANOR_GPU_BUILT: '1',
        ATHANOR_COMMIT: 'c0ffee',
        ATHANOR_CUDA_MODULE: simulated,
        PYTHON: '/nonexistent/python',
        ...env,
      },
    });
    let text = '';
    let sent = false;
    const read = (chunk: Buffer) => {
      text += chunk;
      if (sent || on === undefined || !on.test(text)) return;
      sent = true;
      child.kill(signal);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.on('close', (status) => resolve({ status, text }));
  });
}

const readJson = (file: string) => JSON.parse(fs.readFileSync(file, 'utf8'));
const overhead = ['--quick', '--only', 'exact', '--groups', 'overhead'];
const patience = 180_000;

test('help and wrong options', async () => {
  const help = await gpu(['--help']);
  expect(help.text).toMatch(/^`npm run gpu`: .*--only PARTS.*--help .*exits with 0\.\n$/s);
  expect(help.status).toBe(0);
  const refused = [
    [['--nonsense'], /^athanor: Unknown option '--nonsense'.*; --help says more\n$/],
    [['--only', 'roofs,nonsense'], /^athanor: no such part: nonsense; there are tests, /],
    [['--minutes', 'x'], /^athanor: --minutes must be a number above 0: "x"\n$/],
  ] as const;
  for (const [args, message] of refused) {
    const { status, text } = await gpu(args);
    expect(text).toMatch(message);
    expect(status).toBe(1);
  }
}, 60_000);

test('without a GPU it says so, writes nothing and is no failure', async () => {
  const file = folder.path('none.json');
  const { status, text } = await gpu(['--json', file], { ATHANOR_SIMULATED_REASON: 'no driver is installed' });
  expect(text).toBe('skipped: no GPU\nreason: no driver is installed\n');
  expect(status).toBe(0);
  expect(fs.existsSync(file)).toBe(false);
}, 60_000);

test('wrong options are refused before anything runs', async () => {
  expect((await gpu(['--only', 'speed'])).text).toContain(
    'no such part: speed; there are tests, training, roofs, exact',
  );
  expect((await gpu(['--minutes', 'ten'])).text).toContain('--minutes must be a number above 0: "ten"');
  expect(await gpu(['--fast'])).toMatchObject({ status: 1, text: expect.stringContaining("'--fast'") });
  expect((await gpu(['--merge', '/nonexistent/a.json'])).text).toContain('there is no /nonexistent/a.json');
}, 60_000);

test(
  'roofs, a sanitizer and benchmarks without a peer come together in one file, with the ladder',
  async () => {
    const file = folder.path('parts.json');
    const { status, text } = await gpu(['--quick', '--only', 'roofs,sanitizer', '--json', file]);
    expect(text).toMatch(/memcheck softmax, forward: nothing, 4 tests\n/);
    expect(text).toMatch(/racecheck softmax, forward: nothing, 4 tests\n/);
    expect(text).toMatch(/3 passed, 0 failed\n$/);
    expect(status).toBe(0);
    const measured = await gpu([...overhead, '--json', file]);
    expect(measured.text).toContain('there was no peer: torch: cannot run /nonexistent/python');
    expect(measured.status).toBe(0);
    const report = readJson(file);
    expect(report).toMatchObject({ commit: 'c0ffee', driver: '580.00', sanitizer: expect.anything() });
    expect(report.roofs.compute.map((c: { kind: string }) => c.kind)).toEqual(['f32', 'f64', 'bf16', 'tf32']);
    const { results, peers, seconds } = report.benchmarks.exact;
    expect(peers).toEqual([
      { name: 'torch', reason: 'cannot run /nonexistent/python', install: 'pip install torch numpy' },
    ]);
    for (const { timings, roof } of results) {
      expect(timings.athanor.median).toBeGreaterThan(0);
      expect(roof.time).toBeGreaterThan(0);
    }
    expect(report.ladder).toHaveLength(10);

    // What is there is not run again, and nothing is counted twice.
    const again = await gpu([...overhead, '--json', file, '--resume']);
    expect(again.text).toContain(`0 cases, ${results.length} are there`);
    const { exact } = readJson(file).benchmarks;
    expect(exact.results).toEqual(results);
    expect(exact.seconds).toBeLessThan(2 * seconds + 10);

    // A report of another commit is not mixed with it.
    const other = folder.path('other.json');
    fs.writeFileSync(other, JSON.stringify({ ...report, commit: 'decaf' }));
    const merged = await gpu(['--merge', `${file},${other}`, '--json', folder.path('merged.json')]);
    expect(merged.text).toContain(`${other} cannot be merged: results of another commit: c0ffee, not decaf`);
    expect(merged.status).toBe(1);
    expect(fs.existsSync(folder.path('merged.json'))).toBe(false);
  },
  patience,
);

test(
  'time that is over ends it with what was found',
  async () => {
    const file = folder.path('late.json');
    const { status, text } = await gpu(['--only', 'roofs,exact,sanitizer', '--minutes', '0.01', '--json', file]);
    expect(text).toMatch(/no time is left for exact/);
    expect(text).toMatch(/no time is left for sanitizer/);
    expect(text).toMatch(/\n0 passed, 0 failed, 3 skipped\n$/);
    expect(status).toBe(0);
    expect(readJson(file).roofs).toBeUndefined();
  },
  patience,
);

test(
  'Ctrl-C ends it and keeps what was measured',
  async () => {
    const file = folder.path('stopped.json');
    const args = ['--only', 'exact', '--groups', 'overhead', '--json', file];
    const { status, text } = await gpu(args, {}, /\nadd of 16 floats +\d/, 'SIGINT');
    expect(status).toBe(130);
    expect(text).toContain('interrupted');
    expect(readJson(file).benchmarks.exact.results[0].name).toBe('add of 16 floats');
  },
  patience,
);

test(
  'a device that breaks fails the case, and a new process goes on with the next',
  async () => {
    const file = folder.path('broken.json');
    const { status, text } = await gpu([...overhead, '--json', file], { ATHANOR_SIMULATED_FAULT: '3000' });
    expect(text).toContain('the device was lost; going on in a new process');
    expect(status).toBe(1);
    const { results } = readJson(file).benchmarks.exact;
    expect(results).toHaveLength(4);
    expect(results.flatMap((r: { failures: string[] }) => r.failures).join('\n')).toMatch(/illegal memory access/);
  },
  patience,
);

test(
  'memory that runs out fails the case, and the run goes on',
  async () => {
    const file = folder.path('full.json');
    const main = path.join(root, 'build/benchmarks/main.js');
    const args = ['--device', 'cuda', '--quick', '--peers', 'none', '--match', 'matmul 1x', '--json', file];
    const env = { ...process.env, ATHANOR_CUDA_MODULE: simulated, ATHANOR_SIMULATED_MEMORY: String(50 << 20) };
    await new Promise((resolve) => spawn(process.execPath, [main, ...args], { env }).on('close', resolve));
    const { results } = readJson(file);
    const failures: string[][] = results.map((r: { failures: string[] }) => r.failures);
    expect(failures.flat().join('\n')).toMatch(/out of memory on cuda:0: \d+ bytes were asked for/);
    expect(failures.some((list) => list.length === 0)).toBe(true);
  },
  patience,
);
