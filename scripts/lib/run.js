'use strict';
// Starting other programs, reading a script's own options, and ending with one clear message.
const fs = require('node:fs');
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

/**
 * The options of the script `file`, described as for parseArgs. A wrong one ends the process; --help prints the comment that
 * the script begins with.
 */
function parseOptions(file, options) {
  const { parseArgs } = require('node:util'); // unknown to versions of Node that are told to be too old
  const help = { type: 'boolean', short: 'h', default: false };
  let values;
  try {
    values = parseArgs({ options: { ...options, help } }).values;
  } catch (error) {
    fail(`${error.message}; --help says more`);
  }
  if (!values.help) return values;
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  const from = lines.findIndex((line) => line.startsWith('//'));
  const to = lines.findIndex((line, i) => i > from && !line.startsWith('//'));
  for (const line of lines.slice(from, to)) console.log(line.replace(/^\/\/ ?/, ''));
  process.exit(0);
}

module.exports = { root, fail, say, run, firstLine, packageFile, parseOptions };
