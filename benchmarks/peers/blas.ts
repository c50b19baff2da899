// Any CBLAS: OpenBLAS, BLIS, MKL, Accelerate. A loop in C calls it, so that the call costs what it costs a C program.
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Case } from '../case.js';
import type { Job } from '../jobs/job.js';
import { root } from '../root.js';
import type { PeerKind } from './index.js';
import { cleanEnvironment } from './torch.js';

const python = process.env.PYTHON ?? 'python3';
// Libraries that are tuned; the reference implementation, which also calls itself libblas, is no peer.
const libraries = [
  process.env.ATHANOR_PEER_BLAS, // not ATHANOR_BLAS, which would have athanor use the library as well
  'libopenblas.so.0',
  'libopenblas.so',
  'libblis.so.4',
  'libblis.so',
  'libmkl_rt.so.2',
  'libmkl_rt.so',
  'libopenblas.dylib',
  '/System/Library/Frameworks/Accelerate.framework/Accelerate',
].filter((name): name is string => name !== undefined && name !== '');

const script = (file: string) => path.join(root, 'benchmarks', 'peers', file);

/** Compiles the loop that calls the library; a string: why it cannot. */
function compileLoop(): { library: string } | string {
  const library = path.join(root, 'build', 'benchmarks', 'blas_loop.so');
  const source = script('blas_loop.c');
  const fresh = fs.existsSync(library) && fs.statSync(library).mtimeMs > fs.statSync(source).mtimeMs;
  if (fresh) return { library };
  for (const compiler of [process.env.CC, 'cc', 'gcc', 'clang'].filter(
    (c) => c !== undefined && c !== '',
  ) as string[]) {
    const made = spawnSync(compiler, ['-O2', '-shared', '-fPIC', '-o', library, source, '-ldl']);
    if (made.status === 0) return { library };
  }
  return 'no C compiler';
}

export const blas: PeerKind = {
  family: 'blas',
  find(threads) {
    const install = 'apt install libopenblas0 (or ATHANOR_PEER_BLAS=path of any CBLAS), pip install numpy';
    const loop = compileLoop();
    if (typeof loop === 'string') return { reason: loop, install: 'apt install gcc' };
    const probe = spawnSync(python, [script('blas_peer.py'), '--find', loop.library, ...libraries], {
      encoding: 'utf8',
      env: cleanEnvironment(threads),
    });
    if (probe.status !== 0) return { reason: 'no CBLAS found, or no numpy', install };
    const library = probe.stdout.trim();
    const name = /openblas|blis|mkl|accelerate/i.exec(library)?.[0].toLowerCase() ?? 'blas';
    const args = [script('blas_peer.py'), loop.library, library];
    return [{ name, command: python, args, env: cleanEnvironment(threads) }];
  },
  modes(work: Case | Job) {
    const product = !('kind' in work) && (work.work === 'matmul' || work.work === 'linear');
    return product && work.inputs.every((i) => i.dtype !== 'bfloat16') ? [''] : [];
  },
};
