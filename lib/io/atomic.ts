import { randomBytes } from 'node:crypto';
import { mkdir, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/**
 * Writes a file so that its name shows either the old content or the whole new one, even after a crash: the bytes go to a
 * temporary file in the same folder, reach the disk (fsync), and only then take the name. Missing folders are made. On
 * failure the temporary file is removed and the old file stays as it was.
 */
export async function writeAtomic(path: string, chunks: Iterable<Uint8Array>): Promise<void> {
  // rename() would replace a symbolic link by the file; the link's target is what is meant.
  const target = await realpath(path).catch(() => path);
  const status = await stat(target).catch(() => undefined);
  if (status?.isDirectory()) throw new Error('a folder is there');
  const folder = dirname(target);
  await mkdir(folder, { recursive: true });
  const temporary = join(folder, `.${basename(target)}.${process.pid}-${randomBytes(6).toString('hex')}.tmp`);
  try {
    const file = await open(temporary, 'wx', 0o666);
    try {
      for (const chunk of chunks) await file.writeFile(chunk);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  // The name itself lives in the folder; not every system lets a folder be synced.
  const parent = await open(folder, 'r').catch(() => undefined);
  await parent?.sync().catch(() => undefined);
  await parent?.close();
}
