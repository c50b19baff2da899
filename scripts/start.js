'use strict';
// Installs and builds what is missing, then runs a compiled program of this checkout in this very process, so that Ctrl-C,
// the exit code and the terminal are the program's own.
//   node scripts/start.js examples/digits/main [arguments of the program]
const Module = require('node:module');
const path = require('node:path');
const { prepare } = require('./lib/prepare.js');
const { root } = require('./lib/run.js');

prepare();
const program = process.argv[2];
process.argv.splice(1, 2, path.join(root, 'build', `${program}.js`));
Module.runMain();
