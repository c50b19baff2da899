// Trains for many steps in one of three ways and prints, as JSON, how resident memory went: a sample every 500 steps.
//   loop.ts plain|await|worker STEPS
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { memory } from 'athanor';
import { makeTrainer } from './trainer.js';

export interface LoopReport {
  readonly losses: readonly number[];
  /** Resident bytes of the process. */
  readonly resident: readonly number[];
  readonly buffers: readonly number[];
}

const every = 500;

interface Job {
  readonly steps: number;
  readonly awaits: boolean;
}

function run({ steps, awaits }: Job): LoopReport | Promise<LoopReport> {
  const trainer = makeTrainer([32, 64, 64, 8], 32);
  const report = { losses: [] as number[], resident: [] as number[], buffers: [] as number[] };
  const note = (loss: number) => {
    report.losses.push(loss);
    report.resident.push(process.memoryUsage.rss());
    report.buffers.push(memory().buffers);
  };
  if (awaits) {
    return (async () => {
      for (let i = 1; i <= steps; i++) {
        const loss = await trainer.step().item();
        if (i % every === 0) note(loss);
      }
      return report;
    })();
  }
  for (let i = 1; i <= steps; i++) {
    const loss = trainer.step();
    if (i % every === 0) note(loss.itemSync());
  }
  return report;
}

async function main(): Promise<void> {
  const [mode, steps] = process.argv.slice(2);
  const job: Job = { steps: Number(steps), awaits: mode === 'await' };
  if (mode !== 'worker') {
    console.log(JSON.stringify(await run(job)));
    return;
  }
  const worker = new Worker(__filename, { workerData: job });
  worker.on('message', (report: LoopReport) => console.log(JSON.stringify(report)));
  worker.on('error', (error) => {
    throw error;
  });
}

if (isMainThread) void main();
else void Promise.resolve(run(workerData as Job)).then((report) => parentPort?.postMessage(report));
