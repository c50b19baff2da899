// Runs in a worker thread of syntheticDigits: takes jobs one by one, hands the pixels over without copying them.
import { parentPort, workerData } from 'node:worker_threads';
import { type Job, runJob } from './job.js';

const { seed } = workerData as { seed: number };

parentPort?.on('message', (job: Job) => {
  const { images, labels } = runJob(seed, job);
  parentPort?.postMessage({ images, labels }, [images.buffer as ArrayBuffer, labels.buffer as ArrayBuffer]);
});
