// npm run bench: the roofs of this machine, every kernel placed on them, and athanor beside its peers.
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import * as athanor from 'athanor';
import { busyReason, processorsUsed } from './busy.js';
import type { Case, Group } from './case.js';
import { cases } from './cases/index.js';
import { rowNames } from './engine.js';
import { checkWritable, writeWhole } from './files.js';
import { isLost, releaseDevice } from './gpu.js';
import { jobs } from './jobs/index.js';
import type { Job } from './jobs/job.js';
import { type BenchOptions, parseOptions } from './options.js';
import { type PeerEntry, startPeers } from './peers/index.js';
import { killPeers } from './peers/peer.js';
import { htmlPage } from './report/html.js';
import { onLadder } from './report/ladder.js';
import { machineLines, resultLine } from './report/lines.js';
import { formatReport, formatVersion, type Report, type Result, readReport } from './report/report.js';
import { drawRoofline } from './report/roofline-plot.js';
import { root } from './root.js';
import { runCase, runJob } from './run.js';
import { quick, thorough } from './timer.js';

function git(...args: readonly string[]): string {
  try {
    return execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return '';
  }
}

function commit(): string {
  if (process.env.ATHANOR_COMMIT) return process.env.ATHANOR_COMMIT.slice(0, 12); // of a copy without its history
  const changed = git('status', '--porcelain', '--untracked-files=no') !== '';
  return `${git('rev-parse', 'HEAD').slice(0, 12) || 'unknown'}${changed ? '+' : ''}`;
}

function chosen({ only, match, quick: short, ladder, device, precision }: BenchOptions) {
  const wanted = (work: Case | Job, group: Group) => {
    if (only.length > 0 && !only.includes(group)) return false;
    if (match !== undefined && !work.name.includes(match)) return false;
    if (work.gpu === true && device === 'cpu') return false;
    return !ladder || onLadder({ group, name: work.name, work: work.work }, precision);
  };
  // A processor runs the small form of a job where it is named.
  const sized = jobs.map((job) => ((short || device === 'cpu') && job.small !== undefined ? job.small : job));
  return {
    cases: cases.filter((c) => wanted(c, c.group) && (!short || c.quick === true || match !== undefined)),
    jobs: sized.filter((job, i) => wanted(job, 'jobs') && (job === jobs[i] || device !== 'cpu' || match !== undefined)),
  };
}

/** Results of an earlier run that this one goes on with. Throws where they are of something else. */
function resumed({ json, resume, device, precision }: BenchOptions): readonly Result[] {
  if (!resume || json === undefined || !fs.existsSync(json)) return [];
  const past = readReport(json);
  for (const [what, then, now] of [
    ['commit', past.commit, commit()],
    ['device', past.device, device],
    ['precision', past.precision, precision],
  ]) {
    if (then !== now) throw new Error(`${json} cannot be gone on with: its ${what} is ${then}, not ${now}`);
  }
  return past.results;
}

/** The rows that no case ran. */
function uncovered(results: readonly Result[]): string[] {
  const ran = new Set(results.flatMap((r) => r.rows));
  return rowNames().filter((name) => !ran.has(name));
}

function printEntries(entries: readonly PeerEntry[]): void {
  for (const { name, version, reason, install } of entries) {
    console.log(version === undefined ? `${name}: absent (${reason}); ${install}` : `${name} ${version}`);
  }
}

/** Seconds between two writes of a report that grows: a run that is killed loses no more. */
const writtenEvery = 10;
/** Writes what has been measured, and returns how many results that are. */
let keep: (() => number) | undefined;
/** The device failed and is lost to this process. */
let lost = false;
/** Exit code in that case: who started this process may go on in another one. */
const lostCode = 3;

