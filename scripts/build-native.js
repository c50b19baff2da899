'use strict';
// Builds the native half: for `npm run build:native`, for binding.gyp and, through gyp-shim.js, for prebuildify.
//   node scripts/build-native.js [--config=Release|Debug] [--arch=x64]
// Environment: ATHANOR_CMAKE_ARGS (more -D options), ATHANOR_JOBS (compile jobs), CXX.
const { requireNode } = require('./lib/tools.js');
requireNode();
const { buildNative } = require('./lib/native.js');
const { parseOptions } = require('./lib/run.js');

const { config, arch } = parseOptions(__filename, {
  config: { type: 'string', default: 'Release' },
  arch: { type: 'string', default: process.env.npm_config_arch || process.arch },
});
buildNative({ config, arch });
