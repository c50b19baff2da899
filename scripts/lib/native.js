'use strict';
// The native half: CMake configured and run by cmake-js, or by itself where only the package's sources are.
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { root, fail, run, say, packageFile } = require('./run.js');
const { hashOf, isFresh, markFresh } = require('./stamp.js');
const { requireNativeTools } = require('./tools.js');

const extraDefines = () => (process.env.ATHANOR_CMAKE_ARGS || '').split(/\s+/).filter(Boolean);

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
    const common = ['--directory', root, '--out', out, '--config', config, '--arch', arch, '--log-level', 'error'];
    const cmake = (verb, ...rest) => [process.execPath, cmakeJs, verb, ...common, ...rest];
    return [
      cmake('configure', ...defines.map((define) => define.replace(/^-D/, '--CD'))),
      ...targets.map((target) => cmake('build', '--target', target, '--parallel', jobs)),
    ];
  }
  return [
    ['cmake', '-S', root, '-B', out, `-DCMAKE_BUILD_TYPE=${config}`, `-DNODE_ARCH=${arch}`, ...defines],
    ['cmake', '--build', out, '--config', config, '--parallel', jobs, '--target', ...targets],
  ];
}

/**
 * Builds `targets` (athanor: build/CONFIG/athanor.node, within `out` if sanitized, and the CUDA module where nvcc is;
 * athanor_addon: without that module; athanor_native_test: an executable in
 * `out`; athanor_cuda_simulated and, where nvcc is, athanor_cuda_ptx: CUDA modules for the processor, in `out`) where they
 * are stale.
 * CMake's tree must not be build/ itself, which node-gyp owns.
 */
function buildNative(options = {}) {
  const {
    config = 'Release',
    arch = process.arch,
    targets = ['athanor'],
    sanitize = '',
    out = 'build/cmake',
  } = options;
  // Named, since a define of an earlier build stays in CMake's cache.
  const defines = ['-DATHANOR_CUDA=AUTO', ...extraDefines(), `-DATHANOR_SANITIZE=${sanitize}`];
  const addon = `${sanitize ? `${out}/` : ''}build/${config}/athanor.node`;
  const files = {
    athanor: addon,
    athanor_addon: addon,
    athanor_cuda_simulated: `${out}/athanor_cuda_simulated.so`,
    athanor_cuda_ptx: `${out}/athanor_cuda_ptx.so`,
  };
  // The addon has a stamp of its own, so that either way of building it is seen by the other.
  const built = targets.includes('athanor') ? [...targets, 'athanor_addon'] : targets;
  const results = built.map((name) => files[name] ?? `${out}/${name}`);
  const hash = hashOf(
    ['native', 'CMakeLists.txt', 'scripts/lib/native.js', 'package-lock.json'],
    [config, arch, defines, process.env.CXX],
  );
  const stamps = built.map((name) => `${path.basename(out)}-${name}`);
  if (stamps.every((stamp, i) => isFresh(stamp, hash, [results[i]]))) return;

  requireNativeTools();
  say(`compiling the native half (${targets.join(', ')}); the first time takes a few minutes`);
  const env = cleanEnvironment();
  for (const [command, ...args] of cmakeSteps({ config, arch, targets, out: path.resolve(root, out), defines })) {
    run(command, args, { env });
  }
  const absent = results.filter((file) => !fs.existsSync(path.join(root, file)));
  if (absent.length > 0) fail(`the native build ended without ${absent.join(', ')}`);
  for (const stamp of stamps) markFresh(stamp, hash);
}

module.exports = { buildNative };
