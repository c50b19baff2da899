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

/** `timeout`: milliseconds after which it has failed. */
function runJest(args = [], { env = {}, timeout } = {}) {
  const report = path.join(root, 'build', 'jest.json');
  fs.rmSync(report, { force: true });
  const jest = [packageFile('jest', 'bin/jest.js'), '--json', `--outputFile=${report}`, ...args];
  const { status } = spawnSync(process.execPath, jest, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['inherit', 'ignore', 'inherit'], // the report for people is on stderr
    timeout,
  });
  if (!fs.existsSync(report)) return { passed: 0, failed: 1, skipped: 0 };
  const found = JSON.parse(fs.readFileSync(report, 'utf8'));
  const left = found.testResults
    .flatMap((file) => file.assertionResults)
    .filter((t) => t.status === 'pending' || t.status === 'todo');
  for (const test of left) console.log(`skipped: ${test.fullName}`);
  const failed = found.numFailedTests + found.numRuntimeErrorTestSuites; // a file that could not run counts once
  return { passed: found.numPassedTests, failed: failed === 0 && status !== 0 ? 1 : failed, skipped: left.length };
}

module.exports = { runNativeTests, runJest };
