// What a run finds, as JSON keeps it.
import * as fs from 'node:fs';
import type { Machine } from 'athanor';
import type { Group } from '../case.js';
import type { PeerEntry } from '../peers/index.js';
import type { Timing } from '../timer.js';

/** Raised when a field changes its meaning. */
export const formatVersion = 1;

/** One case or job. */
export interface Result {
  readonly group: Group;
  readonly name: string;
  readonly work: string;
  /** Of one call, by the rows' own count. */
  readonly flops: number;
  readonly bytes: number;
  /** The rows of the op table that ran. */
  readonly rows: readonly string[];
  /** The roofline of one call on the measured machine. Absent for jobs, whose calls have one each. */
  readonly roof?: {
    /** Seconds: no call can take less. */
    readonly time: number;
    readonly bound: 'memory' | 'compute';
    /** The roofs that hold: FLOP/s and bytes/s. */
    readonly flops: number;
    readonly bandwidth: number;
  };
  /** What a step of a job works through, where its speed is told so: images, tokens. */
  readonly items?: { readonly count: number; readonly unit: string };
  /** By runner: "athanor", "torch", "torch-channels-last", ... */
  readonly timings: Readonly<Record<string, Timing>>;
  /** How far the peers' results were from athanor's, relative to the largest value; what was allowed. */
  readonly differences: Readonly<Record<string, number>>;
  readonly tolerance: number;
  /** What went wrong: a kernel that threw, results that differ. */
  readonly failures: readonly string[];
}

/** A whole run. */
export interface Report {
  readonly format: 'athanor benchmark';
  readonly version: typeof formatVersion;
  readonly date: string;
  /** The commit, with a "+" behind it where files had changed. */
  readonly commit: string;
  readonly quick: boolean;
  /** Where was computed; absent: on the CPU. */
  readonly device?: string;
  /** What products of float32 were allowed to round their factors to, on a GPU. */
  readonly precision?: string;
  readonly groups: readonly string[];
  readonly machine: Machine & {
    readonly system: string;
    readonly node: string;
    readonly compiler: string;
    readonly memoryBytes: number;
  };
  /** What else the machine did: null, or why the figures are to be doubted. */
  readonly busy: string | null;
  readonly peers: readonly PeerEntry[];
  readonly results: readonly Result[];
  /** Rows of the op table that no case ran. */
  readonly uncovered: readonly string[];
  /** Cases for which no time was left. */
  readonly unfinished?: number;
  /** Seconds that the run took. */
  readonly seconds: number;
}

function wrong(file: string, what: string): never {
  throw new Error(`${file}: no benchmark report: ${what}`);
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const isNumber = (value: unknown) => typeof value === 'number' && Number.isFinite(value);

function checkTiming(file: string, where: string, timing: unknown): void {
  const fields = ['median', 'low', 'high', 'best', 'samples', 'calls'];
  if (!isObject(timing) || !fields.every((field) => isNumber(timing[field]) && (timing[field] as number) > 0)) {
    wrong(file, `${where}: a timing lacks one of ${fields.join(', ')}`);
  }
}

function checkResult(file: string, result: unknown, index: number): void {
  if (!isObject(result) || typeof result.name !== 'string') wrong(file, `results[${index}] has no name`);
  const { name, group, flops, bytes, timings, failures } = result;
  if (typeof group !== 'string') wrong(file, `${name}: group is missing`);
  if (!isNumber(flops) || !isNumber(bytes)) wrong(file, `${name}: flops and bytes must be numbers`);
  if (!isObject(timings)) wrong(file, `${name}: timings are missing`);
  if (!Array.isArray(failures)) wrong(file, `${name}: failures are missing`);
  for (const [runner, timing] of Object.entries(timings)) checkTiming(file, `${name}, ${runner}`, timing);
}

/** A report from the text of a file. Throws with the field that is wrong. */
export function parseReport(file: string, text: string): Report {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return wrong(file, (error as Error).message);
  }
  if (!isObject(json) || json.format !== 'athanor benchmark') return wrong(file, 'its format is another one');
  if (json.version !== formatVersion)
    return wrong(file, `version ${json.version}, this program reads ${formatVersion}`);
  const { machine, results, peers } = json;
  if (!isObject(machine) || typeof machine.cpu !== 'string' || !isNumber(machine.threads))
    wrong(file, 'machine is missing');
  if (!Array.isArray(machine.compute) || !Array.isArray(machine.memory)) wrong(file, 'the roofs are missing');
  if (!Array.isArray(peers)) wrong(file, 'peers are missing');
  if (!Array.isArray(results)) return wrong(file, 'results are missing');
  for (const [i, result] of results.entries()) checkResult(file, result, i);
  return json as unknown as Report;
}

/** A report as a file's text. */
export function formatReport(report: Report): string {
  const round = (_: string, value: unknown) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;
  return `${JSON.stringify(report, round, 1)}\n`;
}

/** The report in a file. Throws, naming the file, when it cannot be read or holds something else. */
export function readReport(file: string): Report {
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    return wrong(file, (error as Error).message);
  }
  return parseReport(file, text);
}
