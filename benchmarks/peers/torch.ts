// PyTorch: eager in its best form, compiled, and channels-last for convolution.
import { spawnSync } from 'node:child_process';
import * as path from 'node:path';
import type { Case } from '../case.js';
import type { Job } from '../jobs/job.js';
import { root } from '../root.js';
import type { PeerKind } from './index.js';

const python = process.env.PYTHON ?? 'python3';

/** Works of several ops, which a compiler can fuse. */
const chains = ['chain'];
const convolutional = ['lenet5', 'resnet20', 'resnet18', 'resnet50'];

// OpenBLAS's threads look for work for 2^26 ticks, a tenth of a second and more, before they sleep; 2^20 is still far longer
// than the gap between two calls.
const openblasPatience = '20';

/**
 * What peers are started with: equal threads. An OPENBLAS_CORETYPE set for another machine would slow the peer down and
 * flatter us.
 */
export function cleanEnvironment(threads: number): NodeJS.ProcessEnv {
  const { OPENBLAS_CORETYPE: _, ...env } = process.env;
  return {
    ...env,
    OMP_NUM_THREADS: String(threads),
    OPENBLAS_NUM_THREADS: String(threads),
    OPENBLAS_THREAD_TIMEOUT: openblasPatience,
  };
}

export const torch: PeerKind = {
  family: 'torch',
  gpu: true,
  find(threads) {
    const probe = spawnSync(python, ['-c', 'import torch, numpy']);
    if (probe.status !== 0) {
      const missing = probe.error === undefined ? 'no torch or no numpy in' : 'cannot run';
      return { reason: `${missing} ${python}`, install: 'pip install torch numpy' };
    }
    const script = path.join(root, 'benchmarks', 'peers', 'torch_peer.py');
    return [{ name: 'torch', command: python, args: [script], env: cleanEnvironment(threads) }];
  },
  modes(work: Case | Job, quick: boolean) {
    const modes = [''];
    if ('kind' in work) {
      // A compiler that takes too long is ended with its process: it comes first, since what that has made ready is lost.
      if (work.gpu && !quick) modes.unshift('compile');
      if (convolutional.includes(work.work)) modes.push('channels-last');
      if (!work.gpu && !quick) modes.push('compile');
      if (work.gpu) modes.push('amp');
    } else {
      if (work.inputs[0]?.channelsLast) return ['channels-last'];
      if (work.group === 'conv') modes.push('channels-last');
      if (chains.includes(work.work) && !quick) modes.push('compile');
    }
    return modes;
  },
};
