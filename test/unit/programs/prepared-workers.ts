// A prepared model evaluated by worker threads at the same time, each with packed weights of its own; prints, as JSON,
// what the main thread and each worker got.
//   prepared-workers.ts COUNT
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { manualSeed, nn, noGrad, randn } from '../../../lib/index.js';

function evaluate(): number[] {
  manualSeed(1);
  const { Conv2d, BatchNorm2d, ReLU } = nn;
  const model = new nn.Sequential(new Conv2d(3, 40, 3, { padding: 1 }), new BatchNorm2d(40), new ReLU()).eval();
  const x = randn([1, 3, 12, 12]);
  nn.prepareInference(model, x);
  return noGrad(() => {
    for (let i = 0; i < 20; i++) model.forward(x).dispose();
    return [...model.forward(x).dataSync()];
  });
}

async function main(count: number): Promise<void> {
  const workers = Array.from({ length: count }, () => new Worker(__filename, { execArgv: process.execArgv }));
  const own = evaluate();
  const others = await Promise.all(
    workers.map(
      (w) => new Promise<number[]>((resolve, reject) => void w.once('message', resolve).once('error', reject)),
    ),
  );
  process.stdout.write(JSON.stringify({ own, others }));
}

if (isMainThread) void main(Number(process.argv[2]));
else parentPort?.postMessage(evaluate());
