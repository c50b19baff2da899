// Which line of the user's made a call that failed later, on the stream. A call that is queued takes microseconds at
// least, so capturing its stack costs little beside it; the text is only made when a failure asks for it.
import * as path from 'node:path';

interface Submission {
  readonly sequence: number;
  readonly site: { stack?: string };
}

// Oldest first. A captured stack keeps the receivers of its frames (tensors) alive, so what has ended is dropped at once.
let queue: Submission[] = [];
const frames = 24; // enough to leave a deep stack of layers
const own = path.resolve(__dirname) + path.sep;

/** Remembers where submission `sequence` of the compute stream was made, and forgets those up to `completed`. */
export function noteSubmission(stream: 0 | 1, sequence: number, completed: number): void {
  if (stream !== 0) return;
  forgetCompleted(completed);
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = frames;
  const site: { stack?: string } = {};
  Error.captureStackTrace(site, noteSubmission);
  Error.stackTraceLimit = limit;
  queue.push({ sequence, site });
}

/** Forgets submissions that have ended. */
export function forgetCompleted(completed: number): void {
  let n = 0;
  while (n < queue.length && queue[n].sequence <= completed) n++;
  if (n > 0) queue = n === queue.length ? [] : queue.slice(n);
}

/** `file:line:column` of the user's call behind a submission: the first frame outside of athanor. */
export function callSite(sequence: number): string | undefined {
  const stack = queue.find((s) => s.sequence === sequence)?.site.stack;
  for (const line of stack?.split('\n').slice(1) ?? []) {
    const place = /\(?((?:file:\/\/)?[^\s()]+:\d+:\d+)\)?$/.exec(line)?.[1];
    if (place !== undefined && !place.includes(own) && !place.startsWith('node:')) return place;
  }
  return undefined;
}
