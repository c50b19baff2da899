import type { Command } from 'commander';
import { describePlace, mnistPlaces } from '../data/mnist.js';
import { formatBytes } from '../io/bytes.js';
import type { Output } from './output.js';
import { packageVersion } from './version.js';

/** What `athanor info` reports: what a bug report needs, and what decides about speed. */
function collect(): Record<string, unknown> {
  // Loaded only here, so that the other commands work where the addon is not built yet.
  const { info } = require('../runtime.js') as typeof import('../runtime.js');
  const { devices } = require('../device.js') as typeof import('../device.js');
  const { memory } = require('../memory.js') as typeof import('../memory.js');
  const all = devices();
  return {
    athanor: packageVersion(),
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    devices: all.filter(({ available }) => available).map(({ device }) => device),
    gpu: all
      .map(({ device, name, reason }) => (device === 'cpu' ? '' : (reason ?? `${device} is ${name}`)))
      .filter(Boolean),
    ...info(),
    memoryLimit: memory().limitBytes,
    data: { mnist: mnistPlaces().map(describePlace) },
  };
}

function lines(report: Record<string, unknown>): string {
  const shown = (value: unknown): string => {
    if (Array.isArray(value)) return value.join(', ');
    if (typeof value === 'boolean') return value ? 'yes' : 'no';
    return String(value);
  };
  const { data, memoryLimit, ...rest } = report;
  const rows = Object.entries({
    ...rest,
    memoryLimit: memoryLimit === 0 ? 'none' : formatBytes(memoryLimit as number),
    mnist: (data as { mnist: string[] }).mnist.join('\n               '),
  });
  return rows.map(([key, value]) => `${`${key}:`.padEnd(15)}${shown(value)}\n`).join('');
}

/** Adds `athanor info`, which says what the engine runs on and where data are looked for. */
export function addInfoCommand(program: Command, output: Output): void {
  program
    .command('info')
    .description('versions, instruction set, threads, devices, and where data are looked for')
    .option('--json', 'as one JSON line', false)
    .action(({ json }: { json: boolean }) => {
      const report = collect();
      output.stdout.write(json ? `${JSON.stringify(report)}\n` : lines(report));
    });
}
