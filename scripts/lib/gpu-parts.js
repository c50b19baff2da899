'use strict';
// The parts of `npm run gpu`, in the order in which they run. Each is given the run: its options, its environment, how much
// time is left, and the results that it adds to.
const fs = require('node:fs');
const path = require('node:path');
const { root, say } = require('./run.js');
const { NONE, add } = require('./counts.js');
const { jestCommand, jestCounts } = require('./suites.js');
const { watch } = require('./watch.js');
const { readReport } = require('./gpu-report.js');
const { sanitizer } = require('./gpu-sanitizer.js');

/** Accuracies of two trainings that round differently may differ by this much. */
const ACCURACY = 0.005;
/** Of some hundred digits, few steps and 10 000 answers of which most are wrong. */
const QUICK_ACCURACY = 0.05;
/** The checks of test/device/rows.test.ts. */
const CHECKS = ['forward', 'layouts', 'sizes', 'special'];
/** Milliseconds between two looks at what the benchmarks have so far: a machine that is taken away loses no more. */
const LOOK = 10e3;
/** Milliseconds before the deadline at which benchmarks begin no other case: most take a second or a few. */
const MARGIN = 15e3;
/** Exit code of the benchmarks when the device is lost to their process (benchmarks/main.ts). */
const DEVICE_LOST = 3;

const skipped = { ...NONE, skipped: 1 };
/** How a part counts whose programs came to these ends: one that was ended has neither passed nor failed. */
const one = (right, ...ends) =>
  ends.some(({ ended }) => ended !== null) ? skipped : { ...NONE, [right ? 'passed' : 'failed']: 1 };

/** The last line that a program printed, as JSON; null where it failed. */
function lastJson({ status, stdout }) {
  return status === 0 ? JSON.parse(stdout.trim().split('\n').pop()) : null;
}

/** Why a program did not end well, in words. */
const endOf = ({ status, ended, error }) => ended ?? error?.message ?? `exit code ${status}`;

async function tests(run) {
  const files = fs.readdirSync(path.join(root, 'test/device')).filter((name) => name.endsWith('.test.ts'));
  const others = files.filter((name) => name !== 'rows.test.ts').map((name) => ({ name }));
  // A process each: a kernel that breaks the device ends one of them.
  const rows = CHECKS.map((check) => ({ name: 'rows.test.ts', check }));
  const quick = [{ name: 'rows.test.ts', check: 'forward', families: 'softmax,matmul' }];
  for (const { name, check, families } of run.quick ? quick : [...others, ...rows]) {
    const called = [name, check, families].filter((part) => part !== undefined).join(', ');
    const past = run.results.past('tests', called);
    if (past?.failed === 0 && past.ended === undefined) continue;
    if (run.left() === 0) {
      say(`no time is left for ${called}`);
      run.results.keep({}, skipped);
      continue;
    }
    const began = Date.now();
    const env = { ...run.env };
    if (check !== undefined) env.ATHANOR_TEST_CHECK = check;
    if (families !== undefined) env.ATHANOR_TEST_FAMILIES = families;
    const command = jestCommand(['--runInBand', `test/device/${name}`]);
    const end = await watch(process.execPath, command, { env, deadline: run.deadline, stdout: 'ignore' });
    const told = end.ended === null ? jestCounts(end.status) : skipped;
    const seconds = (Date.now() - began) / 1e3;
    const why = end.ended === null ? {} : { ended: end.ended };
    run.results.keep({ tests: { [called]: { ...told, seconds, ...why } } }, told);
  }
}

