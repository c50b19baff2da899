// A profile as the trace format of Chrome: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
import type { CallRecord, Span } from './recorder.js';

/** One event: "X" is a stretch of time, "M" names a process or thread. Times are in microseconds. */
export interface TraceEvent {
  readonly name: string;
  readonly ph: 'X' | 'M';
  readonly pid: number;
  readonly tid: number;
  readonly cat?: string;
  readonly ts?: number;
  readonly dur?: number;
  readonly args?: Readonly<Record<string, unknown>>;
}

/** What chrome://tracing and Perfetto open. */
export interface ChromeTrace {
  readonly displayTimeUnit: 'ms';
  readonly traceEvents: readonly TraceEvent[];
}

const pid = 1;
const javascript = 0;
const threadNames = ['JavaScript', 'compute stream', 'loader stream'];

/** Modules as stretches of a stream's time: from the first of the ops in a row that they made to the last. */
function moduleEvents(calls: readonly CallRecord[], tid: number, at: (ns: number) => number): TraceEvent[] {
  const events: TraceEvent[] = [];
  let open: { readonly name: string; readonly start: number }[] = [];
  let phase = '';
  let end = 0;
  const close = (depth: number) => {
    for (const { name, start } of open.slice(depth)) {
      events.push({ name, ph: 'X', pid, tid, cat: phase, ts: at(start), dur: (end - start) / 1e3 });
    }
    open = open.slice(0, depth);
  };
  for (const call of calls) {
    const names = call.scope?.names ?? [];
    let common = 0;
    while (call.phase === phase && common < open.length && open[common].name === names[common]) common++;
    close(common);
    phase = call.phase;
    for (const name of names.slice(common)) open.push({ name, start: call.start });
    end = call.end;
  }
  close(0);
  return events;
}

/** The trace of a profile that began at `start` (nanoseconds). */
export function chromeTrace(calls: readonly CallRecord[], spans: readonly Span[], start: number): ChromeTrace {
  const at = (ns: number) => (ns - start) / 1e3;
  const ran = calls.filter((call) => !Number.isNaN(call.end)).sort((a, b) => a.start - b.start);
  const events: TraceEvent[] = threadNames.map((name, tid) => ({
    name: 'thread_name',
    ph: 'M',
    pid,
    tid,
    args: { name },
  }));
  events.push({ name: 'process_name', ph: 'M', pid, tid: 0, args: { name: 'athanor' } });
  for (const { name, phase, start, end } of spans) {
    events.push({ name, ph: 'X', pid, tid: javascript, cat: phase, ts: at(start), dur: (end - start) / 1e3 });
  }
  for (const stream of [0, 1]) {
    const here = ran.filter((call) => call.stream === stream);
    events.push(...moduleEvents(here, stream + 1, at));
    for (const { op, phase, start, end, cost, shapes, dtype } of here) {
      const args = { shapes, dtype, flops: cost.flops, bytes: cost.bytes };
      events.push({
        name: op,
        ph: 'X',
        pid,
        tid: stream + 1,
        cat: phase,
        ts: at(start),
        dur: (end - start) / 1e3,
        args,
      });
    }
  }
  return { displayTimeUnit: 'ms', traceEvents: events };
}
