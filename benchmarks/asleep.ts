// When a process has come to rest. Threads of a library look for more work a while before they sleep (OpenBLAS's for tens of
// milliseconds): whoever is measured next must not share the processors with them.
import * as fs from 'node:fs';

const longest = 200; // milliseconds: what never rests must not hold up the run
const blind = 30; // milliseconds to wait where the system does not tell

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** How many threads of a process run; undefined where the system does not tell. */
function runningThreads(pid: number): number | undefined {
  const folder = `/proc/${pid}/task`;
  try {
    // The state is the letter behind the name, which stands in parentheses and may hold anything.
    const states = fs.readdirSync(folder).map((thread) => {
      const text = fs.readFileSync(`${folder}/${thread}/stat`, 'utf8');
      return text[text.lastIndexOf(')') + 2];
    });
    return states.filter((state) => state === 'R').length;
  } catch {
    return undefined;
  }
}

/** Waits until no thread of a process runs; at most for a fifth of a second. */
export async function asleep(pid: number): Promise<void> {
  const until = performance.now() + longest;
  for (;;) {
    const running = runningThreads(pid);
    if (running === undefined) return void (await pause(blind));
    if (running === 0 || performance.now() > until) return;
    await pause(1);
  }
}
