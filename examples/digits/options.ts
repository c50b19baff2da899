import { existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { DeviceName } from 'athanor';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';

/** What one run is told. */
export interface Options {
  readonly data?: string;
  readonly model: 'lenet5' | 'mlp';
  readonly optimizer: 'adam' | 'adamw' | 'sgd';
  readonly epochs: number;
  readonly batchSize: number;
  readonly lr: number;
  readonly seed: number;
  readonly device: DeviceName;
  readonly limit?: number;
  readonly out?: string;
  readonly json: boolean;
}

/** The learning rates that suit each optimizer; `--lr` overrides. */
const RATES = { adam: 0.003, adamw: 0.003, sgd: 0.05 };

function wholeNumber(low: number, high: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (value.trim() === '' || !Number.isSafeInteger(number) || number < low || number > high) {
      throw new InvalidArgumentError(`Allowed are whole numbers from ${low} to ${high}.`);
    }
    return number;
  };
}

function positive(value: string): number {
  const number = Number(value);
  if (value.trim() === '' || !Number.isFinite(number) || number <= 0 || number > 100) {
    throw new InvalidArgumentError('Allowed are numbers above 0, up to 100.');
  }
  return number;
}

function deviceName(value: string): DeviceName {
  if (!/^(cpu|cuda(:\d+)?)$/.test(value)) throw new InvalidArgumentError('Allowed are cpu, cuda, cuda:1 and so on.');
  return value as DeviceName;
}

/** A folder, or a place where one can be made. */
function folder(value: string): string {
  let there = resolve(value);
  while (!existsSync(there)) there = dirname(there);
  if (!statSync(there).isDirectory()) throw new InvalidArgumentError(`${there} is a file.`);
  return value;
}

function command(): Command {
  const rates = Object.entries(RATES)
    .map(([name, rate]) => `${rate} for ${name}`)
    .join(', ');
  return new Command('npm start --')
    .description(
      'Trains a network on handwritten digits (MNIST, or synthetic ones where there is none) and reports test accuracy.',
    )
    .addOption(new Option('--model <name>', 'the network').choices(['lenet5', 'mlp']).default('lenet5'))
    .addOption(new Option('--optimizer <name>', 'the optimizer').choices(['adam', 'adamw', 'sgd']).default('adam'))
    .addOption(new Option('--epochs <n>', 'passes over the data').argParser(wholeNumber(1, 10_000)).default(3))
    .addOption(new Option('--batch-size <n>', 'digits per step').argParser(wholeNumber(1, 60_000)).default(64))
    .addOption(new Option('--lr <rate>', `highest learning rate (default: ${rates})`).argParser(positive))
    .addOption(
      new Option('--seed <n>', 'fixes first weights, order and synthetic digits')
        .argParser(wholeNumber(0, 2 ** 32 - 1))
        .default(0),
    )
    .addOption(
      new Option('--device <name>', 'where to compute: cpu, cuda, cuda:N').argParser(deviceName).default('cpu'),
    )
    .option('--data <dir>', 'folder with the four files of MNIST (default: $ATHANOR_DATA/mnist, else the user cache)')
    .addOption(new Option('--limit <n>', 'learn from the first n digits only').argParser(wholeNumber(1, 60_000)))
    .addOption(
      new Option('--out <dir>', 'folder for the results (default: runs/ and the time and model)').argParser(folder),
    )
    .option('--json', 'print one JSON line with the result to stdout, all else to stderr', false)
    .addHelpText(
      'after',
      `
Results: config.json, metrics.jsonl (one line a step), model.safetensors, curves.svg, mistakes.svg.
Exit code: 0 done, 1 wrong options or a failure, 130 stopped by Ctrl-C (what was learnt is kept).
Download MNIST with: npx athanor data mnist`,
    )
    .exitOverride()
    .showHelpAfterError('(npm start -- --help lists all options)');
}

/**
 * Reads the command line. Returns an exit code instead where there is nothing to run: help was asked for, or an option is
 * wrong and was refused with what is allowed.
 */
export function parseOptions(args: readonly string[]): Options | number {
  try {
    const options = command().parse(args, { from: 'user' }).opts<Options>();
    return { ...options, lr: options.lr ?? RATES[options.optimizer] };
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    throw error;
  }
}
