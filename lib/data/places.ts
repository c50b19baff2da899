import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

/** The environment, or what stands for it in a test. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The user's cache folder of athanor: `$XDG_CACHE_HOME/athanor`, else `~/.cache/athanor`. */
export function cacheFolder(environment: Environment = process.env): string {
  // The XDG specification says to ignore a relative path.
  const cache = environment.XDG_CACHE_HOME;
  return join(cache && isAbsolute(cache) ? cache : join(homedir(), '.cache'), 'athanor');
}

/** Where a data set may lie, in the order it is looked for: the folder given, else `$ATHANOR_DATA/<name>`, else the cache. */
export function dataFolders(name: string, given?: string, environment: Environment = process.env): string[] {
  if (given !== undefined) return [resolve(given), join(resolve(given), name)];
  const shared = environment.ATHANOR_DATA;
  return [...(shared ? [join(resolve(shared), name)] : []), join(cacheFolder(environment), name)];
}

/** Where a download of a data set goes: the first of the folders that it is looked for in. */
export function downloadFolder(name: string, given?: string, environment: Environment = process.env): string {
  return dataFolders(name, given, environment)[0];
}
