'use strict';
// `npm run gpu`: what only a machine with a GPU can show. It builds what is missing, or takes what was built elsewhere
// (ATHANOR_GPU_BUILT=1, for a machine that has no compiler), and then runs these parts:
//   tests       test/device against the real module in place of the simulator, a file at a time
//   training    the example, on the CPU and on the GPU, to the same accuracy
//   sanitizer   the forward tests once more under compute-sanitizer (memcheck), where that is installed
//   roofs       what the GPU's arithmetic units and its memory can do
//   exact       benchmarks on it beside PyTorch, float32 products as the CPU rounds them
//   tf32        the same of what tensor cores may take
// Options:
//   --only PARTS     some of these, with commas between
//   --groups GROUPS  of the benchmarks, in place of all that the ladder needs
//   --minutes N      the time for all of it: what has no time left is not begun, what is not done by then is ended
//   --json FILE      in place of benchmarks/results/gpu.json
//   --merge FILES    no GPU: brings reports of parts together, with commas between
// A part's results are added to the file as soon as they are there, with the date, the commit (where there is no
// history, ATHANOR_COMMIT or what the bundle says), the GPU's name and, when both precisions are in it, the ladder.
// Without a GPU it prints `skipped: no GPU` and why, and exits with 0.
const fs = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { spawnSync } = require('node:child_process');
const { prepare } = require('./lib/prepare.js');
const { root, fail, say, firstLine, packageFile } = require('./lib/run.js');
const { NONE, add, finish } = require('./lib/counts.js');
const { runJest } = require('./lib/suites.js');
const { readReport, writeReport, mergeReports } = require('./lib/gpu-report.js');

/** Accuracies of two trainings that round differently may differ by this much. */
const ACCURACY = 0.005;
const LADDER = {
  exact: 'gemm,conv,elementwise,reduce,softmax,norm,optim,jobs',
  tf32: 'gemm,conv,jobs',
};
/** The checks of test/device/rows.test.ts. */
const CHECKS = ['forward', 'random', 'layouts', 'sizes', 'special'];
const PARTS = ['tests', 'training', 'sanitizer', 'roofs', ...Object.keys(LADDER)];

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: PARTS.join(',') },
    groups: { type: 'string' },
    minutes: { type: 'string' },
    json: { type: 'string', default: 'benchmarks/results/gpu.json' },
    merge: { type: 'string' },
  },
});
const wanted = options.only.split(',');
const unknown = wanted.filter((part) => !PARTS.includes(part));
if (unknown.length > 0) fail(`no such part: ${unknown.join(', ')}; there are ${PARTS.join(', ')}`);
const minutes = options.minutes === undefined ? Number.POSITIVE_INFINITY : Number(options.minutes);
if (!(minutes > 0)) fail(`--minutes must be a number above 0: "${options.minutes}"`);
const deadline = Date.now() + minutes * 60e3;
const target = path.resolve(root, options.json);

/** Puts the ladder into a report that has what it is made of. */
function withLadder(report) {
  const { exact, tf32 } = report.benchmarks ?? {};
  if (exact === undefined || tf32 === undefined) return report;
  const { ladderOf } = require('../build/benchmarks/report/ladder.js');
  return { ...report, ladder: ladderOf(exact, tf32) };
}

function printLadder(report) {
  if (report.ladder === undefined) return;
  const { ladderLines } = require('../build/benchmarks/report/ladder.js');
  console.log(ladderLines(report.ladder).join('\n'));
}

if (options.merge !== undefined) {
  prepare({ native: null });
  const files = options.merge.split(',');
  const merged = withLadder(files.map((file) => readReport(path.resolve(file))).reduce(mergeReports, {}));
  printLadder(merged);
  writeReport(target, merged);
  say(`${files.length} reports are in ${path.relative(root, target)}`);
  process.exit(0);
}

if (!process.env.ATHANOR_GPU_BUILT) prepare();
const { devices } = require('../dist/index.js');
const found = devices().filter(({ device }) => device !== 'cpu');
const gpus = found.filter(({ available }) => available);
if (gpus.length === 0) {
  console.log('skipped: no GPU');
  console.log(`reason: ${found[0]?.reason}`);
  process.exit(0);
}

const places = ['build/Release', `prebuilds/${process.platform}-${process.arch}`];
const file = places.map((place) => path.join(root, place, 'cuda/athanor_cuda.so')).find((name) => fs.existsSync(name));
const module_ = process.env.ATHANOR_CUDA_MODULE ?? file;
/** What was built: the bundle says, where there is no history. */
function commitOf() {
  const told = path.join(root, 'build/gpu/commit');
  if (process.env.ATHANOR_COMMIT) return process.env.ATHANOR_COMMIT;
  return process.env.ATHANOR_GPU_BUILT && fs.existsSync(told)
    ? fs.readFileSync(told, 'utf8').trim()
    : firstLine('git', ['rev-parse', 'HEAD']);
}
const commit = commitOf();
const env = { ATHANOR_CUDA_MODULE: module_, ...(commit ? { ATHANOR_COMMIT: commit } : {}) };
say(`testing ${gpus.map(({ device, name }) => `${device} (${name})`).join(', ')} with ${module_}`);
const about = {
  date: new Date().toISOString(),
  commit,
  node: process.versions.node,
  driver: firstLine('nvidia-smi', ['--query-gpu=driver_version', '--format=csv,noheader']),
  gpus,
};
let counts = NONE;

