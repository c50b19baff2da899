// npm run bench: times athanor beside its peers on the same work, in turn, with the same threads.
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import * as athanor from 'athanor';
import { Command, Option } from 'commander';
import { athanorRunner } from './athanor.js';
import { type Case, cases } from './cases.js';
import { Torch } from './peers/torch.js';
import { interleave, type Timing } from './timer.js';

const groups = [...new Set(cases.map((c) => c.group))];
const root = path.resolve(__dirname, '..', '..');

interface Result {
  readonly case: Case;
  readonly timings: Readonly<Record<string, Timing>>;
}

function rate(c: Case, seconds: number): string {
  if (c.flops !== undefined && c.group !== 'train') return `${(c.flops / seconds / 1e9).toFixed(1)} GFLOP/s`;
  if (c.bytes !== undefined && c.group !== 'overhead') return `${(c.bytes / seconds / 1e9).toFixed(1)} GB/s`;
  return '';
}

function time(t: Timing): string {
  const [unit, scale] = t.median < 1e-3 ? ['us', 1e6] : ['ms', 1e3];
  const spread = Math.round((50 * (t.high - t.low)) / t.median);
  return `${(t.median * scale).toPrecision(3)} ${unit} +-${spread}%`;
}

function line(r: Result): string {
  const { athanor: own, torch } = r.timings;
  const peer = torch ? `torch ${time(torch)}   ratio ${(torch.median / own.median).toFixed(2)}` : '';
  return `${r.case.name.padEnd(42)} ${time(own).padEnd(16)} ${rate(r.case, own.median).padEnd(15)} ${peer}`;
}

async function main(): Promise<void> {
  const program = new Command('bench')
    .description(
      'Times athanor beside PyTorch (when it is installed) on the same work, in turn, with the same threads.',
    )
    .addOption(new Option('--only <group>', 'one group of cases').choices(groups))
    .addOption(new Option('--peers <peers>', 'whom to compare with').choices(['all', 'none']).default('all'))
    .option('--quick', 'fewer samples, no slow cases')
    .option('--json <file>', 'write the result as JSON')
    .parse();
  const options = program.opts<{ only?: string; peers: string; quick?: boolean; json?: string }>();
  const { threads, isa } = athanor.info();
  const load = os.loadavg()[0];
  console.log(`${os.cpus()[0].model}, ${threads} threads, ${isa}, load ${load.toFixed(1)}`);
  if (load > 0.5) console.log('The machine is busy: read the ratios, not the times.');
  const torch = options.peers === 'none' ? 'torch: not asked for' : Torch.start(threads, root);
  if (typeof torch === 'string') console.log(torch);

  const results: Result[] = [];
  for (const c of cases) {
    if ((options.only && c.group !== options.only) || (options.quick && c.slow)) continue;
    const runners = [athanorRunner(c)];
    if (typeof torch !== 'string') runners.push(await torch.runner(c));
    const timings = await interleave(runners, options.quick ? 5 : 15);
    const result = { case: c, timings: Object.fromEntries(runners.map((r, i) => [r.name, timings[i]])) };
    results.push(result);
    console.log(line(result));
  }
  if (typeof torch !== 'string') torch.stop();
  if (options.json !== undefined) {
    const machine = { cpu: os.cpus()[0].model, threads, isa, load, node: process.versions.node };
    fs.writeFileSync(
      options.json,
      `${JSON.stringify({ date: new Date().toISOString(), machine, results }, null, 1)}\n`,
    );
  }
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
