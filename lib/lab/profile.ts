// Where the time of a piece of code goes: each op call timed where it runs, and held against the machine's roofs.
import { context, runIn } from '../context.js';
import { fail, show } from '../errors.js';
import { native } from '../native.js';
import { watchForwards } from '../nn/scopes.js';
import { checkOptions } from '../options.js';
import { synchronize } from '../read.js';
import { type ChromeTrace, chromeTrace } from './chrome.js';
import { computeKind, type Machine, measureMachine } from './machine.js';
import { type CallRecord, type Phase, Recorder, type Span } from './recorder.js';
import { roofline } from './roofline.js';
import { formatAmount, formatNumber, formatTable, formatTime } from './text.js';

/** What one op costs in one module: all its calls there together. */
export interface LayerProfile {
  /** The module's path as in namedModules(): `layer1.0.conv1`; the root module by its class, "" outside of modules. */
  readonly module: string;
  /** The module's class; "" outside of modules. */
  readonly type: string;
  /** The row of the op table. */
  readonly op: string;
  readonly phase: Phase;
  readonly calls: number;
  readonly flops: number;
  readonly bytes: number;
  /** Seconds in the kernel. */
  readonly seconds: number;
  /** FLOP/s achieved. */
  readonly flopRate: number;
  /** Bytes/s achieved. */
  readonly byteRate: number;
  /** FLOPs a byte. */
  readonly intensity: number;
  /** The least time by {@link roofline}, as a part of the time taken: 1 is the roof. */
  readonly ofRoof: number;
  /** What bounds it; "overhead": the roofline is under a microsecond a call, so waking and calling is what counts. */
  readonly bound: 'memory' | 'compute' | 'overhead';
}

/** Options of {@link profile}. */
export interface ProfileOptions {
  /** Default: measured on first use, then kept. */
  readonly machine?: Machine;
  /** Runs of the function before the one that counts, so that memory is warm. Default 0. */
  readonly warmup?: number;
}

const smallestCall = 1e-6;
let measured: Promise<Machine> | undefined;
let running = false;

/** The machine that profiles are held against when none is given: measured once. */
export function thisMachine(): Promise<Machine> {
  measured ??= measureMachine({ quick: true });
  // A failure (no memory for the arrays) is told to whoever asked; the next one tries again.
  measured.catch(() => {
    measured = undefined;
  });
  return measured;
}

/** What {@link profile} found. */
export class Profile {
  /** One entry for each op of each module and pass, in the order of the first calls. */
  readonly layers: readonly LayerProfile[];
  /** Seconds from the first call to the last result. */
  readonly seconds: number;
  /** Seconds in kernels; what `seconds` has beyond it is JavaScript, hand-over and waiting. */
  readonly busy: number;
  readonly flops: number;
  readonly bytes: number;

  /** @internal */
  constructor(
    readonly machine: Machine,
    private readonly calls: readonly CallRecord[],
    private readonly spans: readonly Span[],
    private readonly start: number,
    end: number,
  ) {
    this.layers = layersOf(machine, calls);
    this.seconds = (end - start) / 1e9;
    this.busy = sum(this.layers, (l) => l.seconds);
    this.flops = sum(this.layers, (l) => l.flops);
    this.bytes = sum(this.layers, (l) => l.bytes);
  }

  /** The report as text: one line for each entry of {@link layers}, in their order or by time. */
  table(options: { readonly sort?: 'order' | 'time' } = {}): string {
    const { sort = 'order' } = checkOptions('table', options, ['sort']);
    if (sort !== 'order' && sort !== 'time') fail('table', 'sort must be "order" or "time"', show(sort));
    const list = sort === 'order' ? this.layers : [...this.layers].sort((a, b) => b.seconds - a.seconds);
    const head = [
      'module',
      'op',
      'pass',
      'calls',
      'FLOPs',
      'bytes',
      'FLOP/B',
      'time',
      'GFLOP/s',
      'GB/s',
      '% of roof',
      'bound',
    ];
    const rows = list.map((l) => [
      l.module,
      l.op,
      l.phase,
      String(l.calls),
      formatAmount(l.flops),
      formatAmount(l.bytes),
      formatNumber(l.intensity),
      formatTime(l.seconds),
      formatNumber(l.flopRate / 1e9),
      formatNumber(l.byteRate / 1e9),
      formatNumber(100 * l.ofRoof),
      l.bound,
    ]);
    const total =
      `${formatTime(this.seconds)} in all, ${formatTime(this.busy)} of it in kernels: ` +
      `${formatAmount(this.flops, 'FLOP')}, ${formatAmount(this.bytes, 'B')}, ${formatNumber(this.flops / this.seconds / 1e9)} GFLOP/s`;
    return `${formatTable(head, rows, 3)}\n${total}`;
  }

