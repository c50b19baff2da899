import { runProgram } from '../support/program.js';

const program = 'unit/programs/hard-times.ts';

test('a worker that is terminated while it measures takes nobody with it', async () => {
  expect(await runProgram<number>(program, ['measuring'])).toBe(3);
}, 60_000);

test('where the system gives fewer threads than were asked for, the rest do the work', async () => {
  const shell = { command: '/bin/sh', args: ['-c', 'ulimit -v 6000000; exec "$0" "$@"'] };
  const { sum, threads } = await runProgram<{ sum: number; threads: number }>(program, ['threads', 1024], {}, shell);
  expect(sum).toBe(1_000_000);
  expect(threads).toBeGreaterThan(0);
  expect(threads).toBeLessThan(1024);
}, 60_000);

test('workers that share a memory limit collect their garbage before it is reached', async () => {
  const env = { ATHANOR_MEMORY_LIMIT: '300M' };
  expect(await runProgram<number[]>(program, ['garbage', 4], env)).toEqual([60, 60, 60, 60]);
}, 60_000);

test('reads that are awaited together need no more memory than the limit gives', async () => {
  const sum = (200 * 199) / 2;
  const env = { ATHANOR_MEMORY_LIMIT: '64M' };
  expect(await runProgram<number[]>(program, ['reads', 200], env)).toEqual([sum, sum, sum, sum]);
}, 60_000);
