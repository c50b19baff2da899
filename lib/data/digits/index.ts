import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, sep } from 'node:path';
import { Worker } from 'node:worker_threads';
import { checkOptions } from '../../options.js';
import { checkInteger } from '../../shape.js';
import type { ImageSplits, LabelledImages } from '../images.js';
import { PICTURE } from './draw.js';
import type { Job, JobResult } from './job.js';
import { SIDE } from './raster.js';

/** What `syntheticDigits` can be told. */
export interface SyntheticDigitsOptions {
  /** Whole number from 0 to 2^53 - 1; the same seed gives the same pictures. Default 0. */
  seed?: number;
  /** Training pictures. Default 60,000. */
  train?: number;
  /** Test pictures. Default 10,000. */
  test?: number;
  /** Worker threads that draw; the pictures do not depend on it. Default: one for each processor. */
  threads?: number;
}

/** Pictures that a thread draws at a time: about 30 ms of work, so that all threads end together. */
const JOB_SIZE = 1000;
/** The most pictures of one split: their bytes stay below 4 GiB, the longest array of every supported Node. */
const MOST = 5_000_000;

/** A thread needs compiled code; run from the TypeScript sources, that is the twin of this file below dist/. */
function workerFile(): string {
  const beside = join(__dirname, 'worker.js');
  if (existsSync(beside)) return beside;
  const at = __dirname.lastIndexOf(`${sep}lib${sep}`);
  return join(__dirname.slice(0, at), 'dist', __dirname.slice(at + 5), 'worker.js');
}

function emptyImages(count: number): LabelledImages {
  return {
    images: new Uint8Array(count * PICTURE),
    labels: new Uint8Array(count),
    count,
    height: SIDE,
    width: SIDE,
  };
}

/** Lets one worker thread take jobs until none is left; settles when the thread has ended. */
function work(seed: number, jobs: Iterator<Job>, deliver: (job: Job, result: JobResult) => void, signal: AbortSignal) {
  return new Promise<void>((resolve, reject) => {
    const worker = new Worker(workerFile(), { workerData: { seed } });
    let job: Job | undefined;
    const next = () => {
      const step = jobs.next();
      if (step.done) void worker.terminate();
      else {
        job = step.value;
        worker.postMessage(job);
      }
    };
    worker.on('message', (result: JobResult) => {
      deliver(job!, result);
      next();
    });
    worker.on('error', reject);
    worker.on('exit', () => resolve());
    signal.addEventListener('abort', () => void worker.terminate(), { once: true });
    next();
  });
}

/**
 * Draws a data set of handwritten digits from stroke outlines: 28x28 grey bytes, ink bright on black, fitted to a 20x20 box
 * and centred by mass as in MNIST (LeCun et al. 1998).
 *
 * Each picture picks one of several styles of its digit, shakes the control points of its curves, bends it elastically
 * (Simard et al. 2003), turns, slants, widens and shifts it, and inks it with random thickness, pressure, brightness, blur
 * and grain. Labels are balanced within every block of ten. Picture i of a split depends on the seed, the split and i alone.
 *
 * @returns train `images` (60,000 x 28 x 28) and `labels` (60,000), and the same for test (10,000).
 * @throws AthanorError when a count, the seed or the number of threads is not a whole number in its range.
 */
export async function syntheticDigits(options: SyntheticDigitsOptions = {}): Promise<ImageSplits> {
  checkOptions('syntheticDigits', options, ['seed', 'train', 'test', 'threads']);
  const seed = checkInteger('syntheticDigits', 'seed', options.seed ?? 0, 0);
  const train = emptyImages(checkInteger('syntheticDigits', 'train', options.train ?? 60_000, 0, MOST));
  const test = emptyImages(checkInteger('syntheticDigits', 'test', options.test ?? 10_000, 0, MOST));
  const threads = checkInteger('syntheticDigits', 'threads', options.threads ?? availableParallelism(), 1, 1024);
  const splits = { train, test };

  const jobs: Job[] = [];
  for (const split of ['train', 'test'] as const) {
    const { count } = splits[split];
    for (let from = 0; from < count; from += JOB_SIZE) {
      jobs.push({ split, from, count: Math.min(JOB_SIZE, count - from) });
    }
  }
  const deliver = ({ split, from }: Job, { images, labels }: JobResult) => {
    splits[split].images.set(images, from * PICTURE);
    splits[split].labels.set(labels, from);
  };
  const queue = jobs.values();
  const failed = new AbortController();
  const running = Array.from({ length: Math.min(threads, jobs.length) }, () =>
    work(seed, queue, deliver, failed.signal),
  );
  try {
    await Promise.all(running);
  } catch (error) {
    failed.abort();
    await Promise.allSettled(running);
    throw error;
  }
  return splits;
}
