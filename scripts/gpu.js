'use strict';
// `npm run gpu`: what only a machine with a GPU can show. It builds what is missing, or takes what was built elsewhere
// (ATHANOR_GPU_BUILT=1, for a machine that has no compiler), and then
//   1. runs the tests of test/device against the real module in place of the simulator;
//   2. runs them once more under compute-sanitizer (memcheck), where that is installed;
//   3. trains the example on the CPU and on the GPU and compares the accuracies;
//   4. measures the GPU's roofs and runs the benchmarks on it beside PyTorch, exact and in tf32, and climbs the ladder.
// What came out is written to benchmarks/results/gpu.json (--json names another file) with the date, the commit and the
// GPU's name. Without a GPU it prints `skipped: no GPU` and why, and exits with 0.
const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { prepare } = require('./lib/prepare.js');
const { root, say, firstLine, packageFile } = require('./lib/run.js');
const { NONE, add, finish } = require('./lib/counts.js');
const { runJest } = require('./lib/suites.js');

/** Accuracies of two trainings that round differently may differ by this much. */
const ACCURACY = 0.005;

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
say(`testing ${gpus.map(({ device, name }) => `${device} (${name})`).join(', ')} with ${module_}`);
const report = {
  date: new Date().toISOString(),
  commit: firstLine('git', ['rev-parse', 'HEAD']),
  node: process.versions.node,
  driver: firstLine('nvidia-smi', ['--query-gpu=driver_version', '--format=csv,noheader']),
  gpus,
};

// ---- the tests
const env = { ATHANOR_CUDA_MODULE: module_ };
report.tests = runJest(['test/device'], { env });
let counts = report.tests;

// ---- the same under compute-sanitizer: no read past the end of a buffer escapes it
if (firstLine('compute-sanitizer')) {
  say('the tests once more under compute-sanitizer');
  const jest = [packageFile('jest', 'bin/jest.js'), '--runInBand', 'test/device/rows.test.ts', '-t', 'forward'];
  const command = ['--tool', 'memcheck', '--error-exitcode', '9', process.execPath, ...jest];
  const { status } = spawnSync('compute-sanitizer', command, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  report.sanitizer = status === 0 ? 'clean' : `exit code ${status}`;
  counts = add(counts, { ...NONE, [status === 0 ? 'passed' : 'failed']: 1 });
} else {
  report.sanitizer = 'not installed';
  console.log('skipped: compute-sanitizer is not installed');
  counts = add(counts, { ...NONE, skipped: 1 });
}

// ---- training, on the CPU and on the GPU
report.training = {};
for (const device of ['cpu', 'cuda']) {
  say(`training on ${device}`);
  const example = path.join(root, 'build/examples/digits/main.js');
  const args = [example, '--json', '--epochs', '1', '--device', device, '--out', path.join(root, 'build/gpu', device)];
  const { status, stdout } = spawnSync(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const result = status === 0 ? JSON.parse(stdout.trim().split('\n').pop()) : null;
  report.training[device] = result && { testAccuracy: result.testAccuracy, seconds: result.seconds };
}
const { cpu, cuda } = report.training;
const learnt = cpu !== null && cuda !== null && Math.abs(cpu.testAccuracy - cuda.testAccuracy) <= ACCURACY;
if (!learnt) console.log(`FAILED training: ${JSON.stringify(report.training)}`);
counts = add(counts, { ...NONE, [learnt ? 'passed' : 'failed']: 1 });

// ---- the roofs, and the ladder beside PyTorch
const groups = ['gemm', 'conv', 'elementwise', 'reduce', 'softmax', 'norm', 'optim', 'jobs'].join(',');
report.benchmarks = {};
for (const precision of ['exact', 'tf32']) {
  say(`benchmarks on the GPU, float32 products: ${precision}`);
  const file = path.join(root, 'build/gpu', `bench-${precision}.json`);
  fs.rmSync(file, { force: true });
  const args = ['--device', 'cuda', '--precision', precision, '--peers', 'torch', '--json', file];
  const only = precision === 'exact' ? groups : 'gemm,conv,jobs';
  const { status } = spawnSync(
    process.execPath,
    [path.join(root, 'build/benchmarks/main.js'), '--only', only, ...args],
    {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  counts = add(counts, { ...NONE, [status === 0 ? 'passed' : 'failed']: 1 });
  if (fs.existsSync(file)) report.benchmarks[precision] = JSON.parse(fs.readFileSync(file, 'utf8'));
}
const { exact, tf32 } = report.benchmarks;
if (exact !== undefined && tf32 !== undefined) {
  const { ladderLines, ladderOf } = require('../build/benchmarks/report/ladder.js');
  report.ladder = ladderOf(exact, tf32);
  console.log(ladderLines(report.ladder).join('\n'));
}

const at = process.argv.indexOf('--json');
const target = path.resolve(root, at > 0 ? process.argv[at + 1] : 'benchmarks/results/gpu.json');
fs.mkdirSync(path.dirname(target), { recursive: true });
fs.writeFileSync(target, `${JSON.stringify(report, null, 2)}\n`);
say(`the results are in ${path.relative(root, target)}`);
finish(counts);
