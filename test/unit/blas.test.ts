// ATHANOR_BLAS: each library is loaded into a process of its own.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../support/folder.js';
import { runProgram } from '../support/program.js';
import type { ProductsReport } from './programs/products.js';

const folder = temporaryFolder();
const program = 'unit/programs/products.ts';
const own = ['vector', 'dots', 'direct', 'packed', 'plain'];
const ofFloats = (kernels: readonly string[]) => kernels.filter((k) => k !== 'pairs' && k !== 'widened'); // bfloat16's
const leftToOwn = ['small', 'a row', 'steps of two'];

function products(library: string, env: NodeJS.ProcessEnv = {}): Promise<ProductsReport> {
  return runProgram<ProductsReport>(program, [3], { ...env, ATHANOR_BLAS: library });
}

function checkProducts(report: ProductsReport): void {
  expect(ofFloats(report.kernels)).toEqual(['blas', ...own]);
  expect(report.products).toHaveLength(30);
  for (const { name, fits, distance } of report.products) {
    expect([name, fits]).toEqual([name, !leftToOwn.some((end) => name.endsWith(` ${end}`))]);
    expect(distance).toBeLessThan(1);
  }
}

/** The whole error of a process that was given `library`. */
async function refusal(library: string): Promise<string> {
  const error = await products(library).then(
    () => new Error(`${library} was loaded`),
    (e: Error & { stderr: string }) => e,
  );
  return /ATHANOR_BLAS.*/.exec((error as { stderr?: string }).stderr ?? '')?.[0] ?? error.message;
}

test('without the variable nothing is loaded', async () => {
  const { blas, kernels, products: made } = await products('');
  expect(blas).toBe('own');
  expect(ofFloats(kernels)).toEqual(own);
  expect(made.some(({ fits }) => fits)).toBe(false);
});

/** Why nothing was found under the name `openblas`; empty: there is one. */
const absent = spawnSync(
  process.execPath,
  [
    '-p',
    `[require('node-gyp-build')('.').open(new Float64Array(1), () => {})].filter((x) => typeof x === 'string')[0] ?? ''`,
  ],
  { cwd: join(__dirname, '..', '..'), env: { ...process.env, ATHANOR_BLAS: 'openblas' }, encoding: 'utf8' },
).stdout.trim();
const compiler = ['cc', 'gcc', 'clang'].find((c) => spawnSync(c, ['--version']).status === 0);

(absent === '' ? test : test.skip)(`OpenBLAS agrees with the own kernels${absent && ` (${absent})`}`, async () => {
  const report = await products('openblas');
  expect(report.blas).toMatch(/openblas/);
  checkProducts(report);
});

describe('a library given by its path', () => {
  const library = folder.path('cblas.so');
  const log = folder.path('calls.txt');
  const build = (...args: string[]) => spawnSync(compiler as string, ['-shared', '-fPIC', '-o', ...args]);
  const needsCompiler = compiler === undefined ? test.skip : test;

  needsCompiler(`is called with the number of threads${compiler ? '' : ': no C compiler'}`, async () => {
    expect(build(library, join(__dirname, 'programs', 'cblas.c')).status).toBe(0);
    const report = await products(library, { CBLAS_LOG: log });
    expect(report.blas).toBe(library);
    checkProducts(report);
    const calls = readFileSync(log, 'utf8').trim().split('\n');
    expect(calls[0]).toBe('threads 3 0 0');
    expect(calls.filter((call) => call.startsWith('threads'))).toHaveLength(1);
    expect(calls.filter((call) => call.startsWith('wrong'))).toEqual([]);
    // Four transposes, windows, 3 and 6 of the batches, five linear layers of which one folds its batch into rows.
    expect(calls.filter((call) => call.startsWith('cblas_sgemm'))).toHaveLength(19);
    expect(calls.filter((call) => call.startsWith('cblas_dgemm'))).toHaveLength(19);
    expect(calls).toContain('cblas_sgemm 80 90 110');
  });
});

test('what is no library is one clear error', async () => {
  const missing = folder.path('missing.so');
  expect(existsSync(missing)).toBe(false);
  expect(await refusal(missing)).toMatch(
    /^ATHANOR_BLAS: no library could be loaded \(.*missing\.so.*\): '.*missing\.so'$/,
  );
  expect(await refusal('opnblas')).toBe(
    "ATHANOR_BLAS: must be openblas, mkl, blis, accelerate, or a library's file: 'opnblas'",
  );
});

const mathLibrary = { linux: 'libm.so.6', darwin: '/usr/lib/libm.dylib', win32: 'kernel32.dll' }[
  process.platform as string
];

(mathLibrary === undefined ? test.skip : test)('a library without the functions is one clear error', async () => {
  expect(await refusal(mathLibrary as string)).toBe(
    `ATHANOR_BLAS: the library has no function cblas_sgemm: '${mathLibrary}'`,
  );
});
