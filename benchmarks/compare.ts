// npm run bench:compare a.json b.json: fails where the second run is slower than the first by more than their spread.
import { Command } from 'commander';
import { compareReports, comparisonLines, machineDifferences } from './report/compare.js';
import { readReport } from './report/report.js';

function main(): void {
  const program = new Command('bench:compare')
    .description('Compares two reports of `npm run bench`; exits with 1 where the second is slower past the spread.')
    .argument('<before>', 'the JSON of the earlier run')
    .argument('<after>', 'the JSON of the later run')
    .option('--all', 'show also what did not change', false)
    .option('--force', 'compare runs of different machines', false)
    .parse();
  const [before, after] = program.args.map((file) => readReport(file));
  const { all, force } = program.opts<{ all: boolean; force: boolean }>();
  const differences = machineDifferences(before, after);
  if (differences.length > 0) {
    console.error(`The runs are not of the same machine (${differences.join('; ')}).`);
    if (!force) {
      console.error('Their times say nothing about the code; --force compares them all the same.');
      process.exitCode = 2;
      return;
    }
  }
  for (const [which, { busy }] of [['first', before] as const, ['second', after] as const]) {
    if (busy !== null) console.error(`The ${which} run was taken on a busy machine: ${busy}.`);
  }
  const compared = compareReports(before, after);
  console.log(comparisonLines(compared, all).join('\n'));
  if (compared.cases.length === 0) {
    console.error('The runs have no case in common.');
    process.exitCode = 2;
  } else if (compared.cases.some((c) => c.verdict === 'slower')) process.exitCode = 1;
}

try {
  main();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 2;
}
