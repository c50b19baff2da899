import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { memory } from '../../lib/index.js';

setFlagsFromString('--expose-gc');

/** Runs a full garbage collection now. */
export const collectGarbage = runInNewContext('gc') as () => void;

/**
 * The number of buffers once all garbage is gone. What a weak reference returned lives until the job that asked ends, so
 * one collection in the middle of a job may leave some for the next.
 */
export async function settledBuffers(): Promise<number> {
  for (let before = Number.POSITIVE_INFINITY; ; ) {
    await setImmediate();
    collectGarbage();
    const { buffers } = memory();
    if (buffers === before) return buffers;
    before = buffers;
  }
}
