// Four worker threads train at once, in rounds: some are left to end, some are terminated in the middle of a step. Prints,
// as JSON, how each ended and how resident memory went.
//   workers.ts ROUNDS
import { setTimeout as pause } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { memory } from 'athanor';
import { makeTrainer } from './trainer.js';

export interface WorkersReport {
  /** Exit codes of workers that were left to end, and their last losses. */
  readonly ended: readonly { readonly code: number; readonly loss: number }[];
  /** How many were terminated. */
  readonly terminated: number;
  /** Resident bytes after each round, less what the allocator keeps for the next. */
  readonly resident: readonly number[];
  /** What the allocator counts as in use when no worker is left. */
  readonly allocated: readonly number[];
}

interface Job {
  readonly sizes: readonly number[];
  readonly batch: number;
  /** Trains for ever when absent. */
  readonly steps?: number;
  readonly awaits: boolean;
}

async function train({ sizes, batch, steps = Infinity, awaits }: Job): Promise<void> {
  const trainer = makeTrainer(sizes, batch);
  let loss = 0;
  for (let i = 0; i < steps; i++) {
    const t = trainer.step();
    if (i === 0) parentPort?.postMessage({ started: true });
    if (awaits || i === steps - 1) loss = await t.item();
  }
  parentPort?.postMessage({ loss });
}

function start(job: Job) {
  const worker = new Worker(__filename, { workerData: job });
  let loss = Number.NaN;
  const started = new Promise<void>((resolve, reject) => {
    worker.on('message', (message) => {
      if ('loss' in message) loss = message.loss;
      else resolve();
    });
    worker.on('error', reject);
  });
  const exited = new Promise<{ code: number; loss: number }>((resolve) => {
    worker.on('exit', (code) => resolve({ code, loss }));
  });
  return { worker, started, exited };
}

async function main(): Promise<void> {
  const rounds = Number(process.argv[2]);
  const ended: { code: number; loss: number }[] = [];
  const resident: number[] = [];
  const allocated: number[] = [];
  let terminated = 0;
  const small = { sizes: [32, 64, 64, 8], batch: 32 };
  const large = { sizes: [512, 512, 8], batch: 128 };
  for (let round = 0; round < rounds; round++) {
    const whole = Array.from({ length: 4 }, (_, i) => start({ ...small, steps: 100, awaits: i % 2 === 0 }));
    ended.push(...(await Promise.all(whole.map(({ exited }) => exited))));
    // With tasks in the queue (a loop that never awaits), and with a read under way.
    const cut = Array.from({ length: 4 }, (_, i) => start({ ...(i < 2 ? small : large), awaits: i % 2 === 0 }));
    await Promise.all(cut.map(({ started }) => started));
    for (const { worker, exited } of cut) {
      await pause(10 + 7 * round);
      await worker.terminate();
      await exited;
      terminated++;
    }
    const { allocatedBytes, cachedBytes } = memory();
    allocated.push(allocatedBytes);
    resident.push(process.memoryUsage.rss() - cachedBytes);
  }
  const report: WorkersReport = { ended, terminated, resident, allocated };
  console.log(JSON.stringify(report));
}

if (isMainThread) void main();
else void train(workerData as Job);
