// npm run bench: the roofs of this machine, every kernel placed on them, and athanor beside its peers.
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import * as athanor from 'athanor';
import { busyReason, processorsUsed } from './busy.js';
import { chosen, resumed } from './chosen.js';
import { commit } from './commit.js';
import { rowNames } from './engine.js';
import { checkWritable, writeWhole } from './files.js';
import { isLost, releaseDevice } from './gpu.js';
import { type BenchOptions, parseOptions } from './options.js';
import { type PeerEntry, startPeers } from './peers/index.js';
import { killPeers, patienceFor } from './peers/peer.js';
import { htmlPage } from './report/html.js';
import { machineLines, resultLine } from './report/lines.js';
import { formatReport, formatVersion, type Report, type Result } from './report/report.js';
import { drawRoofline } from './report/roofline-plot.js';
import { runCase, runJob } from './run.js';
import { quick, thorough } from './timer.js';

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
  const patience = options.minutes === undefined ? undefined : patienceFor(options.minutes);
  const { peers, entries } = await startPeers(options.peers, { threads, device, precision, folder, patience });
  printEntries(entries);

  const setting = { machine, peers, effort: options.quick ? quick : thorough, quick: options.quick, precision, folder };
  const past = resumed(options);
  const results: Result[] = [...past.results];
  const done = new Set(results.map(({ name }) => name));
  const list = chosen(options).filter(({ name }) => !done.has(name));
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
    seconds: past.seconds + (performance.now() - began) / 1e3,
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
    for (const { name } of chosen(options)) console.log(name);
    return;
  }
  if (chosen(options).length === 0) throw new Error('no case has such a group and name; --list shows them');
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
