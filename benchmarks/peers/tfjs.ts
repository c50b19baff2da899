// TensorFlow.js: its WebAssembly backend and its plain JavaScript one.
import * as path from 'node:path';
import type { Case } from '../case.js';
import type { Job } from '../jobs/job.js';
import type { PeerKind } from './index.js';
import { installCommand, packageVersion } from './packages.js';
import { caseWorks, jobWorks } from './tfjs-cases.js';

const packages = ['@tensorflow/tfjs', '@tensorflow/tfjs-backend-wasm'];
const largest = 1 << 24; // elements of an input: beyond it a run of the plain JavaScript backend takes minutes

export const tfjs: PeerKind = {
  family: 'tfjs',
  find() {
    const missing = packages.filter((name) => packageVersion(name) === undefined);
    if (missing.length > 0) {
      return { reason: `${missing.join(' and ')} not installed`, install: installCommand(...packages) };
    }
    const args = (backend: string) => [path.join(__dirname, 'tfjs-peer.js'), backend];
    return [{ name: 'tfjs-wasm', command: process.execPath, args: args('wasm') }];
  },
  modes(work: Case | Job) {
    if ('kind' in work) return jobWorks.includes(work.work) ? [''] : [];
    const plain = work.gradient === undefined && work.inputs.every((i) => i.dtype === undefined);
    const size = Math.max(...work.inputs.map((i) => i.shape.reduce((n, s) => n * s, 1)));
    return plain && size <= largest && caseWorks.includes(work.work) ? [''] : [];
  },
};
