import { runProgram } from '../support/program.js';
import type { LoopReport } from './programs/loop.js';

const steps = 20_000;

// V8 doubles its young generation once or twice on the way and libc keeps what it has; a leak of one buffer of 64 KiB in a
// hundred steps, or of 1 kB a step, would come to more.
const allowedGrowth = 24e6;

describe.each([
  ['plain', 'a synchronous loop that frees nothing itself'],
  ['await', 'a loop that awaits every loss'],
  ['worker', 'a synchronous loop in a worker thread'],
])(`${steps} training steps: %s`, (mode, what) => {
  test(`${what} holds resident memory flat`, async () => {
    const { losses, resident, buffers } = await runProgram<LoopReport>('soak/programs/loop.ts', [mode, steps]);
    expect(losses).toHaveLength(steps / 500);
    expect(losses[losses.length - 1]).toBeLessThan(losses[0] / 10);
    expect(Math.max(...resident) - resident[0]).toBeLessThan(allowedGrowth);
    // What waits for the collector at any time is a fraction of what the loop has made.
    expect(Math.max(...buffers)).toBeLessThan(20_000);
  }, 180_000);
});

test('the three ways learn the same, bit for bit', async () => {
  const [a, b, c] = await Promise.all(
    ['plain', 'await', 'worker'].map((mode) => runProgram<LoopReport>('soak/programs/loop.ts', [mode, 1000])),
  );
  expect(b.losses).toEqual(a.losses);
  expect(c.losses).toEqual(a.losses);
}, 60_000);