async function bench(options: BenchOptions, folder: string): Promise<Report> {
  const began = performance.now();
  const used = await processorsUsed();
  if (options.threads !== undefined) athanor.setNumThreads(options.threads);
  const { threads, isa, blas, compiler } = athanor.info();
  console.log(
    `${os.cpus()[0].model.trim()}, ${threads} threads, ${isa}${blas === 'own' ? '' : `, products by ${blas}`}, node ${process.versions.node}, commit ${commit()}, load ${os.loadavg()[0].toFixed(1)}`,
  );
  const { device, precision } = options;
  athanor.setDefaultDevice(device);
  athanor.setFloat32Precision(precision);
  const machine = await athanor.measureMachine({ device, quick: options.quick });
  if (device !== 'cpu') console.log(`${device}: ${machine.cpu}, ${machine.isa}, float32 products: ${precision}`);
  console.log(machineLines(machine).join('\n'));
  const busy = busyReason(used, machine.jitter);
  if (busy !== null) console.log(`THE MACHINE IS BUSY (${busy}): roofs and times are worse than they would be alone.`);
  const { peers, entries } = await startPeers(options.peers, { threads, device, precision, folder });
  printEntries(entries);

  const setting = { machine, peers, effort: options.quick ? quick : thorough, quick: options.quick, precision, folder };
  const past = resumed(options);
  const results: Result[] = [...past];
  const before = past.length === 0 ? 0 : readReport(options.json as string).seconds;
  const done = new Set(past.map(({ name }) => name));
  const { cases: someCases, jobs: someJobs } = chosen(options);
  const list: (Case | Job)[] = [...someCases, ...someJobs].filter(({ name }) => !done.has(name));
  const skipped = done.size > 0 ? `, ${done.size} are there` : '';
  console.log(`${list.length} cases${skipped}`);
  let at = 0;
  const everything = options.only.length === 0 && options.match === undefined;
  const reportOf = (whole: boolean): Report => ({
    format: 'athanor benchmark',
    version: formatVersion,
    date: new Date().toISOString(),
    commit: commit(),
    quick: options.quick,
    device,
    precision,
    groups: [...new Set(results.map((r) => r.group))],
    machine: {
      ...machine,
      system: `${os.type()} ${os.release()} ${os.arch()}`,
      node: process.versions.node,
      compiler,
      memoryBytes: os.totalmem(),
    },
    busy,
    peers: entries,
    results,
    uncovered: whole && everything ? uncovered(results) : [],
    ...(at < list.length ? { unfinished: list.length - at } : {}),
    seconds: before + (performance.now() - began) / 1e3,
  });

  let group = '';
  let written = performance.now();
  const take = (result: Result) => {
    if (result.group !== group) console.log(`\n${result.group}`);
    group = result.group;
    results.push(result);
    console.log(resultLine(result));
    if (performance.now() - written < writtenEvery * 1e3) return;
    keep?.();
    written = performance.now();
  };
  if (options.json !== undefined) {
    const { json } = options;
    keep = () => {
      if (results.length > 0) writeWhole(json, formatReport(reportOf(false)));
      return results.length;
    };
  }
  const seconds = options.minutes === undefined ? Number.POSITIVE_INFINITY : 60 * options.minutes;
  for (const work of list) {
    if ((performance.now() - began) / 1e3 >= seconds) break;
    if (device !== 'cpu') releaseDevice(device);
    take(await ('kind' in work ? runJob(work, setting) : runCase(work, setting)));
    at++;
    if (device !== 'cpu' && isLost(device)) {
      lost = true;
      break;
    }
  }
  for (const { process } of peers) process.stop();
  return reportOf(true);
}

async function write(options: BenchOptions, report: Report): Promise<void> {
  const { json, svg, html } = options;
  if (json !== undefined) writeWhole(json, formatReport(report));
  if (svg !== undefined) writeWhole(svg, await drawRoofline(report));
  if (html !== undefined) writeWhole(html, await htmlPage(report));
}

/** Ends on a signal: no peer and no temporary file is left behind. */
function endOn(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP', number: number, folder: string, json?: string): void {
  process.on(signal, () => {
    killPeers();
    fs.rmSync(folder, { recursive: true, force: true });
    const written = keep?.() ?? 0;
    console.error(`\n${signal}: ended; ${written > 0 ? `${json} has ${written} results` : 'nothing was written'}`);
    process.exit(128 + number);
  });
}

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (options.list) {
    const list = chosen(options);
    for (const { name } of [...list.cases, ...list.jobs]) console.log(name);
    return;
  }
  const { cases: some, jobs: others } = chosen(options);
  if (some.length + others.length === 0) throw new Error('no case has such a group and name; --list shows them');
  for (const file of [options.json, options.svg, options.html]) if (file !== undefined) checkWritable(file);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'athanor-bench-'));
  endOn('SIGINT', 2, folder, options.json);
  endOn('SIGTERM', 15, folder, options.json);
  endOn('SIGHUP', 1, folder, options.json);
  try {
    const report = await bench(options, folder);
    await write(options, report);
    const failures = report.results.filter((r) => r.failures.length > 0);
    if (report.uncovered.length > 0) console.log(`\nops without a case: ${report.uncovered.join(', ')}`);
    if (report.busy !== null) console.log(`\nThe machine was busy: ${report.busy}.`);
    console.log(`\n${report.results.length} cases in ${report.seconds.toFixed(0)} s, ${failures.length} failed`);
    if (report.unfinished !== undefined && !lost) console.log(`no time was left for ${report.unfinished} cases`);
    if (failures.length > 0) process.exitCode = 1;
    if (lost && report.unfinished !== undefined) process.exitCode = lostCode;
  } finally {
    killPeers();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
