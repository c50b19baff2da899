// Garbage whose native memory weighs more than V8 thinks is collected on athanor's own account.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { native } from './native.js';

let collector: (() => void) | null = null;

// V8 has no other door for this: the flag adds `gc` to contexts made from then on, and is taken back at once.
function findCollector(): () => void {
  if (typeof globalThis.gc === 'function') return globalThis.gc as () => void;
  setFlagsFromString('--expose-gc');
  try {
    return runInNewContext('gc') as () => void;
  } finally {
    setFlagsFromString('--no-expose-gc');
  }
}

/** Collects garbage now; finalizers give its native memory back meanwhile. */
export function collectGarbage(): void {
  collector ??= findCollector();
  collector();
  native.configure({ collected: true });
}
