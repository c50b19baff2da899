// Large tensors that nobody disposes of, many times what the memory limit allows; prints, as JSON, the sum of what they
// held and the most bytes there were.
//   garbage.ts plain|await
import { full, memory } from '../../../lib/index.js';

export interface GarbageReport {
  readonly total: number;
  readonly peakBytes: number;
}

async function main(mode: string): Promise<void> {
  let total = 0;
  for (let i = 0; i < 200; i++) {
    const sum = full([1000, 1000], 0.5).mul(2).add(1).exp().log().sub(1).sum();
    if (mode === 'await') total += await sum.item();
    else if (i % 50 === 49) total += sum.itemSync() * 50;
  }
  process.stdout.write(JSON.stringify({ total, peakBytes: memory().peakBytes }));
}

void main(process.argv[2]);
