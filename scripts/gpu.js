'use strict';
// `npm run gpu`: what only a machine with a GPU can show. It builds what is missing, or takes what was built elsewhere
// (ATHANOR_GPU_BUILT=1, for a machine that has no compiler), and then runs these parts (scripts/lib/gpu-parts.js):
//   tests       test/device against the real module in place of the simulator, a file or a kind of check at a time
//   training    the example, on the CPU and on the GPU, to the same accuracy
//   roofs       what the GPU's arithmetic units and its memory can do
//   exact       the ladder's cases on it beside PyTorch, float32 products as the CPU rounds them
//   tf32        the same of what tensor cores may take
//   jobs        the ladder's training jobs, in tf32
//   sanitizer   tests of rows under compute-sanitizer (memcheck, racecheck), where that is installed
// Options:
//   --only PARTS     some of these, with commas between
//   --groups GROUPS  all cases of these groups of the benchmarks, in place of the ladder's
//   --quick          a first look of a minute or two: some tests, few digits, small cases
//   --minutes N      the time for all of it: what has no time left is not begun, what is not done by then is ended
//   --resume         what the file has of this commit and GPU is not run again
//   --json FILE      in place of benchmarks/results/gpu.json
//   --merge FILES    no GPU: brings reports of parts together, with commas between
//   --help           these lines
// A part's results are written to the file as soon as they are there, with the date, the commit (where there is no
// history, ATHANOR_COMMIT or what the bundle says), the GPU's name and the ladder. Ctrl-C ends the run and keeps them.
// Without a GPU it prints `skipped: no GPU` and why, and exits with 0.
const fs = require('node:fs');
const path = require('node:path');
const { prepare } = require('./lib/prepare.js');
const { root, fail, say, firstLine, parseOptions } = require('./lib/run.js');
const { NONE, add, finish } = require('./lib/counts.js');
const { catchInterrupts, isInterrupted } = require('./lib/watch.js');
const { readReport, writeReport, mergeReports, differenceOf } = require('./lib/gpu-report.js');
const parts = require('./lib/gpu-parts.js');

const PARTS = Object.keys(parts);

const options = parseOptions(__filename, {
  only: { type: 'string', default: PARTS.join(',') },
  groups: { type: 'string' },
  quick: { type: 'boolean', default: false },
  minutes: { type: 'string' },
  resume: { type: 'boolean', default: false },
  json: { type: 'string', default: 'benchmarks/results/gpu.json' },
  merge: { type: 'string' },
});
const wanted = options.only.split(',');
const unknown = wanted.filter((part) => !PARTS.includes(part));
if (unknown.length > 0) fail(`no such part: ${unknown.join(', ')}; there are ${PARTS.join(', ')}`);
const minutes = options.minutes === undefined ? Number.POSITIVE_INFINITY : Number(options.minutes);
if (!(minutes > 0)) fail(`--minutes must be a number above 0: "${options.minutes}"`);
const deadline = Date.now() + minutes * 60e3;
const target = path.resolve(root, options.json);

/** A report in a file; ends with a message where there is none that can be read. */
function reportIn(file) {
  try {
    return readReport(file);
  } catch (error) {
    return fail(`${file} is no report: ${error.message}`);
  }
}

function withLadder(report) {
  if (report.benchmarks === undefined) return report;
  const { ladderOf } = require('../build/benchmarks/report/ladder.js');
  return { ...report, ladder: ladderOf(report.benchmarks) };
}

function printLadder(report) {
  if (report.ladder === undefined) return;
  const { ladderLines } = require('../build/benchmarks/report/ladder.js');
  console.log(ladderLines(report.ladder).join('\n'));
  const absent = Object.values(report.benchmarks)
    .flatMap(({ peers }) => peers)
    .filter(({ version }) => version === undefined)
    .map(({ name, reason }) => `there was no peer: ${name}: ${reason}; what is known stands against the roofs`);
  for (const line of new Set(absent)) console.log(line);
}

