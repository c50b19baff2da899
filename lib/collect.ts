// Garbage whose native memory weighs more than V8 thinks is collected on athanor's own account.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { native } from './native.js';

let collector: (() => void) | null = null;

const attempts = 100; // against other threads that take the flag back meanwhile

// V8 has no other door for this: the flag adds `gc` to contexts made from then on, and is taken back at once. It is the
// whole process's: of two threads that look at the same time, one may take it back before the other has its context.
function findCollector(): (() => void) | null {
  if (typeof globalThis.gc === 'function') return globalThis.gc as () => void;
  for (let attempt = 0; attempt < attempts; attempt++) {
    setFlagsFromString('--expose-gc');
    try {
      const found = runInNewContext('typeof gc === "function" ? gc : null') as (() => void) | null;
      if (found !== null) return found;
    } finally {
      setFlagsFromString('--no-expose-gc');
    }
  }
  return null;
}

/** Collects garbage now; finalizers give its native memory back meanwhile. */
export function collectGarbage(): void {
  collector ??= findCollector();
  if (collector === null) return; // the next call asks again
  collector();
  native.configure({ collected: true });
}
