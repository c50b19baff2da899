'use strict';
// `npm run test:isa`: the native tests and jest's op suite once more at every instruction set level below the machine's best.
// The suite computes little at a time, so two workers share two cores. A level that this machine lacks is named and
// counted as skipped.
const { prepare } = require('./lib/prepare.js');
const { root, say } = require('./lib/run.js');
const { NONE, add, finish } = require('./lib/counts.js');
const { runNativeTests, runJest } = require('./lib/suites.js');

prepare({ native: { targets: ['athanor', 'athanor_native_test'] } });
const { isaLevels } = require('node-gyp-build')(root).info();
const [best] = isaLevels;
let counts = NONE;
for (const level of process.arch === 'x64' ? ['avx2', 'baseline'] : ['baseline']) {
  if (level === best) continue; // what `npm test` runs
  if (!isaLevels.includes(level)) {
    console.log(`skipped: level ${level}, this machine runs ${isaLevels.join(', ')}`);
    counts = add(counts, { ...NONE, skipped: 1 });
    continue;
  }
  say(`tests at ATHANOR_CPU_ISA=${level}`);
  const env = { ATHANOR_CPU_ISA: level };
  counts = add(counts, add(runNativeTests({ env }), runJest(['test/ops', '--maxWorkers=2'], { env })));
}
finish(counts);
