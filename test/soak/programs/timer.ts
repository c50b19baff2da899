// Trains large layers, awaiting once a step, while a timer of 10 ms ticks in the same thread; prints by how many
// milliseconds ticks were late, as JSON.
import { makeTrainer } from './trainer.js';

export interface TimerReport {
  readonly steps: number;
  readonly ticks: number;
  readonly latest: number;
  readonly seconds: number;
}

const period = 10;

async function main(): Promise<void> {
  const steps = Number(process.argv[2]);
  const trainer = makeTrainer([4096, 4096, 4096, 16], 64);
  for (let i = 0; i < 3; i++) await trainer.step().item(); // compiled code and memory that later steps take again
  const start = performance.now();
  const lateness: number[] = [];
  let last = start;
  const timer = setInterval(() => {
    const now = performance.now();
    lateness.push(now - last - period);
    last = now;
  }, period);
  for (let i = 0; i < steps; i++) await trainer.step().item();
  const end = performance.now();
  clearInterval(timer);
  // A tick that never came is as late as the time since the last one.
  lateness.push(end - last - period);
  const report: TimerReport = {
    steps,
    ticks: lateness.length,
    latest: Math.max(...lateness),
    seconds: (end - start) / 1e3,
  };
  console.log(JSON.stringify(report));
}

void main();
