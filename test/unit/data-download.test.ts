import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type DownloadEvent, downloadFiles } from '../../lib/data/download.js';
import { remoteDatasets } from '../../lib/data/remote.js';
import { temporaryFolder } from '../support/folder.js';

const content = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => (i * 31) ^ (i >> 8)));
const file = { name: 'file.bin', size: content.length, sha256: createHash('sha256').update(content).digest('hex') };

/** What the server was asked for: mirror name and Range header. */
let asked: string[] = [];
type Answer = (request: IncomingMessage, response: ServerResponse) => void;

function rangeStart(request: IncomingMessage): number {
  return Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
}

/** Serves `bytes` with support for ranges, as a good mirror does. */
const serve =
  (bytes: Buffer): Answer =>
  (request, response) => {
    const from = rangeStart(request);
    if (request.headers.range !== undefined) {
      response.writeHead(206, { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` });
    }
    response.end(bytes.subarray(from));
  };

const corrupt = Buffer.from(content);
corrupt[1000] ^= 1;
let cuts = 0;
const mirrors: Record<string, Answer> = {
  good: serve(content),
  absent: (_, response) => response.writeHead(404).end('no such file'),
  corrupt: serve(corrupt),
  long: serve(Buffer.concat([content, content])),
  whole: (_, response) => response.end(content), // ignores ranges
  wrongRange: (_, response) => response.writeHead(206, { 'content-range': 'bytes 5-9/10' }).end('12345'),
  silent: (_, response) => response.write(content.subarray(0, 1000)),
  packed: (request, response) => {
    expect(request.headers['accept-encoding']).toBe('identity');
    serve(content)(request, response);
  },
  // Breaks the connection a third of the way at each of the first two requests.
  cut: (request, response) => {
    const from = rangeStart(request);
    if (cuts++ >= 2) return serve(content)(request, response);
    response.writeHead(from > 0 ? 206 : 200, {
      'content-length': content.length - from,
      ...(from > 0 ? { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` } : {}),
    });
    response.write(content.subarray(from, from + 100_000), () => setTimeout(() => response.destroy(), 20));
  },
};

const server = createServer((request, response) => {
  const name = request.url!.split('/')[1];
  asked.push(`${name} ${request.headers.range ?? 'all'}`);
  mirrors[name](request, response);
});
let base: string;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const outside = temporaryFolder();
let folder: string;
let events: DownloadEvent[];
beforeEach(() => {
  folder = outside.path('here');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  [asked, events, cuts] = [[], [], 0];
});

const get = (names: string[], more: { signal?: AbortSignal; stallTimeout?: number } = {}) =>
  downloadFiles([file], {
    mirrors: names.map((name) => `${base}/${name}/`),
    folder,
    onEvent: (event) => events.push(event),
    ...more,
  });
const part = () => join(folder, 'file.bin.part');
const kinds = () => events.map(({ kind }) => kind).filter((kind) => kind !== 'progress');

function expectWhole(): void {
  expect(readdirSync(folder)).toEqual(['file.bin']);
  expect(Buffer.compare(readFileSync(join(folder, 'file.bin')), content)).toBe(0);
}

test('downloads, and does nothing twice', async () => {
  await get(['packed']);
  expectWhole();
  expect(kinds()).toEqual(['start', 'done']);
  expect(events.filter(({ kind }) => kind === 'progress').at(-1)).toEqual({
    kind: 'progress',
    file,
    received: content.length,
  });
  events = [];
  await get(['good']);
  expect(kinds()).toEqual(['present']);
  expect(asked.length).toBe(1);
});

test('replaces a file of the right name with wrong bytes', async () => {
  outside.write('here/file.bin', corrupt);
  await get(['good']);
  expectWhole();
});

test('goes on where an earlier download ended', async () => {
  outside.write('here/file.bin.part', content.subarray(0, 123_456));
  await get(['good']);
  expectWhole();
  expect(asked).toEqual(['good bytes=123456-']);
});

test('a complete part needs no request, one that is too long is thrown away', async () => {
  outside.write('here/file.bin.part', content);
  await get(['good']);
  expectWhole();
  expect(asked).toEqual([]);
  rmSync(join(folder, 'file.bin'));
  outside.write('here/file.bin.part', Buffer.concat([content, content]));
  await get(['good']);
  expectWhole();
  expect(asked).toEqual(['good all']);
});

test('a server that ignores ranges is read from the start', async () => {
  outside.write('here/file.bin.part', corrupt.subarray(0, 5000));
  await get(['whole']);
  expectWhole();
  expect(asked).toEqual(['whole bytes=5000-']);
});

test('a part with wrong bytes costs one clean try, not the mirror', async () => {
  outside.write('here/file.bin.part', corrupt.subarray(0, 5000));
  await get(['good']);
  expectWhole();
  expect(asked).toEqual(['good bytes=5000-', 'good all']);
  expect(kinds()).toEqual(['start', 'failed', 'start', 'done']);
});

test('a broken connection is taken up again', async () => {
  await get(['cut']);
  expectWhole();
  expect(asked).toEqual(['cut all', 'cut bytes=100000-', 'cut bytes=200000-']);
});

test.each(['absent', 'corrupt', 'long', 'nothing-listens'])('mirror %s: the next one is asked', async (name) => {
  const bad = name === 'nothing-listens' ? 'http://127.0.0.1:9/' : `${base}/${name}/`;
  await downloadFiles([file], { mirrors: [bad, `${base}/good/`], folder, onEvent: (event) => events.push(event) });
  expectWhole();
  expect(asked.at(-1)).toMatch(/^good /);
  expect(kinds().at(-1)).toBe('done');
});

test('a silent mirror counts as dead, and the next goes on from its bytes', async () => {
  await get(['silent', 'good'], { stallTimeout: 100 });
  expectWhole();
  expect(asked.at(-1)).toBe('good bytes=1000-');
});

test('says why each mirror failed', async () => {
  await expect(get(['absent', 'corrupt'])).rejects.toThrow(
    `download: no mirror delivered file.bin: \n  ${base}/absent/file.bin: HTTP 404 Not Found\n` +
      `  ${base}/corrupt/file.bin: the sha256 sum is wrong`,
  );
  expect(readdirSync(folder)).toEqual([]);
  outside.write('here/file.bin.part', content.subarray(0, 10));
  await expect(get(['wrongRange'])).rejects.toThrow(/asked for bytes from 10, the server answers with "bytes 5-9\/10"/);
});

test('a stopped download keeps what has arrived and goes on later', async () => {
  const stopper = new AbortController();
  const stopped = get(['silent'], { signal: stopper.signal });
  const wait = setInterval(() => {
    if (events.some(({ kind }) => kind === 'progress')) stopper.abort();
  }, 5);
  await expect(stopped).rejects.toThrow(/abort/);
  clearInterval(wait);
  expect(readFileSync(part()).length).toBe(1000);
  await get(['good']);
  expectWhole();
  expect(asked).toEqual(['silent all', 'good bytes=1000-']);
});

test('a download stopped before it began asks nobody', async () => {
  await expect(get(['good'], { signal: AbortSignal.abort() })).rejects.toThrow(/abort/);
  expect(asked).toEqual([]);
  expect(existsSync(part())).toBe(false);
});

test('the table of data sets is well-formed', () => {
  for (const { mirrors: addresses, files } of Object.values(remoteDatasets)) {
    for (const address of addresses) expect(address).toMatch(/^https:\/\/.*\/$/);
    for (const { sha256, size } of files) {
      expect(sha256).toMatch(/^[0-9a-f]{64}$/);
      expect(size).toBeGreaterThan(0);
    }
  }
});
