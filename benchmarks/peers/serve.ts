// The line protocol of peer.ts, for peers that are Node programs.
import * as fs from 'node:fs';
import * as readline from 'node:readline';
import type { Case } from '../case.js';
import { stepOf } from '../data.js';
import type { JobRequest } from './peer.js';

/** The peer has no way to run a case; the message says why. */
export class Unsupported extends Error {}

/** What a peer is asked to make ready. */
export type PrepareRequest = {
  readonly mode: string;
  /** Forget what was prepared before. */
  readonly fresh: boolean;
  /** The file that the result goes to. */
  readonly result: string;
} & ({ readonly case: Case; readonly job?: undefined } | { readonly job: JobRequest; readonly case?: undefined });

/** A case made ready: its result, and a call of it. */
export interface Ready {
  readonly result: ArrayLike<number>;
  call(): unknown;
}

/** The elements of a result that are compared. */
export function sampled(values: ArrayLike<number>): Float64Array {
  const step = stepOf(values.length);
  return Float64Array.from({ length: Math.ceil(values.length / step) }, (_, i) => Number(values[i * step]));
}

/** Seconds that many calls take; what a call returns is waited for where it is a promise. */
async function timed(call: () => unknown, calls: number): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < calls; i++) {
    const out = call();
    if (out instanceof Promise) await out;
  }
  return (performance.now() - start) / 1e3;
}

/** Answers requests until standard input ends. */
export async function serve(
  hello: (threads: number) => Promise<string>,
  prepare: (request: PrepareRequest) => Promise<Ready>,
): Promise<void> {
  process.on('SIGINT', () => {}); // the program that started this one ends it
  console.log = console.error; // what a library prints must not get into the answers
  const ready = new Map<string, Ready>();
  const answer = async (request: {
    hello?: boolean;
    threads: number;
    prepare?: PrepareRequest;
    mode: string;
    run: number;
  }) => {
    if (request.hello) return { version: await hello(request.threads) };
    if (request.prepare === undefined) {
      return { seconds: await timed((ready.get(request.mode) as Ready).call, request.run) };
    }
    const { fresh, mode, result } = request.prepare;
    if (fresh) ready.clear();
    const made = await prepare(request.prepare);
    ready.set(mode, made);
    fs.writeFileSync(result, Float64Array.from(made.result));
    return {};
  };
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const said = await answer(JSON.parse(line)).catch((error: Error) =>
      error instanceof Unsupported ? { unsupported: error.message } : { error: error.message.slice(0, 500) },
    );
    process.stdout.write(`${JSON.stringify(said)}\n`);
  }
  process.exit(0);
}
