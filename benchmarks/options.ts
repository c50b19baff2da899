// The command line of `npm run bench`.
import type * as athanor from 'athanor';
import { Command, InvalidArgumentError, Option } from 'commander';
import { groups } from './case.js';
import { families } from './peers/index.js';

/** What a run is asked to do. */
export interface BenchOptions {
  /** Groups to run; all when empty. */
  readonly only: readonly string[];
  /** Cases whose name contains this text. */
  readonly match?: string;
  readonly peers: readonly string[];
  readonly quick: boolean;
  /** Only what the ladder of a GPU counts (report/ladder.ts). */
  readonly ladder: boolean;
  /** Where athanor and its peers compute. */
  readonly device: athanor.DeviceName;
  /** What products of float32 may round their factors to, on a GPU. */
  readonly precision: athanor.Float32Precision;
  readonly threads?: number;
  /** Time for all of it: no case is begun after it. */
  readonly minutes?: number;
  readonly json?: string;
  /** What the file of --json has already is kept and not measured again. */
  readonly resume: boolean;
  readonly svg?: string;
  readonly html?: string;
  readonly list: boolean;
}

function names(what: string, allowed: readonly string[]) {
  return (value: string): string[] => {
    const list = value.split(',').filter((name) => name !== '');
    const unknown = list.filter((name) => !allowed.includes(name));
    if (list.length === 0 || unknown.length > 0) {
      throw new InvalidArgumentError(`${what} are ${allowed.join(', ')}.`);
    }
    return list;
  };
}

function peerNames(value: string): string[] {
  if (value === 'all') return [...families];
  if (value === 'none') return [];
  return names('peers', families)(value);
}

function threadCount(value: string): number {
  const n = Number(value);
  if (!Number.isInteger(n) || n < 1 || n > 1024) throw new InvalidArgumentError('a whole number from 1 to 1024.');
  return n;
}

function minutes(value: string): number {
  const n = Number(value);
  if (value.trim() === '' || !(n >= 0)) throw new InvalidArgumentError('a number of minutes, 0 or more.');
  return n;
}

function deviceName(value: string): athanor.DeviceName {
  if (!/^(cpu|cuda(:\d+)?)$/.test(value)) throw new InvalidArgumentError('cpu, cuda or cuda:N.');
  return value as athanor.DeviceName;
}

/** Parses the arguments (without node and script); a mistake ends the process with a message. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const program = new Command('bench')
    .description(
      'Measures the roofs of this machine, places every kernel on them, and times athanor beside its peers on the same ' +
        'data, in turn, with the same threads. Results are compared before anything is timed.',
    )
    .option('--only <groups>', `groups, with commas between: ${groups.join(', ')}`, names('groups', groups), [])
    .option('--match <text>', 'only cases whose name contains this')
    .option('--peers <peers>', `all, none, or some of ${families.join(', ')}`, peerNames, [...families])
    .option('--quick', 'fewer cases and samples: minutes', false)
    .option('--ladder', 'only the cases that the ladder of a GPU counts', false)
    .option('--device <device>', 'where to compute: cpu, cuda or cuda:N', deviceName, 'cpu')
    .addOption(
      new Option('--precision <precision>', 'of products of float32 on a GPU')
        .choices(['exact', 'tf32'])
        .default('exact'),
    )
    .option('--threads <n>', 'threads of athanor and of every peer; default: the cores', threadCount)
    .option('--minutes <n>', 'the time for all of it: no case is begun after it', minutes)
    .option('--json <file>', 'write the report')
    .option('--resume', 'keep the results that the file of --json has, and measure the others', false)
    .option('--svg <file>', 'write the roofline plot')
    .option('--html <file>', 'write a page with plot and tables')
    .option('--list', 'print the names of the cases and end', false)
    .allowExcessArguments(false)
    .parse(args, { from: 'user' });
  return program.opts<BenchOptions>();
}
