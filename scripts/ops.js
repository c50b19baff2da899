'use strict';
// `npm run ops -- test|grad|leak|perf|support`: one op by hand; the program is in test/ops/cli/.
require('./lib/prepare.js').prepare();
require('./lib/swc.js').hookRequire();
require('../test/ops/cli/main.ts');
