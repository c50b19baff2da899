// Packages of npm that are peers: no dependencies of athanor, looked for where a benchmark run may have put them.
import * as path from 'node:path';
import { root } from '../root.js';

/** Where they are installed, beside the benchmarks rather than among the project's own packages. */
export const packageFolder = path.join(root, 'benchmarks', 'peers');

/** Loads a package. Throws when it is not there. */
export function requirePackage(name: string): unknown {
  return require(require.resolve(name, { paths: [packageFolder, root] }));
}

/** The version of a package, or undefined when it is not there. */
export function packageVersion(name: string): string | undefined {
  try {
    return (requirePackage(`${name}/package.json`) as { version: string }).version;
  } catch {
    return undefined;
  }
}

/** The command that installs packages for peers. */
export function installCommand(...names: readonly string[]): string {
  return `npm install --no-save --no-package-lock --ignore-scripts --prefix benchmarks/peers ${names.join(' ')}`;
}
