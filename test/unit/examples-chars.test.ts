import { execFile } from 'node:child_process';
import * as path from 'node:path';
import { promisify } from 'node:util';

const program = path.resolve(__dirname, '..', '..', 'build', 'examples', 'chars', 'main.js');

/** Runs the example on the sentences that it makes up itself. */
async function run(...args: readonly string[]): Promise<string> {
  const env = { ...process.env, ATHANOR_DATA: '' };
  return (await promisify(execFile)(process.execPath, [program, ...args], { env })).stdout;
}

test.each(['lstm', 'gpt'])('the character example learns with %s, and writes', async (model) => {
  const small = ['--steps', '40', '--batch-size', '8', '--length', '24', '--width', '32', '--lr', '0.01'];
  const out = await run('--model', model, ...small);
  expect(out).toMatch(/^MADE-UP sentences/);
  const losses = [...out.matchAll(/loss (\d+\.\d+), /g)].map((found) => Number(found[1]));
  expect(losses).toHaveLength(11);
  expect(losses[10]).toBeLessThan(0.9 * losses[0]);
  const [, written] = out.split(/characters\/s\n\n/);
  expect(written).toHaveLength(301); // and the end of the line
});

test('the character example refuses what it cannot do', async () => {
  await expect(run('--steps', '0')).rejects.toThrow(/Allowed are whole numbers from 1/);
  await expect(run('--width', '6')).rejects.toThrow(/--width must be a multiple of 4/);
});
