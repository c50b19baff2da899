// Scripts that build before they run, run without building.
import { spawnSync } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import type { temporaryFolder } from './folder.js';

/** Runs a script with node. In place of building it prints a line: `everything`, `no kernels`, or the native targets. */
export function runPrepared(folder: ReturnType<typeof temporaryFolder>, args: readonly string[]) {
  const prepared = folder.write(
    'prepare.js',
    `const Module = require('node:module');
     const load = Module._load;
     const prepare = ({ native = {} } = {}) =>
       console.log(native === null ? 'no kernels' : (native.targets ?? ['everything']).join(' '));
     Module._load = (name, ...rest) => name === './lib/prepare.js' ? { prepare } : load(name, ...rest);`,
  );
  const root = resolve(dirname(__dirname), '..');
  return spawnSync(process.execPath, ['-r', prepared, ...args], { cwd: root, encoding: 'utf8' });
}