function merge() {
  if (!process.env.ATHANOR_GPU_BUILT) prepare({ native: null });
  const files = options.merge.split(',');
  const missing = files.filter((file) => !fs.existsSync(file));
  if (missing.length > 0) fail(`there is no ${missing.join(', ')}`);
  let merged = {};
  for (const file of files) {
    const report = reportIn(path.resolve(file));
    const different = differenceOf(merged, report);
    if (different !== null) fail(`${file} cannot be merged: ${different}`);
    merged = mergeReports(merged, report);
  }
  merged = withLadder(merged);
  printLadder(merged);
  writeReport(target, merged);
  say(`${files.length} reports are in ${path.relative(root, target)}`);
}

/** What was built: the bundle says, where there is no history. */
function commitOf() {
  const told = path.join(root, 'build/gpu/commit');
  if (process.env.ATHANOR_COMMIT) return process.env.ATHANOR_COMMIT;
  if (process.env.ATHANOR_GPU_BUILT && fs.existsSync(told)) return fs.readFileSync(told, 'utf8').trim();
  return firstLine('git', ['rev-parse', 'HEAD']) ?? 'unknown';
}

/** The report of this run: what the file had, if it is of the same commit and GPU, and what was found since. */
class Results {
  constructor(about) {
    this.counts = NONE;
    this.found = about;
    this.before = reportIn(target);
    const different = differenceOf(this.before, about);
    if (different === null) return;
    say(`${path.relative(root, target)} has ${different}: it is begun anew`);
    this.before = {};
  }

  /** What there is of a part so far, where it is to be gone on with. */
  past(...names) {
    return options.resume ? names.reduce((value, name) => value?.[name], this.report()) : undefined;
  }

  report() {
    return mergeReports(this.before, this.found);
  }

  /** Adds what was found, and to the counts that the run ends with. */
  keep(results, told = NONE) {
    this.found = mergeReports(this.found, results);
    writeReport(target, withLadder(this.report()));
    this.counts = add(this.counts, told);
  }
}

async function main() {
  if (options.merge !== undefined) return merge();
  if (!process.env.ATHANOR_GPU_BUILT) prepare();
  const { devices } = require('../dist/index.js');
  const listed = devices().filter(({ device }) => device !== 'cpu');
  const gpus = listed.filter(({ available }) => available);
  if (gpus.length === 0) {
    console.log('skipped: no GPU');
    console.log(`reason: ${listed[0]?.reason}`);
    return;
  }

  const places = ['build/Release', `prebuilds/${process.platform}-${process.arch}`];
  const files = places.map((place) => path.join(root, place, 'cuda/athanor_cuda.so'));
  const module_ = process.env.ATHANOR_CUDA_MODULE ?? files.find((name) => fs.existsSync(name));
  const commit = commitOf();
  say(`testing ${gpus.map(({ device, name }) => `${device} (${name})`).join(', ')} with ${module_}`);
  const results = new Results({
    date: new Date().toISOString(),
    commit,
    node: process.versions.node,
    driver: firstLine('nvidia-smi', ['--query-gpu=driver_version', '--format=csv,noheader']),
    gpus,
  });
  const run = {
    ...options,
    deadline,
    results,
    left: () => (isInterrupted() ? 0 : Math.max(0, deadline - Date.now())),
    env: { ATHANOR_CUDA_MODULE: module_, ATHANOR_COMMIT: commit },
  };
  catchInterrupts();
  for (const part of PARTS.filter((name) => wanted.includes(name))) {
    if (run.left() === 0) {
      say(`no time is left for ${part}`);
      results.keep({}, { ...NONE, skipped: 1 });
      continue;
    }
    say(part);
    await parts[part](run);
  }
  printLadder(withLadder(results.report()));
  say(`the results are in ${path.relative(root, target)}`);
  if (isInterrupted()) process.exit(130);
  finish(results.counts);
}

main().catch((error) => fail(error.stack));
