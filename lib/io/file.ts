import { open } from 'node:fs/promises';
import { fail, show } from '../errors.js';
import type { RandomAccess } from './safetensors/decode.js';

/** The most that one read call takes on every system. */
const MOST_AT_ONCE = 2 ** 30;

/** Throws unless `path` is a string, or a URL as Node's own functions take it. */
export function checkPath(op: string, path: unknown): void {
  if (typeof path !== 'string' && typeof (path as URL | null | undefined)?.href !== 'string')
    fail(op, 'path must be a string', show(path));
}

/** Opens a file for reading at any place, hands it to `use`, and closes it. */
export async function withFile<T>(path: string, use: (file: RandomAccess) => Promise<T>): Promise<T> {
  const handle = await open(path, 'r');
  try {
    const status = await handle.stat();
    if (!status.isFile()) throw new Error('not a regular file');
    return await use({
      size: status.size,
      async read(into, position) {
        for (let done = 0; done < into.length; ) {
          const length = Math.min(into.length - done, MOST_AT_ONCE);
          const { bytesRead } = await handle.read(into, done, length, position + done);
          if (bytesRead === 0) throw new Error(`the file ended early: ${done} of ${into.length} bytes at ${position}`);
          done += bytesRead;
        }
      },
    });
  } finally {
    await handle.close();
  }
}
