'use strict';
// `npm run test:sanitize [-- thread]`: the native tests under AddressSanitizer and UndefinedBehaviorSanitizer, or under
// ThreadSanitizer, from a build of their own.
const { prepare } = require('./lib/prepare.js');
const { finish } = require('./lib/counts.js');
const { runNativeTests } = require('./lib/suites.js');

const sanitize = process.argv[2] ?? 'address,undefined';
const out = `build/cmake-${sanitize.replace(',', '-')}`;
prepare({ native: { config: 'Debug', targets: ['athanor_native_test'], sanitize, out }, typescript: false });
finish(
  runNativeTests({
    out,
    env: {
      ASAN_OPTIONS: 'detect_leaks=1:detect_stack_use_after_return=1',
      UBSAN_OPTIONS: 'print_stacktrace=1',
      TSAN_OPTIONS: 'second_deadlock_stack=1',
    },
  }),
);
