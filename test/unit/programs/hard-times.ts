// What must not bring the process down; prints JSON.
//   hard-times.ts measuring      a worker is terminated in the middle of a measurement
//   hard-times.ts threads COUNT  the system refuses most of COUNT threads
//   hard-times.ts garbage COUNT  COUNT workers make garbage, together more than the memory limit
//   hard-times.ts reads COUNT    COUNT results of 1 MiB are read before the first one is awaited
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { info, measureMachine, ones, setNumThreads, synchronize } from '../../../lib/index.js';

const worker = (work: string) => new Worker(__filename, { execArgv: process.execArgv, workerData: work });
const message = (w: Worker) => new Promise((resolve, reject) => void w.once('message', resolve).once('error', reject));

async function terminateWhileMeasuring(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    const measuring = worker('measuring');
    await message(measuring);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await measuring.terminate();
  }
  return ones([3]).sum().item();
}

function askForThreads(count: number): { sum: number; threads: number } {
  setNumThreads(count);
  return { sum: ones([1000, 1000]).sum().itemSync(), threads: info().threads };
}

function garbage(): number {
  let rounds = 0;
  for (; rounds < 60; rounds++) {
    for (let i = 0; i < 3; i++) ones([1000, 1000]);
    synchronize();
  }
  return rounds;
}

/** Sum of the first elements, read in each way that there is. */
async function reads(count: number): Promise<number[]> {
  const x = ones([256, 1024]);
  const all = (read: (i: number) => Promise<number>) =>
    Promise.all(Array.from({ length: count }, (_, i) => read(i))).then((firsts) => firsts.reduce((a, b) => a + b));
  return [
    await all((i) =>
      x
        .mul(i)
        .data()
        .then(([first]) => first),
    ),
    await all((i) =>
      x
        .mul(i)
        .transpose()
        .dataAs('float32')
        .then(([first]) => first),
    ),
    await all((i) => x.mul(i).max().item()),
    await all((i) =>
      x
        .mul(i)
        .slice({ end: 1 })
        .toArray()
        .then((rows) => (rows as number[][])[0][0]),
    ),
  ];
}

async function main([what, count]: string[]): Promise<void> {
  let report: unknown;
  if (what === 'measuring') report = await terminateWhileMeasuring();
  else if (what === 'threads') report = askForThreads(Number(count));
  else if (what === 'reads') report = await reads(Number(count));
  else report = await Promise.all(Array.from({ length: Number(count) }, () => message(worker('garbage'))));
  process.stdout.write(JSON.stringify(report));
}

if (isMainThread) {
  void main(process.argv.slice(2));
} else if (workerData === 'measuring') {
  void measureMachine();
  parentPort?.postMessage('measuring');
} else {
  parentPort?.postMessage(garbage());
}
