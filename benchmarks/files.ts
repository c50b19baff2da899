// Files that appear whole or not at all.
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';

/** Writes a text beside its name and then renames it, so that an interrupted run leaves the old file or the new one. */
export function writeWhole(file: string, text: string): void {
  const folder = path.dirname(path.resolve(file));
  fs.mkdirSync(folder, { recursive: true });
  const temporary = path.join(folder, `.${path.basename(file)}.${randomBytes(4).toString('hex')}.tmp`);
  try {
    fs.writeFileSync(temporary, text);
    fs.renameSync(temporary, file);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  }
}

/** Throws, naming the file, where writeWhole() could not write it: before a run of minutes rather than after it. */
export function checkWritable(file: string): void {
  const folder = path.dirname(path.resolve(file));
  try {
    if (fs.statSync(file, { throwIfNoEntry: false })?.isDirectory()) throw new Error('it is a folder');
    fs.mkdirSync(folder, { recursive: true });
    fs.rmSync(fs.mkdtempSync(path.join(folder, `.${path.basename(file)}.`)), { recursive: true });
  } catch (error) {
    throw new Error(`${file} cannot be written: ${(error as Error).message}`);
  }
}
