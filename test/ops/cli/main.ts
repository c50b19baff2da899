import { Command, InvalidArgumentError, Option } from 'commander';
import type { DType } from '../../../lib/dtype.js';
import { setNumThreads } from '../../../lib/index.js';
import { type Check, defaultSeed } from '../checks/check.js';
import { type Subject, subjects } from '../subjects.js';
import { runChecks } from './checks.js';
import { perfDTypes, runPerf } from './perf.js';
import { supportTable, writeSupport } from './support.js';

const all = subjects();

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('A whole number is expected.');
  return Number(text);
}

function chosen(name: string | undefined): Subject[] {
  if (name === undefined) return [...all.values()];
  const subject = all.get(name);
  if (subject !== undefined) return [subject];
  const near = [...all.keys()].filter((other) => other.toLowerCase().includes(name.toLowerCase()));
  const hint = near.length > 0 ? near : [...all.keys()];
  console.error(`no op row is named ${name}; there ${hint.length === 1 ? 'is' : 'are'} ${hint.join(', ')}`);
  process.exit(1);
}

const program = new Command('npm run ops --').description('Tests, measures and lists ops by their rows.');

function command(name: string, description: string): Command {
  return program.command(name).description(description).option('-o, --op <name>', 'the row (default: all)');
}

const seedOption = () =>
  new Option('--seed <n>', 'what inputs are drawn from').argParser(wholeNumber).default(defaultSeed);

const checkCommands: Record<Check['command'], string> = {
  test: 'compare results with the float64 reference: dtypes, kernels, layouts, sizes, special values, errors',
  grad: 'compare gradients and second gradients with central differences',
  leak: 'count buffers before and after forward, backward and dispose()',
};

for (const [name, description] of Object.entries(checkCommands)) {
  command(name, description)
    .option('--case <n>', 'the one case to run (default: all)', wholeNumber)
    .addOption(seedOption())
    .action((options: { op?: string; case?: number; seed: number }) => {
      if (!runChecks(name as Check['command'], chosen(options.op), options)) process.exitCode = 1;
    });
}

command('perf', 'time calls of several sizes')
  .addOption(new Option('--dtype <dtype>', 'of the inputs').choices(perfDTypes).default('float32'))
  .option('--threads <n>', 'threads that work on one op (default: all)', wholeNumber)
  .addOption(seedOption())
  .action((options: { op?: string; dtype: DType; threads?: number; seed: number }) => {
    if (options.threads !== undefined) setNumThreads(options.threads);
    for (const subject of chosen(options.op)) runPerf(subject, options.dtype, options.seed);
  });

command('support', 'list dtypes, gradients and kernels')
  .option('--write', 'bring the table in README.md and docs/ up to date')
  .action((options: { op?: string; write?: boolean }) => {
    if (options.write) writeSupport(all.values());
    else console.log(supportTable(chosen(options.op), true));
  });

try {
  program.parse();
} catch (error) {
  console.error((error as { message: string }).message);
  process.exitCode = 1;
}
