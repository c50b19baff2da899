'use strict';
// `npm run test:native`: builds the native test program where it is stale, and runs it.
const { buildNative } = require('./lib/native.js');
const { finish } = require('./lib/counts.js');
const { runNativeTests } = require('./lib/suites.js');

buildNative({ targets: ['athanor_native_test'] });
finish(runNativeTests());
