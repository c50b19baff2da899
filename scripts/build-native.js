'use strict';
// The one entry to the native build: `npm run build:native`, `npm start`, the install of a source package, binding.gyp
// and prebuildify all come here.
//   node scripts/build-native.js [--config=Release|Debug] [--arch=x64] [--target=NAME]... [--sanitize=address,undefined]
//                                [--out=build/cmake]
// Environment: ATHANOR_CMAKE_ARGS (more -D options), ATHANOR_JOBS (compile jobs), CXX.
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { root, fail, run, packageFile } = require('./lib/run.js');
const { requireNativeTools } = require('./lib/tools.js');

// node-gyp's make hands its job server and overrides (`BUILDTYPE=Release`) down, and CMake's own make would obey them.
function cleanEnvironment() {
  const env = { ...process.env };
  for (const name of ['MAKEFLAGS', 'MFLAGS', 'MAKELEVEL', 'MAKEOVERRIDES', 'GNUMAKEFLAGS', 'BUILDTYPE'])
    delete env[name];
  return env;
}

function cmakeSteps({ config, arch, targets, out, defines }) {
  const jobs = process.env.ATHANOR_JOBS || String(os.availableParallelism());
  const cmakeJs = packageFile('cmake-js', 'bin/cmake-js');
  if (cmakeJs) {
    // Not `cmake-js compile`: with a CMakeCache.txt present it does not configure again (new -D options are ignored),
    // and after a compile error it wipes the tree and builds everything a second time.
    const common = ['--directory', root, '--out', out, '--config', config, '--arch', arch];
    const js = (verb, ...rest) => [process.execPath, cmakeJs, verb, ...common, ...rest];
    return [
      js('configure', ...defines.map((define) => define.replace(/^-D/, '--CD'))),
      ...targets.map((target) => js('build', '--target', target, '--parallel', jobs)),
    ];
  }
  // Without cmake-js, which is a development dependency, plain CMake does the same.
  return [
    ['cmake', '-S', root, '-B', out, `-DCMAKE_BUILD_TYPE=${config}`, `-DNODE_ARCH=${arch}`, ...defines],
    ['cmake', '--build', out, '--config', config, '--parallel', jobs, '--target', ...targets],
  ];
}

/** Configures and builds `targets`. CMake's tree must not be build/ itself, which node-gyp owns. */
function buildNative({
  config = 'Release',
  arch = process.arch,
  targets = ['athanor'],
  sanitize = '',
  out = 'build/cmake',
} = {}) {
  requireNativeTools();
  const defines = [
    ...(process.env.ATHANOR_CMAKE_ARGS || '').split(/\s+/).filter(Boolean),
    `-DATHANOR_SANITIZE=${sanitize}`,
  ];
  const env = cleanEnvironment();
  for (const [command, ...args] of cmakeSteps({ config, arch, targets, out: path.resolve(root, out), defines })) {
    run(command, args, { env });
  }
  const addon = path.join(root, 'build', config, 'athanor.node');
  if (targets.includes('athanor') && !fs.existsSync(addon))
    fail(`the build ended without ${path.relative(root, addon)}`);
}

module.exports = { buildNative };

if (require.main === module) {
  const { values } = parseArgs({
    options: {
      config: { type: 'string', default: 'Release' },
      arch: { type: 'string', default: process.env.npm_config_arch || process.arch },
      target: { type: 'string', multiple: true, default: ['athanor'] },
      sanitize: { type: 'string', default: '' },
      out: { type: 'string', default: 'build/cmake' },
    },
  });
  buildNative({ ...values, targets: values.target });
}
