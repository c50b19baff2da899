import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { fail } from '../errors.js';
import { messageOf } from '../io/bytes.js';
import type { RemoteFile } from './remote.js';

/** What happens during a download, for whoever shows it. */
export type DownloadEvent =
  | { readonly kind: 'present'; readonly file: RemoteFile }
  | { readonly kind: 'start'; readonly file: RemoteFile; readonly url: string; readonly from: number }
  | { readonly kind: 'progress'; readonly file: RemoteFile; readonly received: number }
  | { readonly kind: 'failed'; readonly file: RemoteFile; readonly url: string; readonly reason: string }
  | { readonly kind: 'done'; readonly file: RemoteFile };

/** How to download. */
export interface DownloadOptions {
  /** Addresses to try in order, each ending in a slash. */
  mirrors: readonly string[];
  /** Where the files go; made when missing. */
  folder: string;
  /** Called for every event. */
  onEvent?: (event: DownloadEvent) => void;
  /** Stops the download; what has arrived stays in the `.part` file. */
  signal?: AbortSignal;
  /** Milliseconds without a byte after which a mirror counts as dead. Default 30,000. */
  stallTimeout?: number;
}

/** Times that one mirror is asked to go on after a broken connection. */
const ATTEMPTS = 3;
/** Milliseconds before the second attempt; twice as long before the third. */
const PAUSE = 500;

/** The mirror cannot serve the file; asking it again is of no use. */
class MirrorError extends Error {}

async function sizeOf(path: string): Promise<number | undefined> {
  const status = await stat(path).catch(() => undefined);
  return status?.isFile() ? status.size : undefined;
}

/** Whether the file has the bytes it should have. */
async function isWhole(path: string, { size, sha256 }: RemoteFile, signal?: AbortSignal): Promise<boolean> {
  if ((await sizeOf(path)) !== size) return false;
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash, { signal });
  return hash.digest('hex') === sha256;
}

/** Where the server's answer starts within the file. */
function answerStart(response: Response, asked: number): number {
  if (response.status === 200) return 0; // the server does not serve ranges and sends everything
  if (response.status !== 206) {
    throw new MirrorError(`HTTP ${response.status}${response.statusText ? ` ${response.statusText}` : ''}`);
  }
  const range = response.headers.get('content-range') ?? '';
  if (!range.startsWith(`bytes ${asked}-`)) {
    throw new MirrorError(`asked for bytes from ${asked}, the server answers with "${range}"`);
  }
  return asked;
}

/** Asks one mirror for the rest of a file and appends it to the `.part` file. */
async function fetchRest(url: string, part: string, file: RemoteFile, options: DownloadOptions): Promise<void> {
  const { onEvent, signal, stallTimeout = 30_000 } = options;
  const have = (await sizeOf(part)) ?? 0;
  if (have === file.size) return;
  onEvent?.({ kind: 'start', file, url, from: have });
  const stalled = new AbortController();
  const stop = () => stalled.abort(new Error(`no data for ${stallTimeout / 1000} s`));
  const timer = setTimeout(stop, stallTimeout);
  const output = await open(part, have > 0 ? 'r+' : 'w');
  try {
    const response = await fetch(url, {
      // The sums are of the stored bytes; a server must not unpack or pack them on the way.
      headers: { 'accept-encoding': 'identity', ...(have > 0 ? { range: `bytes=${have}-` } : {}) },
      signal: signal ? AbortSignal.any([signal, stalled.signal]) : stalled.signal,
    });
    let at: number;
    try {
      at = answerStart(response, have);
    } catch (error) {
      await response.body?.cancel(); // an unread body keeps its connection open
      throw error;
    }
    await output.truncate(at);
    for await (const chunk of response.body ?? []) {
      timer.refresh();
      if (at + chunk.length > file.size) throw new MirrorError(`it sends more than ${file.size} bytes`);
      await output.write(chunk, 0, chunk.length, at);
      at += chunk.length;
      onEvent?.({ kind: 'progress', file, received: at });
    }
    if (at < file.size) throw new Error(`the connection ended after ${at} of ${file.size} bytes`);
    await output.sync();
  } finally {
    clearTimeout(timer);
    await output.close();
  }
}

/** fetch says only "fetch failed" and keeps the reason (refused, no such host, reset) in the cause. */
function reasonOf(error: unknown): string {
  const cause = (error as { cause?: unknown } | null)?.cause;
  return cause === undefined ? messageOf(error) : `${messageOf(error)} (${messageOf(cause)})`;
}

/** Asks one mirror until the `.part` file has its full length, going on after a broken connection. */
async function fetchInAttempts(url: string, part: string, file: RemoteFile, options: DownloadOptions): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await fetchRest(url, part, file, options);
    } catch (error) {
      if (options.signal?.aborted || error instanceof MirrorError || attempt === ATTEMPTS) throw error;
      options.onEvent?.({ kind: 'failed', file, url, reason: `${reasonOf(error)}; trying again` });
      await pause(PAUSE * attempt, undefined, { signal: options.signal });
    }
  }
}

/** Gets the whole file from one mirror into `part`. Rejects when the mirror cannot. */
async function fetchWhole(url: string, part: string, file: RemoteFile, options: DownloadOptions): Promise<void> {
  const begun = (await sizeOf(part)) !== undefined;
  await fetchInAttempts(url, part, file, options);
  if (await isWhole(part, file, options.signal)) return;
  await rm(part, { force: true });
  if (!begun) throw new MirrorError('the sha256 sum is wrong');
  // What lay there from before may be at fault, so this mirror gets a second, clean try.
  options.onEvent?.({ kind: 'failed', file, url, reason: 'the sha256 sum is wrong; starting afresh' });
  await fetchWhole(url, part, file, options);
}

async function downloadFile(file: RemoteFile, options: DownloadOptions): Promise<void> {
  const { mirrors, folder, onEvent, signal } = options;
  const path = join(folder, file.name);
  if (await isWhole(path, file, signal)) {
    onEvent?.({ kind: 'present', file });
    return;
  }
  const part = `${path}.part`;
  if (((await sizeOf(part)) ?? 0) > file.size) await rm(part);
  const reasons: string[] = [];
  for (const mirror of mirrors) {
    const url = new URL(file.name, mirror).href;
    try {
      await fetchWhole(url, part, file, options);
    } catch (error) {
      signal?.throwIfAborted();
      const reason = reasonOf(error);
      reasons.push(`${url}: ${reason}`);
      onEvent?.({ kind: 'failed', file, url, reason });
      continue;
    }
    await rename(part, path);
    onEvent?.({ kind: 'done', file });
    return;
  }
  fail('download', `no mirror delivered ${file.name}`, `\n  ${reasons.join('\n  ')}`);
}

/**
 * Downloads files one after the other, each checked by size and sha256 before it takes its name.
 *
 * A file that is already there and whole is left alone. Bytes arrive in `<name>.part`; a broken or stopped download goes on
 * from there (HTTP Range) with the next attempt, the next mirror or the next run. When a mirror fails, the next one is asked.
 *
 * @throws AthanorError `download: ...` with every mirror's reason when none delivers; the signal's reason when stopped
 */
export async function downloadFiles(files: readonly RemoteFile[], options: DownloadOptions): Promise<void> {
  options.signal?.throwIfAborted();
  await mkdir(options.folder, { recursive: true });
  for (const file of files) await downloadFile(file, options);
}
