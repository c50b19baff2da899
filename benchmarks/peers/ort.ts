// onnxruntime-node, on models that are written here.
import * as path from 'node:path';
import type { Case } from '../case.js';
import type { Job } from '../jobs/job.js';
import type { PeerKind } from './index.js';
import { hasGraph, modelWorks } from './onnx-cases.js';
import { installCommand, packageVersion } from './packages.js';

export const ort: PeerKind = {
  family: 'ort',
  find() {
    if (packageVersion('onnxruntime-node') === undefined) {
      return { reason: 'onnxruntime-node is not installed', install: installCommand('onnxruntime-node') };
    }
    return [{ name: 'ort', command: process.execPath, args: [path.join(__dirname, 'ort-peer.js')] }];
  },
  modes(work: Case | Job) {
    const can = 'kind' in work ? modelWorks.includes(work.work) : hasGraph(work);
    return can ? [''] : [];
  },
};
