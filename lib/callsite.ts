// Which line of the user's made a call that failed later, on the stream. Capturing a stack costs as much as five ops, so it
// is done for calls that can fail: those that look at their data, and all while memory may run out. The text is only made
// when a failure asks for it.
import * as path from 'node:path';
import { AthanorError, renamed } from './errors.js';

/** An op that runs under a name of its own, and the function that was called. */
interface Alias {
  readonly op: string;
  readonly name: string;
}

interface Submission {
  readonly sequence: number;
  readonly site: { stack?: string };
  readonly alias: Alias | null;
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

let alias: Alias | null = null;

/** The error, told of the function `name` where it is told of `op`. */
export function retold(error: unknown, op: string, name: string): unknown {
  if (error instanceof AthanorError) {
    const before = error.message;
    error.message = renamed(before, op, name);
    error.stack = error.stack?.replace(before, () => error.message);
  }
  return error;
}

/** Runs `fn`, in which `op` works for the function `name`: what fails, now or later, is told of that function. */
export function calledAs<R>(name: string, op: string, fn: () => R): R {
  const outer = alias;
  alias = { op, name };
  try {
    return fn();
  } catch (error) {
    throw retold(error, op, name);
  } finally {
    alias = outer;
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

/** Remembers where submission `sequence` of the compute stream was made, and for which function if not the op's own. */
export function noteSubmission(sequence: number, own: Alias | null): void {
  let site: Submission['site'];
  if (shared === null) site = capture();
  else site = shared.site ??= capture();
  queue.push({ sequence, site, alias: own ?? alias });
}

/** Forgets submissions that have ended. */
export function forgetCompleted(completed: number): void {
  for (; first < queue.length && (queue[first] as Submission).sequence <= completed; first++) queue[first] = undefined;
  if (2 * first < queue.length) return;
  queue = first === queue.length ? [] : queue.slice(first);
  first = 0;
}

/** `file:line:column` of the user's call: the first frame outside of athanor. */
function placeOf({ stack }: Submission['site']): string | undefined {
  for (const line of stack?.split('\n').slice(1) ?? []) {
    const place = /\(?((?:file:\/\/)?[^\s()]+:\d+:\d+)\)?$/.exec(line)?.[1];
    if (place !== undefined && !place.includes(own) && !place.startsWith('node:')) return place;
  }
  return undefined;
}

/** The message of a submission's failure: of the function that the user called, and with the place of that call. */
export function told(message: string, sequence: number): string {
  const submission = queue.find((s) => s?.sequence === sequence);
  if (submission === undefined) return message;
  const { site, alias } = submission;
  const place = placeOf(site);
  const named = alias === null ? message : renamed(message, alias.op, alias.name);
  return place === undefined ? named : `${named}\n    called at ${place}`;
}
