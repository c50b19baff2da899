'use strict';
// `npm run test:native`: builds the native test program where it is stale, and runs it.
const { prepare } = require('./lib/prepare.js');
const { finish } = require('./lib/counts.js');
const { runNativeTests } = require('./lib/suites.js');

prepare({ native: { targets: ['athanor_native_test'] }, typescript: false });
finish(runNativeTests());
