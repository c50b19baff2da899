// Sync points: getting data out of the stream.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { forgetCompleted, told } from './callsite.js';
import type { TypedArray } from './dtype.js';
import { AthanorError } from './errors.js';
import { Block, block, type Handle, native, setReadListener } from './native.js';

interface Waiting {
  readonly destination: TypedArray;
  readonly resolve: (data: TypedArray) => void;
  readonly reject: (error: Error) => void;
}

const waiting = new Map<number, Waiting>();

function streamError(message: string, sequence: number): AthanorError {
  return new AthanorError(sequence === 0 ? message : told(message, sequence));
}

setReadListener((id, message, sequence) => {
  const entry = waiting.get(id);
  waiting.delete(id);
  if (message === undefined) entry?.resolve(entry.destination);
  else entry?.reject(streamError(message, sequence ?? 0));
});

// A loop that awaits reads which are ready at once would never leave the microtask queue, and timers and sockets would
// starve. Past this many milliseconds without a turn of the event loop a read waits for one.
const patience = 4;
let lastTurn = performance.now();

/** The answer to a read that was queued. Not part of readAsync(), so that nothing here holds the handle meanwhile. */
async function arrival<T extends TypedArray>(id: number, destination: T): Promise<T> {
  await new Promise<TypedArray>((resolve, reject) => {
    waiting.set(id, { destination, resolve, reject });
  });
  lastTurn = performance.now();
  return destination;
}

async function afterTurn<T extends TypedArray>(destination: T): Promise<T> {
  await nextTurn();
  lastTurn = performance.now();
  return destination;
}

/**
 * Fills `destination` from a storage; resolves when the data is there, without blocking the event loop meanwhile. No
 * async function: its frame would hold the handle until the read has ended, and the memory of hundreds of reads that are
 * awaited together could not be collected although the queue has done with it.
 */
export function readAsync<T extends TypedArray>(handle: Handle, offsetBytes: number, destination: T): Promise<T> {
  const answer = native.read(handle, offsetBytes, destination, 0);
  if (typeof answer === 'number') return arrival(answer, destination);
  if (typeof answer === 'string') return Promise.reject(streamError(answer, block[Block.sequence]));
  forgetCompleted(Number.MAX_SAFE_INTEGER);
  return performance.now() - lastTurn > patience ? afterTurn(destination) : Promise.resolve(destination);
}

/** Fills `destination` from a storage, blocking the thread until the stream has got there. */
export function readBlocking<T extends TypedArray>(handle: Handle, offsetBytes: number, destination: T): T {
  const answer = native.read(handle, offsetBytes, destination, 1);
  if (typeof answer === 'string') throw streamError(answer, block[Block.sequence]);
  forgetCompleted(Number.MAX_SAFE_INTEGER);
  return destination;
}

/** The failure that nobody has been told of, of what has ended by now: undefined when all went well. */
export function takeFailure(): AthanorError | undefined {
  const message = native.takeFailure();
  return message === undefined ? undefined : streamError(message, block[Block.sequence]);
}

/** Blocks until everything submitted has ended. Throws the failure that no read has delivered yet, if there is one. */
export function synchronize(): void {
  const message = native.synchronize();
  if (message !== undefined) throw streamError(message, block[Block.sequence]);
  forgetCompleted(Number.MAX_SAFE_INTEGER);
}
