// The command line of `npm run ops`. Nothing here needs the addon, so that a mistake in the arguments is told before kernels
// are compiled.
import { Command, InvalidArgumentError, Option } from 'commander';
import { type DType, dtypes } from '../../../lib/dtype.js';
import { type Check, defaultSeed } from '../checks/check.js';

/** What is asked for; all rows where none is named. */
export type Asked = { readonly op?: string } & (
  | { readonly command: Check['command']; readonly case?: number; readonly seed: number }
  | { readonly command: 'perf'; readonly dtype: DType; readonly threads?: number; readonly seed: number }
  | { readonly command: 'support'; readonly write?: boolean }
);

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('A whole number is expected.');
  return Number(text);
}

const seedOption = () =>
  new Option('--seed <n>', 'what inputs are drawn from').argParser(wholeNumber).default(defaultSeed);

const checkCommands: Record<Check['command'], string> = {
  test: 'compare results with the float64 reference: dtypes, kernels, layouts, sizes, special values, errors',
  grad: 'compare gradients and second gradients with central differences',
  leak: 'count buffers before and after forward, backward and dispose()',
};

/** Reads the arguments. Where they are wrong, or ask for help, it prints and ends the process. */
export function parseOptions(args: readonly string[]): Asked {
  let asked: Asked | undefined;
  const program = new Command('npm run ops --').description('Tests, measures and lists ops by their rows.');
  const command = (name: Asked['command'], description: string) =>
    program
      .command(name)
      .description(description)
      .option('-o, --op <name>', 'the row (default: all)')
      .action((options: object) => {
        asked = { ...options, command: name } as Asked;
      });

  for (const [name, description] of Object.entries(checkCommands)) {
    command(name as Check['command'], description)
      .option('--case <n>', 'the one case to run (default: all)', wholeNumber)
      .addOption(seedOption());
  }
  command('perf', 'time calls of several sizes')
    .addOption(new Option('--dtype <dtype>', 'of the inputs').choices(Object.keys(dtypes)).default('float32'))
    .option('--threads <n>', 'threads that work on one op (default: all)', wholeNumber)
    .addOption(seedOption());
  command('support', 'list dtypes, gradients and kernels').option(
    '--write',
    'bring the table in README.md and docs/ up to date',
  );
  program.parse(args, { from: 'user' });
  return asked as unknown as Asked; // without a command, commander prints the help and ends the process
}
