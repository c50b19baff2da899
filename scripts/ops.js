'use strict';
// `npm run ops -- test|grad|leak|perf|support`: one op by hand; the program is in test/ops/cli/. Arguments are read before
// kernels are compiled, and of the native half only the addon is built: the CUDA module takes minutes and is not used here.
const { prepare } = require('./lib/prepare.js');
prepare({ native: null });
require('./lib/swc.js').hookRequire();
const asked = require('../test/ops/cli/options.ts').parseOptions(process.argv.slice(2));
prepare({ native: { targets: ['athanor_addon'] }, typescript: false });
require('../test/ops/cli/main.ts').run(asked);
