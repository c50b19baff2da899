import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { run } from '../../lib/cli/athanor.js';
import { remoteDatasets } from '../../lib/data/remote.js';
import { temporaryFolder } from '../support/folder.js';

const folder = temporaryFolder();
const root = join(__dirname, '..', '..');

class Text extends Writable {
  text = '';
  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

async function athanor(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const [stdout, stderr] = [new Text(), new Text()];
  const code = await run(args, { stdout, stderr });
  return { code, out: stdout.text, err: stderr.text };
}

test('help and version', async () => {
  const help = await athanor('--help');
  expect(help.code).toBe(0);
  expect(help.out).toMatch(/Usage: athanor .*Commands:.*data \[options\] <name>/s);
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  expect(await athanor('--version')).toEqual({ code: 0, out: `${version}\n`, err: '' });
});

test('info, as lines and as JSON', async () => {
  const report = JSON.parse((await athanor('info', '--json')).out);
  expect(report).toMatchObject({ node: process.versions.node, memoryLimit: 0 });
  expect(report.devices[0]).toBe('cpu');
  expect(report.gpu.length).toBeGreaterThan(0); // its name, or why there is none
  expect(['avx512', 'avx2', 'baseline']).toContain(report.isa);
  expect(typeof report.blas).toBe('string'); // see blas.test.ts
  expect(report.threads).toBeGreaterThanOrEqual(1);
  const { code, out } = await athanor('info');
  expect(code).toBe(0);
  expect(out).toMatch(new RegExp(`^isa: +${report.isa}$`, 'm'));
  expect(out).toMatch(/^mnist: +\//m);
});

test.each([
  [[], /Usage: athanor .*Commands:/s],
  [['dat'], /unknown command 'dat'.*Did you mean data\?.*Commands:/s],
  [['data'], /missing required argument 'name'.*choices: "mnist"/s],
  [['data', 'cats'], /'cats' is invalid.*Allowed choices are mnist\./s],
  [['data', 'mnist', '--fast'], /unknown option '--fast'.*--data <dir>.*--mirror <url>/s],
  [['data', 'mnist', '--mirror', 'ftp://x'], /data: --mirror must be an http or https address: "ftp:\/\/x"/],
])('%j is refused with what is allowed', async (args, message) => {
  const { code, out, err } = await athanor(...args);
  expect(code).toBe(1);
  expect(err).toMatch(message);
  expect(out).toBe('');
});

/** A mirror of MNIST: its files' first bytes, then silence; it never serves a right file. */
const server = createServer((request, response) => {
  if (request.url!.startsWith('/absent/')) response.writeHead(404).end();
  else response.write(Buffer.alloc(5000));
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

test('a download that fails says why and exits with 1', async () => {
  const { code, out, err } = await athanor(
    'data',
    'mnist',
    '--data',
    folder.path('none'),
    '--mirror',
    `${base}/absent`,
  );
  expect(code).toBe(1);
  const [first] = remoteDatasets.mnist.files;
  expect(out).toContain(`mnist (${remoteDatasets.mnist.title}) to ${folder.path('none')}\n`);
  expect(out).toContain(`${first.name}: 9.5 MiB from 127.0.0.1`);
  expect(err).toBe(
    `download: no mirror delivered ${first.name}: \n  ${base}/absent/${first.name}: HTTP 404 Not Found\n`,
  );
});

test('Ctrl-C stops a download with exit code 130 and keeps what has arrived', async () => {
  const script = join(root, 'dist', 'cli', 'athanor.js');
  const child = spawn(process.execPath, [script, 'data', 'mnist', '--data', folder.path('part'), '--mirror', base]);
  let err = '';
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  const part = join(folder.path('part'), 'train-images-idx3-ubyte.gz.part');
  const poll = setInterval(() => {
    if (!existsSync(part) || readFileSync(part).length < 5000) return;
    clearInterval(poll);
    child.kill('SIGINT');
    child.kill('SIGINT'); // under npm the signal comes twice
  }, 20);
  const code = await new Promise((resolve) => child.once('exit', resolve));
  expect(code).toBe(130);
  expect(err).toBe('\nStopped. What has arrived is kept; the same command goes on from there.\n');
  expect(readFileSync(part).length).toBe(5000);
});