  /** What ran when, for chrome://tracing or https://ui.perfetto.dev: write it to a file with JSON.stringify(). */
  chromeTrace(): ChromeTrace {
    return chromeTrace(this.calls, this.spans, this.start);
  }
}

function sum<T>(list: readonly T[], value: (entry: T) => number): number {
  return list.reduce((total, entry) => total + value(entry), 0);
}

/** The module's path; the root's class stands for it, and before it where several roots have modules of their own. */
function moduleNames(calls: readonly CallRecord[]): (call: CallRecord) => string {
  const roots = new Set(
    calls.flatMap(({ scope }) => (scope !== null && scope.names.length > 1 ? [scope.names[0]] : [])),
  );
  return ({ scope }) => {
    if (scope === null) return '';
    return (scope.names.length > 1 && roots.size < 2 ? scope.names.slice(1) : scope.names).join('.');
  };
}

function layersOf(machine: Machine, calls: readonly CallRecord[]): LayerProfile[] {
  const nameOf = moduleNames(calls);
  const groups = new Map<string, CallRecord[]>();
  for (const call of calls) {
    const key = JSON.stringify([nameOf(call), call.op, call.phase]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [call]);
    else group.push(call);
  }
  return [...groups.values()].map((group) => {
    const [first] = group;
    const ran = group.filter((call) => !Number.isNaN(call.end)); // one that failed has no time
    const flops = sum(ran, (call) => call.cost.flops);
    const bytes = sum(ran, (call) => call.cost.bytes);
    const seconds = sum(ran, (call) => (call.end - call.start) / 1e9);
    const roofs = ran.map(({ cost, dtype, written }) =>
      roofline({ ...cost, machine, kind: computeKind(dtype), written }),
    );
    const least = sum(roofs, (r) => r.time);
    const computing = sum(roofs, (r) => (r.bound === 'compute' ? r.time : 0));
    return {
      module: nameOf(first),
      type: first.scope?.type ?? '',
      op: first.op,
      phase: first.phase,
      calls: group.length,
      flops,
      bytes,
      seconds,
      flopRate: seconds > 0 ? flops / seconds : 0,
      byteRate: seconds > 0 ? bytes / seconds : 0,
      intensity: bytes > 0 ? flops / bytes : 0,
      ofRoof: seconds > 0 ? least / seconds : 0,
      bound: least < smallestCall * ran.length ? 'overhead' : computing > least / 2 ? 'compute' : 'memory',
    };
  });
}

/**
 * Runs a function, synchronous or not, and reports every op call that it makes: FLOPs, bytes, time in the kernel, achieved
 * rates, the part of the roof reached and what bounds it, by module and pass; also as a Chrome trace. Waits for the
 * results, blocking the thread. What `fn` throws is thrown. One profile is taken at a time: a second one that is asked for
 * meanwhile, by `fn` or beside it, is an error.
 *
 * ```ts
 * const report = await profile(() => crossEntropy(model.forward(x), labels).backward(), { warmup: 2 });
 * console.log(report.table());
 * fs.writeFileSync('trace.json', JSON.stringify(report.chromeTrace()));
 * ```
 */
export async function profile(fn: () => unknown, options: ProfileOptions = {}): Promise<Profile> {
  if (typeof fn !== 'function') fail('profile', 'a function was expected', show(fn));
  const { warmup = 0 } = checkOptions('profile', options, ['warmup', 'machine']);
  if (!Number.isInteger(warmup) || warmup < 0)
    fail('profile', 'warmup must be a whole number, 0 or more', show(warmup));
  if (running) fail('profile', 'another profile is being taken; wait for it', 'its calls cannot be told from these');
  running = true;
  try {
    const machine = options.machine ?? (await thisMachine());
    for (let i = 0; i < warmup; i++) await fn();
    return await take(fn, machine);
  } finally {
    running = false;
  }
}

async function take(fn: () => unknown, machine: Machine): Promise<Profile> {
  const recorder = new Recorder(() => context().stream);
  const unwatch = watchForwards();
  synchronize();
  native.takeTimes();
  const start = Number(process.hrtime.bigint());
  try {
    await runIn({ tracer: recorder }, fn);
    synchronize();
  } finally {
    unwatch();
    recorder.timesOf(native.takeTimes());
  }
  return new Profile(machine, recorder.calls, recorder.spans, start, Number(process.hrtime.bigint()));
}
