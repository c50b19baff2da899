import { runProgram } from '../support/program.js';
import type { WorkersReport } from './programs/workers.js';

const rounds = 5;

test('four workers train at once, end, are terminated mid-work and start again, without a crash or a leak', async () => {
  const { ended, terminated, resident, allocated } = await runProgram<WorkersReport>('soak/programs/workers.ts', [
    rounds,
  ]);
  expect(ended).toHaveLength(4 * rounds);
  expect(new Set(ended.map(({ code }) => code))).toEqual(new Set([0]));
  expect(new Set(ended.map(({ loss }) => loss)).size).toBe(1);
  expect(terminated).toBe(4 * rounds);
  expect(allocated).toEqual(new Array(rounds).fill(0));
  // The first rounds give each of libc's arenas its share; afterwards 8 workers a round may leave no more than Node's own.
  expect(resident[rounds - 1] - resident[1]).toBeLessThan(24e6);
}, 180_000);
