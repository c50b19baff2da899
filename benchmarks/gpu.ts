// What a run on a GPU needs between its cases.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as athanor from 'athanor';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Waits for the device. A failure that nobody has been told yet is told to the next who waits: it is of the last case. */
function settle(): void {
  try {
    athanor.synchronize();
  } catch {
    // that case has failed, and is over
  }
}

/** Gives back what the last case left behind: its tensors, and the memory that is cached for more of them. */
export function releaseDevice(device: athanor.DeviceName): void {
  collectGarbage();
  settle();
  athanor.trimMemory(device);
}

/** Whether a failure has taken the device from this process: a kernel that faults makes every later call fail. */
export function isLost(device: athanor.DeviceName): boolean {
  settle();
  try {
    const one = athanor.ones([1], { device });
    const right = one.itemSync() === 1;
    one.dispose();
    return !right;
  } catch {
    return true;
  }
}
