import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';

/** The message of whatever was thrown; errors of another realm fail `instanceof`, so it asks for the field. */
export function messageOf(error: unknown): string {
  const message = (error as { message?: unknown } | null)?.message;
  return typeof message === 'string' ? message : String(error);
}

/** Bytes with their unit, short enough for a message: "784 bytes", "9.5 MiB". */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} byte${bytes === 1 ? '' : 's'}`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  const power = Math.min(Math.floor(Math.log2(bytes) / 10), units.length);
  return `${(bytes / 1024 ** power).toFixed(1)} ${units[power - 1]}`;
}

/** A file that is read from its start on, unpacked on the way when it is gzipped. */
export interface ByteSource {
  /** True when the file begins with gzip's magic number. */
  readonly gzipped: boolean;
  /** Bytes of the file as stored. */
  readonly storedSize: number;
  /** Fills `into` and returns how many bytes there were; fewer than asked for only at the end. */
  read(into: Uint8Array): Promise<number>;
  /** Releases the file. */
  close(): Promise<void>;
}

/** Opens a file for reading bytes in order. Rejects with the system's error, or zlib's when the gzip data are broken. */
export async function openBytes(path: string): Promise<ByteSource> {
  const handle = await open(path, 'r');
  try {
    const status = await handle.stat();
    if (!status.isFile()) throw new Error('not a regular file');
    const magic = new Uint8Array(2);
    const { bytesRead } = await handle.read(magic, 0, 2, 0);
    const gzipped = bytesRead === 2 && magic[0] === 0x1f && magic[1] === 0x8b;
    const file = handle.createReadStream({ start: 0, highWaterMark: 256 * 1024 });
    let stream: Readable = file;
    if (gzipped) {
      const unpacked = createGunzip({ chunkSize: 256 * 1024 });
      file.on('error', (error) => unpacked.destroy(error));
      stream = file.pipe(unpacked);
    }
    const chunks = stream[Symbol.asyncIterator]();
    let rest: Uint8Array = new Uint8Array(0);
    return {
      gzipped,
      storedSize: status.size,
      async read(into) {
        let filled = 0;
        while (filled < into.length) {
          if (rest.length === 0) {
            const step = await chunks.next();
            if (step.done) break;
            rest = step.value;
            continue;
          }
          const piece = rest.subarray(0, into.length - filled);
          into.set(piece, filled);
          filled += piece.length;
          rest = rest.subarray(piece.length);
        }
        return filled;
      },
      async close() {
        stream.destroy();
        file.destroy();
        await handle.close().catch(() => undefined);
      },
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}
