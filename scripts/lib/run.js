'use strict';
// Starting other programs, and ending with one clear message.
const path = require('node:path');
const { spawnSync } = require('node:child_process');

const root = path.resolve(__dirname, '..', '..');

/** Prints `athanor: message` and ends the process with a non-zero exit code. */
function fail(message, code = 1) {
  console.error(`athanor: ${message}`);
  process.exit(code);
}

/** Says what happens next. On stderr, so that a command's own stdout (`--json`) stays clean. */
function say(message) {
  console.error(`athanor: ${message}`);
}

/** Runs a program to its end, its output on stderr; ends this process with its code if it fails. */
function run(command, args, options = {}) {
  const result = spawnSync(command, args, { stdio: ['inherit', 2, 2], cwd: root, ...options });
  if (result.error) fail(`cannot run ${command}: ${result.error.message}`);
  if (result.status !== 0) process.exit(result.status ?? 1);
}

/** The first line that `command ...args` prints, or null when it cannot be run. */
function firstLine(command, args = ['--version']) {
  const result = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  return result.status === 0 ? result.stdout.split('\n', 1)[0] : null;
}

/** The path of a file that an npm package installed here, or null. */
function packageFile(name, file) {
  try {
    return path.join(path.dirname(require.resolve(`${name}/package.json`, { paths: [root] })), file);
  } catch {
    return null;
  }
}

module.exports = { root, fail, say, run, firstLine, packageFile };
