#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { messageOf } from '../io/bytes.js';
import { addDataCommand } from './data.js';
import { addInfoCommand } from './info.js';
import type { Output } from './output.js';
import { packageVersion } from './version.js';

/** Runs one command line (without node and the script) and resolves to the exit code; it never throws. */
export async function run(args: readonly string[], output: Output = process): Promise<number> {
  let code = 0;
  const program = new Command('athanor')
    .description('Deep learning for Node.js on native kernels.')
    .version(packageVersion())
    .exitOverride()
    .showHelpAfterError()
    .configureOutput({
      writeOut: (text) => output.stdout.write(text),
      writeErr: (text) => output.stderr.write(text),
    });
  addDataCommand(program, output, (exit) => {
    code = exit;
  });
  addInfoCommand(program, output);
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    // Commander has printed its own messages, help and version among them.
    if (error instanceof CommanderError) return error.exitCode;
    output.stderr.write(`${messageOf(error)}\n`);
    return 1;
  }
}

if (require.main === module) {
  void run(process.argv.slice(2)).then((code) => {
    process.exitCode = code;
  });
}
