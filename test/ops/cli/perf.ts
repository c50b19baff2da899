// `perf`: how long calls of a row take, and what that is in operations and bytes by the row's own count.
import type { DType } from '../../../lib/dtype.js';
import { synchronize, type Tensor } from '../../../lib/index.js';
import type { Case } from '../case.js';
import { resized, stretchable } from '../checks/sizes.js';
import { inferred, metasOf } from '../reference.js';
import { call, disposeAll, operands } from '../run.js';
import type { Subject } from '../subjects.js';
import { drawCase } from '../values.js';

// Within the first cache, the second, the third, and far beyond.
const sizes = [1 << 10, 1 << 14, 1 << 18, 1 << 24];
const secondsEach = 0.4;

function median(times: number[]): number {
  return times.sort((a, b) => a - b)[times.length >> 1];
}

/** Seconds of one call: the median over batches, each long enough for the clock and waited for at its end. */
function measure(body: () => readonly Tensor[]): number {
  const batch = (n: number) => {
    const start = performance.now();
    for (let i = 0; i < n; i++) disposeAll(body());
    synchronize();
    return (performance.now() - start) / 1e3 / n;
  };
  const once = Math.min(batch(1), batch(1));
  const perBatch = Math.max(1, Math.round(secondsEach / 8 / Math.max(once, 1e-7)));
  const times: number[] = [];
  const end = performance.now() + secondsEach * 1e3;
  do times.push(batch(perBatch));
  while (performance.now() < end);
  return median(times);
}

function describe(c: Case): string {
  const inputs = c.inputs.map((x) => (typeof x === 'number' ? String(x) : `[${x.shape.join(', ')}]`)).join(' ');
  return c.attrs === undefined ? inputs : `${inputs} ${JSON.stringify(c.attrs)}`;
}

/** Prints one line for each size, or for each measured or given case where sizes mean nothing to the row. */
export function runPerf(subject: Subject, dtype: DType, seed: number): void {
  const { op } = subject;
  const [any] = stretchable(subject);
  const cases = subject.perf ?? (any === undefined ? subject.cases : sizes.map((n) => resized(any, n) as Case));
  console.log(`${op.name}, ${dtype}`);
  console.log(`${'time'.padStart(12)} ${'GFLOP/s'.padStart(9)} ${'GB/s'.padStart(9)}  inputs`);
  for (const c of cases) {
    const drawn = drawCase(c, dtype, seed);
    const outputs = inferred(op, drawn, c.attrs);
    const { flops, bytes } = op.cost(metasOf(drawn), outputs, c.attrs as never);
    const inputs = operands(drawn);
    const seconds = measure(() => call(op, inputs, c.attrs));
    disposeAll(inputs);
    const time = `${(seconds * 1e6).toFixed(2)} us`;
    const rate = (amount: number) => (amount / seconds / 1e9).toFixed(2).padStart(9);
    console.log(`${time.padStart(12)} ${rate(flops)} ${rate(bytes)}  ${describe(c)}`);
  }
}
