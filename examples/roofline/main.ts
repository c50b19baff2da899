// Where the time of a training step goes, and what could make it faster: the roofs of this machine, one step of LeNet-5 held
// against them layer by layer, and the batch size from which each layer is bound by arithmetic.
//   npm run example:roofline -- --batch 128 --trace trace.json
import * as fs from 'node:fs';
import {
  batchSweep,
  crossEntropy,
  type Machine,
  type MemoryLevel,
  measureMachine,
  nn,
  optim,
  profile,
  randint,
  randn,
  roofline,
} from 'athanor';
import { Command, InvalidArgumentError } from 'commander';

function batchSize(value: string): number {
  const n = Number(value);
  if (!Number.isInteger(n) || n < 1) throw new InvalidArgumentError('a whole number, 1 or more.');
  return n;
}

function printRoofs(machine: Machine): void {
  const giga = (rate: number) => (rate / 1e9).toFixed(0);
  const all = machine.compute.filter((c) => c.threads === machine.threads && c.isa === machine.isa);
  for (const { kind, best } of all) console.log(`${kind} multiply-add: ${giga(best)} GFLOP/s`);
  for (const level of ['L1', 'L2', 'L3', 'DRAM'] satisfies MemoryLevel[]) {
    const here = machine.memory.filter((m) => m.level === level && m.threads === machine.threads);
    if (here.length > 0) console.log(`${level}: ${here.map((m) => `${m.kind} ${giga(m.best)}`).join(', ')} GB/s`);
  }
}

function lenet(): nn.Module {
  const { Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential } = nn;
  return new Sequential(
    new Conv2d(1, 6, 5, { padding: 2 }),
    new ReLU(),
    new MaxPool2d(2),
    new Conv2d(6, 16, 5),
    new ReLU(),
    new MaxPool2d(2),
    new Flatten(),
    new Linear(400, 120),
    new ReLU(),
    new Linear(120, 84),
    new ReLU(),
    new Linear(84, 10),
  );
}

async function main(): Promise<void> {
  const program = new Command('roofline')
    .description('Holds a training step of LeNet-5 against the roofs of this machine.')
    .option('--batch <n>', 'images in the step', batchSize, 128)
    .option('--trace <file>', 'write what ran when, for https://ui.perfetto.dev')
    .parse();
  const { batch, trace } = program.opts<{ batch: number; trace?: string }>();

  console.log('The roofs, measured now:');
  const machine = await measureMachine({ quick: true });
  printRoofs(machine);

  // y = A x: every byte of A is used for two operations only.
  const [rows, columns] = [1024, 512];
  const bytes = 4 * (rows * columns + rows + columns);
  const { time, intensity, bound } = roofline({ flops: 2 * rows * columns, bytes, written: 0, machine });
  console.log(`\n${rows}x${columns} matrix times vector: ${intensity.toFixed(2)} FLOP a byte, bound by ${bound}:`);
  console.log(`at least ${(time * 1e6).toFixed(1)} us here`);

  const model = lenet();
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.01, momentum: 0.9 });
  const images = randn([batch, 1, 28, 28]);
  const labels = randint(0, 10, [batch]);
  const step = () => {
    optimizer.zeroGrad();
    crossEntropy(model.forward(images), labels).backward();
    optimizer.step();
  };
  const report = await profile(step, { machine, warmup: 3 });
  console.log(`\nOne training step, batch ${batch}, the slowest first:`);
  console.log(report.table({ sort: 'time' }));
  if (trace !== undefined) {
    fs.writeFileSync(trace, JSON.stringify(report.chromeTrace()));
    console.log(`What ran when is in ${trace}.`);
  }

  console.log('\nFrom which batch size on arithmetic bounds a layer, not memory:');
  const sweep = await batchSweep(model, (n) => randn([n, 1, 28, 28]), { batches: [1, 8, 64], machine });
  console.log(sweep.table());
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
