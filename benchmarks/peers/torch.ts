import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import * as path from 'node:path';
import * as readline from 'node:readline';
import type { Case } from '../cases.js';
import type { Runner } from '../timer.js';

/** PyTorch in a process of its own, spoken to in lines of JSON. */
export class Torch {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly lines: AsyncIterator<string>;

  private constructor(
    python: string,
    private readonly threads: number,
    root: string,
  ) {
    // An OPENBLAS_CORETYPE set for another machine would slow the peer down and flatter us.
    const { OPENBLAS_CORETYPE: _, ...env } = process.env;
    this.child = spawn(python, [path.join(root, 'benchmarks', 'peers', 'torch_peer.py')], { env });
    this.child.stderr.pipe(process.stderr);
    this.lines = readline.createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  /** Starts the peer, or says why it is absent. */
  static start(threads: number, root: string): Torch | string {
    const python = process.env.PYTHON ?? 'python3';
    const probe = spawnSync(python, ['-c', 'import torch']);
    if (probe.status !== 0) return 'torch: absent; pip install torch numpy';
    return new Torch(python, threads, root);
  }

  private async ask(request: unknown): Promise<Record<string, number>> {
    this.child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.lines.next();
    if (done) throw new Error('torch: the peer ended; its message is above');
    return JSON.parse(value);
  }

  /** A runner for a case. Valid until the next one is made. */
  async runner(c: Case): Promise<Runner> {
    await this.ask({ prepare: c, threads: this.threads });
    return { name: 'torch', run: async (calls) => (await this.ask({ run: calls })).seconds };
  }

  stop(): void {
    this.child.stdin.end();
  }
}
