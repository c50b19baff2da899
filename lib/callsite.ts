// Which line of the user's made a call that failed later, on the stream. Capturing a stack costs as much as five ops, so it
// is done for calls that can fail: those that look at their data, and all while memory may run out. The text is only made
// when a failure asks for it.
import * as path from 'node:path';

interface Submission {
  readonly sequence: number;
  readonly site: { stack?: string };
}

// Oldest first, from `first` on. A captured stack keeps the receivers of its frames (tensors) alive, so what has ended is
// dropped at once.
let queue: (Submission | undefined)[] = [];
let first = 0;
const frames = 12; // an op's own, and a few layers in layers; each costs a third of a microsecond
const own = path.resolve(__dirname) + path.sep;

let shared: { site: Submission['site'] | null } | null = null;

/** Runs `fn`, all of whose calls count as made where `fn` was asked for: one stack is captured for all of them. */
export function fromOneSite(fn: () => void): void {
  const outer = shared;
  shared ??= { site: null };
  try {
    fn();
  } finally {
    shared = outer;
  }
}

function capture(): Submission['site'] {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = frames;
  const site: Submission['site'] = {};
  Error.captureStackTrace(site, noteSubmission);
  Error.stackTraceLimit = limit;
  return site;
}

/** Remembers where submission `sequence` of the compute stream was made. */
export function noteSubmission(sequence: number): void {
  let site: Submission['site'];
  if (shared === null) site = capture();
  else site = shared.site ??= capture();
  queue.push({ sequence, site });
}

/** Forgets submissions that have ended. */
export function forgetCompleted(completed: number): void {
  for (; first < queue.length && (queue[first] as Submission).sequence <= completed; first++) queue[first] = undefined;
  if (2 * first < queue.length) return;
  queue = first === queue.length ? [] : queue.slice(first);
  first = 0;
}

/** `file:line:column` of the user's call behind a submission: the first frame outside of athanor. */
export function callSite(sequence: number): string | undefined {
  const stack = queue.find((s) => s?.sequence === sequence)?.site.stack;
  for (const line of stack?.split('\n').slice(1) ?? []) {
    const place = /\(?((?:file:\/\/)?[^\s()]+:\d+:\d+)\)?$/.exec(line)?.[1];
    if (place !== undefined && !place.includes(own) && !place.startsWith('node:')) return place;
  }
  return undefined;
}
