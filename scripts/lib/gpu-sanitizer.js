'use strict';
// The part of `npm run gpu` that runs tests of rows under compute-sanitizer. Under it a kernel takes ten times as long and
// more, so it is run family by family, what matters most first, and the report says what was covered.
//   memcheck   every family: no access beyond a buffer. Each buffer is then an allocation of its own (ATHANOR_DEVICE_CACHE=0):
//              of pieces of one large segment it would see none.
//   racecheck  families whose kernels use shared memory: no two threads meet there without a barrier between them.
const fs = require('node:fs');
const path = require('node:path');
const { root, say, firstLine } = require('./run.js');
const { NONE } = require('./counts.js');
const { jestCommand, jestCounts } = require('./suites.js');
const { watch } = require('./watch.js');

const FOLDER = path.join(root, 'native/cuda');
/** On the PATH, or where the toolkit puts it. */
const PLACES = ['compute-sanitizer', '/usr/local/cuda/bin/compute-sanitizer'];
/** Its exit code where it found something; tests that fail give 1. */
const FOUND = 9;
/** Those whose kernels synchronise most, or are used most, come first. */
const FIRST = ['matmul', 'conv', 'softmax', 'norm', 'loss', 'attention', 'reduce'];

function families() {
  const all = [...fs.readFileSync(path.join(FOLDER, 'families.def'), 'utf8').matchAll(/^FAMILY\((\w+)\)/gm)];
  const names = all.map(([, name]) => name);
  return [...FIRST.filter((name) => names.includes(name)), ...names.filter((name) => !FIRST.includes(name))];
}

/** Whether a family's file, or a header that it includes, gives a block shared memory. */
function sharesMemory(family) {
  const seen = new Set(['runtime.h']); // where it is defined what that is
  const visit = (file) => {
    if (seen.has(file) || !fs.existsSync(path.join(FOLDER, file))) return false;
    seen.add(file);
    const text = fs.readFileSync(path.join(FOLDER, file), 'utf8');
    if (/\bATHANOR_SHARED\(|\bextern __shared__|\bshared_memory\b/.test(text)) return true;
    return [...text.matchAll(/#include "cuda\/([\w/.]+)"/g)].some(([, name]) => visit(name));
  };
  return visit(`${family}.cu`);
}

/** What is run, in this order. */
function plan(quick) {
  const all = quick ? ['softmax'] : families();
  const memory = all.map((family) => ({ tool: 'memcheck', family, check: 'forward' }));
  const races = all.filter(sharesMemory).map((family) => ({ tool: 'racecheck', family, check: 'forward' }));
  const sizes = quick ? [] : all.map((family) => ({ tool: 'memcheck', family, check: 'sizes' }));
  return [...memory, ...races, ...sizes];
}

async function sanitizer(run) {
  const program = PLACES.find((place) => firstLine(place) !== null);
  if (program === undefined) {
    console.log('skipped: compute-sanitizer is not installed');
    return run.results.keep({ sanitizer: 'not installed' }, { ...NONE, skipped: 1 });
  }
  for (const { tool, family, check } of plan(run.quick)) {
    const called = `${tool} ${family}, ${check}`;
    if (run.results.past('sanitizer', called)?.found === 'nothing') continue;
    if (run.left() === 0) {
      say(`no time is left for ${called}`);
      run.results.keep({ sanitizer: { [called]: { found: 'not run' } } }, { ...NONE, skipped: 1 });
      continue;
    }
    const began = Date.now();
    const env = { ...run.env, ATHANOR_TEST_CHECK: check, ATHANOR_TEST_FAMILIES: family };
    if (tool === 'memcheck') env.ATHANOR_DEVICE_CACHE = '0';
    const jest = jestCommand(['--runInBand', '--testTimeout=600000', 'test/device/rows.test.ts']);
    const args = [
      '--tool',
      tool,
      '--target-processes',
      'all',
      '--error-exitcode',
      String(FOUND),
      '--print-limit',
      '20',
    ];
    const { deadline } = run;
    const end = await watch(program, [...args, process.execPath, ...jest], { env, deadline });
    const told = jestCounts(end.status === FOUND ? 0 : end.status);
    const tests = Math.max(0, told.passed - 1); // one is of the list of rows
    const outcome = end.status === FOUND ? 'errors' : end.status === 0 ? 'nothing' : 'tests that fail';
    const found = { found: end.ended ?? outcome, tests, seconds: (Date.now() - began) / 1e3 };
    console.log(`${called}: ${found.found}, ${tests} tests`);
    // What was ended, or has no such tests, has neither passed nor failed.
    const counted = end.ended !== null ? 'skipped' : end.status !== 0 ? 'failed' : tests > 0 ? 'passed' : 'skipped';
    run.results.keep({ sanitizer: { [called]: found } }, { ...NONE, [counted]: 1 });
  }
}

module.exports = { sanitizer, plan, sharesMemory };