/** Adds what a part has found to the file, and to the counts that this run ends with. */
function keep(results, told) {
  writeReport(target, withLadder(mergeReports(readReport(target), { ...about, ...results })));
  counts = add(counts, told);
}
const one = (right) => ({ ...NONE, [right ? 'passed' : 'failed']: 1 });
const left = () => Math.max(0, deadline - Date.now());
/** The same for a program that is started; undefined: as long as it takes. */
const limit = () => (Number.isFinite(deadline) ? Math.max(1, Math.round(left())) : undefined);

/** Runs a program, with null for an exit code where it was ended because the time was up. */
function start(command, args, stdio) {
  return spawnSync(command, args, {
    cwd: root,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    stdio,
    timeout: limit(),
  });
}

const run = {
  tests() {
    const files = fs.readdirSync(path.join(root, 'test/device')).filter((name) => name.endsWith('.test.ts'));
    const others = files.filter((name) => name !== 'rows.test.ts').map((name) => ({ name }));
    // A process each: a kernel that breaks the device ends one of them.
    const rows = CHECKS.map((check) => ({ name: 'rows.test.ts', check }));
    for (const { name, check } of [...others, ...rows]) {
      const called = check === undefined ? name : `${name}, ${check}`;
      if (left() === 0) {
        say(`no time is left for ${called}`);
        counts = add(counts, { ...NONE, skipped: 1 });
        continue;
      }
      const began = Date.now();
      const only = check === undefined ? env : { ...env, ATHANOR_TEST_CHECK: check };
      const told = runJest([`test/device/${name}`], { env: only, timeout: limit() });
      keep({ tests: { [called]: { ...told, seconds: (Date.now() - began) / 1e3 } } }, told);
    }
  },

  training() {
    const training = {};
    for (const device of ['cpu', 'cuda']) {
      say(`training on ${device}`);
      const example = path.join(root, 'build/examples/digits/main.js');
      const args = [
        example,
        '--json',
        '--epochs',
        '1',
        '--device',
        device,
        '--out',
        path.join(root, 'build/gpu', device),
      ];
      const { status, stdout } = start(process.execPath, args, ['ignore', 'pipe', 'inherit']);
      const result = status === 0 ? JSON.parse(stdout.trim().split('\n').pop()) : null;
      training[device] = result && { testAccuracy: result.testAccuracy, seconds: result.seconds };
    }
    const { cpu, cuda } = training;
    const learnt = cpu !== null && cuda !== null && Math.abs(cpu.testAccuracy - cuda.testAccuracy) <= ACCURACY;
    console.log(`${learnt ? 'trained' : 'FAILED training'}: ${JSON.stringify(training)}`);
    keep({ training }, one(learnt));
  },

  // No read past the end of a buffer escapes it.
  sanitizer() {
    if (firstLine('compute-sanitizer') === null) {
      console.log('skipped: compute-sanitizer is not installed');
      return keep({ sanitizer: 'not installed' }, { ...NONE, skipped: 1 });
    }
    const jest = [packageFile('jest', 'bin/jest.js'), '--runInBand', 'test/device/rows.test.ts'];
    env.ATHANOR_TEST_CHECK = 'forward';
    const tool = ['--tool', 'memcheck', '--target-processes', 'all', '--error-exitcode', '9'];
    const { status, error } = start(
      'compute-sanitizer',
      [...tool, process.execPath, ...jest],
      ['ignore', 'inherit', 'inherit'],
    );
    delete env.ATHANOR_TEST_CHECK;
    const ended = error?.code === 'ETIMEDOUT' ? 'ended: no time was left' : `exit code ${status}`;
    keep({ sanitizer: status === 0 ? 'clean' : ended }, one(status === 0));
  },

  roofs() {
    const program = `require('./dist/index.js').measureMachine({ device: 'cuda' }).then((m) => console.log(JSON.stringify(m)))`;
    const { status, stdout } = start(process.execPath, ['-e', program], ['ignore', 'pipe', 'inherit']);
    const roofs = status === 0 ? JSON.parse(stdout.trim().split('\n').pop()) : null;
    for (const { kind, best, level } of [...(roofs?.compute ?? []), ...(roofs?.memory ?? [])])
      console.log(`${level ?? 'arithmetic'} ${kind}: ${(best / 1e12).toFixed(2)} T${level ? 'B' : 'FLOP'}/s`);
    keep(roofs === null ? {} : { roofs }, one(roofs !== null));
  },
};

for (const [precision, groups] of Object.entries(LADDER)) {
  run[precision] = () => {
    const output = path.join(root, 'build/gpu', `bench-${precision}.json`);
    fs.rmSync(output, { force: true });
    const args = [path.join(root, 'build/benchmarks/main.js'), '--device', 'cuda', '--precision', precision];
    args.push('--only', options.groups ?? groups, '--peers', 'torch', '--json', output);
    const { status } = start(process.execPath, args, ['ignore', 'inherit', 'inherit']);
    const report = readReport(output); // also where it was ended: what was measured until then
    keep(report.results === undefined ? {} : { benchmarks: { [precision]: report } }, one(status === 0));
  };
}

for (const part of PARTS.filter((name) => wanted.includes(name))) {
  if (left() === 0) {
    say(`no time is left for ${part}`);
    counts = add(counts, { ...NONE, skipped: 1 });
    continue;
  }
  say(part);
  run[part]();
}
printLadder(readReport(target));
say(`the results are in ${path.relative(root, target)}`);
finish(counts);
