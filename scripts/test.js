'use strict';
// `npm test`: installs and builds what is missing, then runs the native tests and jest.
// `npm test -- <arguments of jest>`: the same preparation, then jest alone with those arguments.
const { prepare } = require('./lib/prepare.js');
const { add, finish } = require('./lib/counts.js');
const { runNativeTests, runJest } = require('./lib/suites.js');

const jestArguments = process.argv.slice(2);
prepare({ native: { targets: ['athanor', 'athanor_native_test', 'athanor_cuda_simulated'] } });
finish(jestArguments.length > 0 ? runJest(jestArguments) : add(runNativeTests(), runJest()));
