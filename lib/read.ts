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

async function yieldTurn(): Promise<void> {
  await nextTurn();
  lastTurn = performance.now();
}

/** Fills `destination` from a storage; resolves when the data is there, without blocking the event loop meanwhile. */
export async function readAsync<T extends TypedArray>(handle: Handle, offsetBytes: number, destination: T): Promise<T> {
  const answer = native.read(handle, offsetBytes, destination, 0);
  if (typeof answer === 'number') {
    const data = await new Promise<TypedArray>((resolve, reject) => {
      waiting.set(answer, { destination, resolve, reject });
    });
    lastTurn = performance.now();
    return data as T;
  }
  if (typeof answer === 'string') throw streamError(answer, block[Block.sequence]);
  forgetCompleted(Number.MAX_SAFE_INTEGER);
  if (performance.now() - lastTurn > patience) await yieldTurn();
  return destination;
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
