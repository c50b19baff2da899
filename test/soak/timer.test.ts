import { runProgram } from '../support/program.js';
import type { TimerReport } from './programs/timer.js';

// What other programs take from the machine makes ticks late too, so three runs may show what the engine itself does; a
// call that blocked the event loop would show in each of them.
const runs = 3;

test('a timer of 10 ms is never more than 50 ms late while large layers train', async () => {
  const found: number[] = [];
  for (let run = 0; run < runs; run++) {
    const { latest, ticks } = await runProgram<TimerReport>('soak/programs/timer.ts', [20]);
    expect(ticks).toBeGreaterThan(1);
    found.push(latest);
    if (latest <= 50) break;
  }
  expect(Math.min(...found)).toBeLessThanOrEqual(50);
}, 180_000);
