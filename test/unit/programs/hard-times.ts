// What must not bring the process down; prints JSON.
//   hard-times.ts measuring      a worker is terminated in the middle of a measurement
//   hard-times.ts threads COUNT  the system refuses most of COUNT threads
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { info, measureMachine, ones, setNumThreads } from '../../../lib/index.js';

async function terminateWhileMeasuring(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    const worker = new Worker(__filename, { execArgv: process.execArgv });
    await new Promise((resolve) => worker.once('message', resolve));
    await new Promise((resolve) => setTimeout(resolve, 20));
    await worker.terminate();
  }
  return ones([3]).sum().item();
}

function askForThreads(count: number): { sum: number; threads: number } {
  setNumThreads(count);
  return { sum: ones([1000, 1000]).sum().itemSync(), threads: info().threads };
}

async function main([what, count]: string[]): Promise<void> {
  const report = what === 'measuring' ? await terminateWhileMeasuring() : askForThreads(Number(count));
  process.stdout.write(JSON.stringify(report));
}

if (isMainThread) {
  void main(process.argv.slice(2));
} else {
  void measureMachine();
  parentPort?.postMessage('measuring');
}
