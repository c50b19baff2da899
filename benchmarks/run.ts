// Runs cases and jobs beside their peers.
import * as path from 'node:path';
import * as athanor from 'athanor';
import { type Case, defaultTolerance, type Group } from './case.js';
import { differenceOf } from './data.js';
import type { Job } from './jobs/job.js';
import { torchName } from './jobs/torch-names.js';
import type { Peer } from './peers/index.js';
import type { PeerRequest, Prepared } from './peers/peer.js';
import type { Result } from './report/report.js';
import { comparedSteps, jobSubject, type Subject, subjectOf } from './subject.js';
import { type Effort, interleave, type Runner } from './timer.js';

/** What all cases of a run have in common. */
export interface Setting {
  readonly machine: athanor.Machine;
  readonly peers: readonly Peer[];
  readonly effort: Effort;
  readonly quick: boolean;
  readonly precision: athanor.Float32Precision;
  /** For files that are handed to peers. */
  readonly folder: string;
}

/** Losses of a few steps, and outputs of deep models, are compared: rounding grows on the way. */
const jobTolerance = 2e-3;
/** The same where factors are rounded to 11 bits, by each library in its own way; a peer's bfloat16 has 8. */
const roundedJobTolerance = 2e-2;
/** A factor rounded to tf32 is off by 2^-11, one that is cut by 2^-10: both sides have two factors. */
const roundedTolerance = 2 ** -8;
const rounded: readonly Group[] = ['gemm', 'conv', 'layers'];

interface Comparison {
  readonly runners: readonly Runner[];
  readonly differences: Readonly<Record<string, number>>;
  readonly failures: readonly string[];
}

/** Makes one peer ready at a time: what differs from athanor's result is a failure, and is not timed. */
async function comparePeers(
  setting: Setting,
  work: Case | Job,
  request: PeerRequest,
  own: ArrayLike<number> | null,
  tolerance: number,
): Promise<Comparison> {
  const runners: Runner[] = [];
  const differences: Record<string, number> = {};
  const failures: string[] = [];
  for (const { kind, process } of setting.peers) {
    for (const [i, mode] of kind.modes(work, setting.quick).entries()) {
      const name = mode === '' ? process.name : `${process.name}-${mode}`;
      let prepared: Prepared | string;
      try {
        prepared = await process.prepare(request, mode, i === 0);
      } catch (error) {
        failures.push((error as Error).message);
        continue;
      }
      if (typeof prepared === 'string') continue;
      if (own !== null) {
        const difference = differenceOf(own, prepared.result);
        differences[name] = Number.isFinite(difference) ? difference : 1e30;
        if (!(difference <= tolerance)) {
          failures.push(`results differ: athanor and ${name} by ${difference.toExponential(2)}, allowed ${tolerance}`);
          continue;
        }
      }
      runners.push(prepared.runner);
    }
  }
  return { runners, differences, failures };
}

/** A peer that fails while it is timed is left out: the others keep their times. */
function guarded(runner: Runner, lost: Map<string, string>): Runner {
  const run = async (calls: number) => {
    if (lost.has(runner.name)) return Number.NaN;
    try {
      return await runner.run(calls);
    } catch (error) {
      lost.set(runner.name, (error as Error).message);
      return Number.NaN;
    }
  };
  return { name: runner.name, run, rest: async () => (lost.has(runner.name) ? undefined : runner.rest?.()) };
}

async function measured(
  setting: Setting,
  subject: Subject,
  { runners, differences, failures }: Comparison,
  job = false,
): Promise<Pick<Result, 'timings' | 'differences' | 'failures' | 'flops' | 'bytes' | 'rows'>> {
  const lost = new Map<string, string>();
  const all = [subject.runner, ...runners.map((runner) => guarded(runner, lost))];
  const timings = await interleave(all, setting.effort, job);
  const kept = all.flatMap(({ name }, i) => (lost.has(name) ? [] : [[name, timings[i]] as const]));
  const { flops, bytes, rows } = subject;
  return {
    flops,
    bytes,
    rows,
    timings: Object.fromEntries(kept),
    differences,
    failures: [...failures, ...lost.values()],
  };
}

function failed(work: Case | Job, error: Error): Result {
  const group = 'kind' in work ? 'jobs' : work.group;
  const base = { group, name: work.name, work: work.work, flops: 0, bytes: 0, rows: [], timings: {}, differences: {} };
  return { ...base, tolerance: 0, failures: [`athanor: ${error.message}`] } as Result;
}

/** The rooflines of the calls of one run, one after another; what bounds most of their time bounds the run. */
function roofOf({ calls }: Subject, { machine, precision }: Setting): Result['roof'] {
  const roofs = calls.map(({ flops, bytes, written, dtype }) => {
    const part = bytes > 0 ? written / bytes : 0;
    const kind = dtype === 'float32' && precision === 'tf32' ? 'tf32' : athanor.computeKind(dtype);
    return athanor.roofline({ flops, bytes, written: part, kind, machine });
  });
  const longest = [...roofs].sort((a, b) => b.time - a.time)[0];
  if (longest === undefined) return undefined;
  const time = roofs.reduce((sum, roof) => sum + roof.time, 0);
  const computing = roofs.reduce((sum, roof) => sum + (roof.bound === 'compute' ? roof.time : 0), 0);
  return { time, bound: computing > time / 2 ? 'compute' : 'memory', ...longest.roofs };
}

/** Runs a case: compares results, then times. What fails is in the result. */
export async function runCase(c: Case, setting: Setting): Promise<Result> {
  const usual = c.tolerance ?? defaultTolerance;
  const rounds = setting.precision === 'tf32' && rounded.includes(c.group);
  const tolerance = rounds ? Math.max(usual, roundedTolerance) : usual;
  try {
    const subject = subjectOf(c);
    const own = c.random === true ? null : subject.result;
    const found = await measured(setting, subject, await comparePeers(setting, c, { case: c }, own, tolerance));
    return { group: c.group, name: c.name, work: c.work, ...found, roof: roofOf(subject, setting), tolerance };
  } catch (error) {
    return failed(c, error as Error);
  }
}

/** Runs a job: peers start from the same weights and data, and the losses of the first steps are compared. */
export async function runJob(job: Job, setting: Setting): Promise<Result> {
  try {
    const subject = jobSubject(job);
    const file = (part: string) => path.join(setting.folder, `${job.work}-${part}.safetensors`);
    const state = Object.entries(subject.state).map(([name, t]) => [torchName(name), t] as const);
    await athanor.saveSafetensors(file('state'), Object.fromEntries(state));
    await athanor.saveSafetensors(file('inputs'), subject.run.inputs as Record<string, athanor.Tensor>);
    for (const [, t] of state) t.dispose();
    const { work, kind, batch, heads, items } = job;
    const steps = kind === 'train' ? comparedSteps : 1;
    const request = { job: { work, kind, batch, heads, steps, state: file('state'), inputs: file('inputs') } };
    const tolerance = setting.precision === 'tf32' ? roundedJobTolerance : jobTolerance;
    const comparison = await comparePeers(setting, job, request, subject.result, tolerance);
    const found = await measured(setting, subject, comparison, true);
    return { group: 'jobs', name: job.name, work, ...found, ...(items ? { items } : {}), tolerance };
  } catch (error) {
    return failed(job, error as Error);
  }
}
