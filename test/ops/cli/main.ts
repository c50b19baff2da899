// What `npm run ops` does, once its arguments are read (options.ts).
import { setNumThreads } from '../../../lib/index.js';
import { type Subject, subjects } from '../subjects.js';
import { runChecks } from './checks.js';
import type { Asked } from './options.js';
import { runPerf } from './perf.js';
import { supportTable, writeSupport } from './support.js';

const all = subjects();

function chosen(name: string | undefined): Subject[] {
  if (name === undefined) return [...all.values()];
  const subject = all.get(name);
  if (subject !== undefined) return [subject];
  const near = [...all.keys()].filter((other) => other.toLowerCase().includes(name.toLowerCase()));
  const hint = near.length > 0 ? near : [...all.keys()];
  throw new Error(`no op row is named ${name}; there ${hint.length === 1 ? 'is' : 'are'} ${hint.join(', ')}`);
}

function perform(asked: Asked): void {
  switch (asked.command) {
    case 'perf':
      if (asked.threads !== undefined) setNumThreads(asked.threads);
      for (const subject of chosen(asked.op)) runPerf(subject, asked.dtype, asked.seed);
      return;
    case 'support':
      if (asked.write) writeSupport(all.values());
      else console.log(supportTable(chosen(asked.op), true));
      return;
    default:
      if (!runChecks(asked.command, chosen(asked.op), asked)) process.exitCode = 1;
  }
}

/** Does what was asked for, and sets the exit code. */
export function run(asked: Asked): void {
  try {
    perform(asked);
  } catch (error) {
    console.error((error as { message: string }).message);
    process.exitCode = 1;
  }
}
