import * as fs from 'node:fs';
import * as path from 'node:path';

function findRoot(folder: string): string {
  if (fs.existsSync(path.join(folder, 'package.json'))) return folder;
  return findRoot(path.dirname(folder));
}

/** The folder of the checkout, seen from the sources and from build/. */
export const root = findRoot(__dirname);
