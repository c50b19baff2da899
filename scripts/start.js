'use strict';
// Installs and builds what is missing, then runs a compiled program of this checkout in this very process, so that Ctrl-C,
// the exit code and the terminal are the program's own.
//   node scripts/start.js [--options=benchmarks/options] benchmarks/main [arguments of the program]
// TypeScript is compiled in seconds, kernels in minutes: parseOptions() of the file named tells a mistake in the arguments
// before those. Where it gives a number back in place of options, that is the exit code.
const Module = require('node:module');
const path = require('node:path');
const { prepare } = require('./lib/prepare.js');
const { root } = require('./lib/run.js');

const [, options] = /^--options=(.*)/.exec(process.argv[2]) ?? [];
if (options !== undefined) {
  process.argv.splice(2, 1);
  prepare({ native: null });
  const parsed = require(path.join(root, 'build', options)).parseOptions(process.argv.slice(3));
  if (typeof parsed === 'number') process.exit(parsed);
}
prepare();
const program = process.argv[2];
process.argv.splice(1, 2, path.join(root, 'build', `${program}.js`));
Module.runMain();
