// A peer: another library that runs the same cases, in a process of its own that is spoken to in lines of JSON.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as readline from 'node:readline';
import { asleep } from '../asleep.js';
import type { Case } from '../case.js';
import type { Job } from '../jobs/job.js';
import type { Runner } from '../timer.js';

/** A job as peers get it: what it is, and the files with its state and its inputs. */
export interface JobRequest extends Pick<Job, 'work' | 'kind' | 'batch' | 'heads'> {
  readonly state: string;
  readonly inputs: string;
  /** Steps whose losses are compared. */
  readonly steps: number;
}

/** What a peer is asked to make ready. */
export type PeerRequest = { readonly case: Case } | { readonly job: JobRequest };

/** What a peer made of a case: its result, and how to time it. */
export interface Prepared {
  readonly runner: Runner;
  readonly result: Float64Array;
}

/** How a peer is started. */
export interface PeerCommand {
  /** As the tables call it. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly threads: number;
  readonly device: string;
  readonly precision: string;
  /** A folder for results; the caller removes it. */
  readonly folder: string;
  /** Seconds that it gets for an answer. Default: 120 to start, 900 to make a case ready, 300 for a sample. */
  readonly patience?: Readonly<typeof patient>;
}

interface Answer {
  readonly unsupported?: string;
  readonly error?: string;
  readonly version?: string;
  readonly seconds?: number;
}

const running = new Set<PeerProcess>();

/** Seconds that a peer gets for an answer before it is ended: compiling a model takes minutes. */
const patient = { start: 120, prepare: 900, run: 300 };

/** The same in a run of so many minutes: what takes a third of them to be made ready is given up, and the others are timed. */
export function patienceFor(minutes: number): typeof patient {
  return { ...patient, prepare: Math.min(patient.prepare, Math.max(1, 20 * minutes)) };
}

/** Ends every peer, also in the middle of a call. */
export function killPeers(): void {
  for (const peer of running) peer.kill();
}

/**
 * The process of a peer. It ends by itself when its standard input does, so none outlives this process. One that fails
 * or does not answer is ended, and started anew for the next case.
 */
export class PeerProcess {
  readonly name: string;
  private readonly options: PeerCommand;
  private readonly resultFile: string;
  private readonly patience: Readonly<typeof patient>;
  private child: ChildProcessWithoutNullStreams;
  private lines: AsyncIterator<string>;
  private failure = '';
  private over = false;

  constructor(options: PeerCommand) {
    this.name = options.name;
    this.options = options;
    this.resultFile = path.join(options.folder, `${options.name}.f64`);
    this.patience = options.patience ?? patient;
    this.child = this.start();
    this.lines = this.answers();
  }

  private start(): ChildProcessWithoutNullStreams {
    const { command, args, env } = this.options;
    this.failure = '';
    this.over = false;
    // A group of its own: Ctrl-C reaches this process alone, which then ends the peer with all that the peer started.
    const child = spawn(command, args, { env: env ?? process.env, detached: true });
    running.add(this);
    child.on('error', (error) => {
      this.failure = error.message;
    });
    child.stdin.on('error', () => {}); // the peer has ended: the next answer tells
    child.stderr.on('data', (text: Buffer) => {
      this.failure = (this.failure + text.toString()).slice(-2000);
    });
    return child;
  }

  private answers(): AsyncIterator<string> {
    return readline.createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  private async ask(request: Readonly<Record<string, unknown>>, seconds: number): Promise<Answer> {
    this.child.stdin.write(`${JSON.stringify(request)}\n`);
    let late = false;
    const limit = setTimeout(() => {
      late = true;
      this.kill();
    }, seconds * 1000);
    const { value, done } = await this.lines.next();
    clearTimeout(limit);
    if (done) {
      this.over = true;
      const why = late ? `no answer within ${seconds} s` : this.failure.trim() || 'without a message';
      throw new Error(`${this.name}: the peer ended: ${why}`);
    }
    const answer = JSON.parse(value) as Answer;
    if (answer.error !== undefined) throw new Error(`${this.name}: ${answer.error}`);
    return answer;
  }

  /** The version of the library. */
  async version(): Promise<string> {
    const { threads, device, precision } = this.options;
    return (await this.ask({ hello: true, threads, device, precision }, this.patience.start)).version ?? 'unknown';
  }

  /** Makes a case or a job ready and runs it once; `fresh` forgets what was made ready before. A string: why not. */
  async prepare(request: PeerRequest, mode: string, fresh: boolean): Promise<Prepared | string> {
    if (this.over) {
      this.child = this.start();
      this.lines = this.answers();
      await this.version();
    }
    const answer = await this.ask(
      { prepare: { ...request, mode, fresh, result: this.resultFile } },
      this.patience.prepare,
    );
    if (answer.unsupported !== undefined) return answer.unsupported;
    const bytes = await fs.promises.readFile(this.resultFile);
    const result = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8).slice();
    const name = mode === '' ? this.name : `${this.name}-${mode}`;
    const run = async (calls: number) =>
      (await this.ask({ run: calls, mode }, this.patience.run)).seconds ?? Number.NaN;
    return { result, runner: { name, run, rest: () => asleep(this.child.pid ?? 0) } };
  }

  /** Lets it end. */
  stop(): void {
    this.child.stdin.end();
    running.delete(this);
  }

  kill(): void {
    running.delete(this);
    const { pid } = this.child;
    if (pid === undefined || this.child.exitCode !== null) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // it has ended meanwhile
    }
  }
}
