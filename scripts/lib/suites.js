'use strict';
// The two test programs: the native one and jest. Each returns { passed, failed, skipped }.
const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { root, say, packageFile } = require('./run.js');
const { countsOf } = require('./counts.js');

/** `part`: of the tests' names; with a minus in front, the others. */
function runNativeTests({ env = {}, out = 'build/cmake', part = '' } = {}) {
  say(`native tests (${out})`);
  const result = spawnSync(path.join(root, out, 'athanor_native_test'), part === '' ? [] : [part], {
    cwd: root,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.stdout.write(result.stdout);
  if (result.signal) say(`the native tests were ended by ${result.signal}`);
  return countsOf(result.stdout, result.status);
}

const REPORT = path.join(root, 'build', 'jest.json');

/** The arguments with which node runs jest, so that jestCounts() finds what came of it. */
function jestCommand(args) {
  fs.rmSync(REPORT, { force: true });
  return [packageFile('jest', 'bin/jest.js'), '--json', `--outputFile=${REPORT}`, ...args];
}

/** What came of a run of jest that ended with this exit code; one that left no report failed once. */
function jestCounts(status) {
  if (!fs.existsSync(REPORT)) return { passed: 0, failed: 1, skipped: 0 };
  const found = JSON.parse(fs.readFileSync(REPORT, 'utf8'));
  const left = found.testResults
    .flatMap((file) => file.assertionResults)
    .filter((t) => t.status === 'pending' || t.status === 'todo');
  for (const test of left) console.log(`skipped: ${test.fullName}`);
  const failed = found.numFailedTests + found.numRuntimeErrorTestSuites; // a file that could not run counts once
  return { passed: found.numPassedTests, failed: failed === 0 && status !== 0 ? 1 : failed, skipped: left.length };
}

function runJest(args = [], { env = {} } = {}) {
  const { status } = spawnSync(process.execPath, jestCommand(args), {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['inherit', 'ignore', 'inherit'], // the report for people is on stderr
  });
  return jestCounts(status);
}

module.exports = { runNativeTests, runJest, jestCommand, jestCounts };
