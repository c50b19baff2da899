'use strict';
// `npm run test:sanitize`: the native tests under AddressSanitizer and UndefinedBehaviorSanitizer, from a build of their
// own. `-- --with thread` takes ThreadSanitizer; `-- test/ops` runs those jest tests on a sanitized addon, too (gcc).
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { parseArgs } = require('node:util');
const { prepare } = require('./lib/prepare.js');
const { root } = require('./lib/run.js');
const { add, finish } = require('./lib/counts.js');
const { runNativeTests, runJest } = require('./lib/suites.js');

const { values, positionals: jestArguments } = parseArgs({
  options: { with: { type: 'string', default: 'address,undefined' } },
  allowPositionals: true,
});
const sanitize = values.with;
const out = `build/cmake-${sanitize.replace(',', '-')}`;
const withAddon = jestArguments.length > 0;
const targets = withAddon ? ['athanor', 'athanor_native_test'] : ['athanor_native_test'];
prepare({ native: { config: 'Debug', targets, sanitize, out }, typescript: false });

const options = {
  ASAN_OPTIONS: 'detect_stack_use_after_return=1',
  UBSAN_OPTIONS: 'print_stacktrace=1',
  TSAN_OPTIONS: 'second_deadlock_stack=1',
};
// The simulator runs a thousand fibers, each of which would get megabytes of such stacks.
const fibers = { ...options, ASAN_OPTIONS: 'detect_stack_use_after_return=0' };
let counts = add(
  runNativeTests({ out, env: options, part: '-cuda_' }),
  runNativeTests({ out, env: fibers, part: 'cuda_' }),
);
if (withAddon) {
  const library = (name) => spawnSync('g++', [`-print-file-name=${name}`], { encoding: 'utf8' }).stdout.trim();
  const env = {
    ...options,
    ASAN_OPTIONS: `${options.ASAN_OPTIONS}:detect_leaks=0`, // Node itself frees little at its end
    ATHANOR_PREBUILD: path.join(root, out), // where node-gyp-build looks for the addon
    // The runtime must come first in a program that is not sanitized itself, and find the C++ library it wraps.
    LD_PRELOAD: [library(sanitize === 'thread' ? 'libtsan.so' : 'libasan.so'), library('libstdc++.so')].join(' '),
  };
  counts = add(counts, runJest(jestArguments, { env }));
}
finish(counts);