async function training(run) {
  const training = {};
  const ends = [];
  for (const device of ['cpu', 'cuda']) {
    say(`training on ${device}`);
    const args = ['--json', '--epochs', '1', '--device', device, '--out', path.join(root, 'build/gpu', device)];
    if (run.quick) args.push('--limit', '512', '--model', 'mlp');
    const { env, deadline } = run;
    const end = await watch(process.execPath, [path.join(root, 'build/examples/digits/main.js'), ...args], {
      env,
      deadline,
      stdout: 'pipe',
    });
    ends.push(end);
    const result = lastJson(end);
    training[device] = result
      ? { data: result.data, testAccuracy: result.testAccuracy, seconds: result.seconds }
      : { failed: endOf(end) };
  }
  const { cpu, cuda } = training;
  const apart = Math.abs(cpu.testAccuracy - cuda.testAccuracy);
  const learnt = apart <= (run.quick ? QUICK_ACCURACY : ACCURACY);
  console.log(`${learnt ? 'trained' : 'FAILED training'}: ${JSON.stringify(training)}`);
  run.results.keep({ training }, one(learnt, ...ends));
}

async function roofs(run) {
  const program = `require('./dist/index.js').measureMachine({ device: 'cuda', quick: ${run.quick} }).then((m) => console.log(JSON.stringify(m)))`;
  const { env, deadline } = run;
  const end = await watch(process.execPath, ['-e', program], { env, deadline, stdout: 'pipe' });
  const found = lastJson(end);
  if (found === null) console.log(`FAILED roofs: ${endOf(end)}`);
  for (const { kind, best, level } of [...(found?.compute ?? []), ...(found?.memory ?? [])])
    console.log(`${level ?? 'arithmetic'} ${kind}: ${(best / 1e12).toFixed(2)} T${level ? 'B' : 'FLOP'}/s`);
  run.results.keep(found === null ? {} : { roofs: found }, one(found !== null, end));
}

/** A part that runs benchmarks in one precision beside PyTorch. */
function benchmarks(part, precision, groups) {
  return async (run) => {
    const output = path.join(root, 'build/gpu', `bench-${part}.json`);
    fs.mkdirSync(path.dirname(output), { recursive: true });
    fs.rmSync(output, { force: true });
    const past = run.results.past('benchmarks', part);
    if (past !== undefined) fs.writeFileSync(output, JSON.stringify(past));
    const id = past?.run ?? new Date().toISOString();
    const keep = (told) => {
      const report = readReport(output); // also where it was ended: what was measured until then
      run.results.keep(report.results === undefined ? {} : { benchmarks: { [part]: { ...report, run: id } } }, told);
    };
    const args = [path.join(root, 'build/benchmarks/main.js'), '--device', 'cuda', '--precision', precision];
    args.push('--only', run.groups ?? groups, '--peers', 'torch', '--json', output, '--resume');
    if (run.groups === undefined && !run.quick) args.push('--ladder');
    if (run.quick) args.push('--quick');
    // A kernel that breaks the device takes it from its process: another one goes on with the next case.
    for (;;) {
      // It ends by itself between two cases; a case that takes longer is ended at the deadline.
      const left = Math.max(run.left() - MARGIN, run.left() / 2);
      const time = Number.isFinite(run.deadline) ? ['--minutes', String(left / 60e3)] : [];
      const { env, deadline } = run;
      const look = () => keep(NONE);
      const end = await watch(process.execPath, [...args, ...time], { env, deadline, look, every: LOOK });
      if (end.status === DEVICE_LOST && run.left() > 0) {
        say('the device was lost; going on in a new process');
        continue;
      }
      if (end.status !== 0) console.log(`FAILED ${part}: ${endOf(end)}`);
      const { unfinished = 0 } = readReport(output);
      return keep(add(one(end.status === 0, end), { ...NONE, skipped: unfinished }));
    }
  };
}

module.exports = {
  tests,
  training,
  roofs,
  exact: benchmarks('exact', 'exact', 'gemm,conv,elementwise,reduce,softmax,norm,optim'),
  tf32: benchmarks('tf32', 'tf32', 'gemm,conv'),
  jobs: benchmarks('jobs', 'tf32', 'jobs'),
  sanitizer,
};
