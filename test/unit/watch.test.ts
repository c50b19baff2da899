// Programs of minutes under a time limit, as `npm run gpu` runs them.
import * as fs from 'node:fs';

interface End {
  readonly status: number | null;
  readonly stdout: string;
  readonly ended: string | null;
  readonly error?: Error;
}
type Watch = (command: string, args: readonly string[], options?: object) => Promise<End>;
const { watch }: { watch: Watch } = require('../../scripts/lib/watch.js');

/** Whether a process runs; one that has ended may be listed until whoever has inherited it looks. */
function runs(pid: number): boolean {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat[stat.lastIndexOf(')') + 2] !== 'Z';
  } catch {
    return false;
  }
}

const node = (program: string, options: object) => watch(process.execPath, ['-e', program], options);

test('a program that ends by itself tells its exit code and what it printed', async () => {
  const end = await node('console.log("three"); process.exitCode = 3', { stdout: 'pipe' });
  expect(end).toMatchObject({ status: 3, stdout: 'three\n', ended: null });
});

test('one that cannot be started, or is ended by a signal, tells so', async () => {
  expect((await watch('/nonexistent/program', [])).error?.message).toContain('ENOENT');
  const end = await node('process.kill(process.pid, "SIGKILL")', {});
  expect(end).toMatchObject({ status: null, error: expect.objectContaining({ message: 'ended by SIGKILL' }) });
});

test('one that takes too long may write down what it has', async () => {
  const program = `process.on("SIGTERM", () => { console.log("kept"); process.exit(0); });
    console.log("began"); setInterval(() => {}, 1000);`;
  const end = await node(program, { stdout: 'pipe', deadline: Date.now() + 1500 });
  expect(end).toMatchObject({ status: null, stdout: 'began\nkept\n', ended: 'no time was left' });
});

test('one that hears no signal is killed, with what it has started', async () => {
  const child = 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000);';
  const program = `const { pid } = require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(child)}]);
    process.on("SIGTERM", () => {});
    console.log(pid);
    setTimeout(() => { for (;;); }, 50);`;
  const end = await node(program, { stdout: 'pipe', deadline: Date.now() + 1500, grace: 200 });
  expect(end.ended).toBe('no time was left');
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(Number(end.stdout)).toBeGreaterThan(1);
  expect(runs(Number(end.stdout))).toBe(false);
});
