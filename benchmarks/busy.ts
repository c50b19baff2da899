// Whether a machine is quiet enough to be measured on.
import * as os from 'node:os';

// A tenth of one processor is what an idle system with its timers takes.
const mostUsed = 0.1;
// On an idle machine the quartiles of a roof lie a hundredth apart.
const mostJitter = 0.05;
const watchedMilliseconds = 400;

function ticks(): { readonly used: number; readonly all: number } {
  const times = os.cpus().map((cpu) => cpu.times);
  const all = times.reduce((sum, t) => sum + t.user + t.nice + t.sys + t.idle + t.irq, 0);
  return { all, used: all - times.reduce((sum, t) => sum + t.idle, 0) };
}

/** How many processors others keep busy, watched for a moment in which this program does nothing. */
export async function processorsUsed(): Promise<number> {
  const before = ticks();
  await new Promise((resolve) => setTimeout(resolve, watchedMilliseconds));
  const after = ticks();
  return ((after.used - before.used) / Math.max(1, after.all - before.all)) * os.cpus().length;
}

/** Why the figures of a run are to be doubted; null: nothing speaks against them. */
export function busyReason(used: number, jitter: number): string | null {
  const reasons = [
    used > mostUsed ? `others keep ${used.toFixed(1)} of ${os.cpus().length} processors busy` : '',
    jitter > mostJitter ? `equal pieces of work took times ${(100 * jitter).toFixed(0)} % apart` : '',
  ].filter((reason) => reason !== '');
  return reasons.length === 0 ? null : reasons.join('; ');
}
