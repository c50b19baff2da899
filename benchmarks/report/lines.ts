// What is printed while a run goes on.
import type { Machine, MemoryLevel } from 'athanor';
import { digits, ofRoof, rate, ratios, spread, time } from './figures.js';
import type { Result } from './report.js';

const nameWidth = 58;

/** The roofs, one line each. */
export function machineLines(machine: Machine): string[] {
  const counts = [...new Set(machine.compute.map((c) => c.threads))];
  const per = (list: readonly { threads: number; best: number }[]) =>
    counts.map((n) => digits((list.find((e) => e.threads === n)?.best ?? Number.NaN) / 1e9).padStart(9)).join('');
  const lines = [`${'roofs'.padEnd(34)}${counts.map((n) => `${n} thread${n > 1 ? 's' : ''}`.padStart(9)).join('')}`];
  const kinds = new Map(machine.compute.map((c) => [`${c.isa} ${c.kind}`, c]));
  for (const { isa, kind } of kinds.values()) {
    const list = machine.compute.filter((c) => c.isa === isa && c.kind === kind);
    lines.push(`${`${kind} multiply-add, ${isa}, GFLOP/s`.padEnd(34)}${per(list)}`);
  }
  const levels = [...new Set(machine.memory.map((m) => m.level))] as MemoryLevel[];
  for (const level of levels) {
    const here = machine.memory.filter((m) => m.level === level);
    for (const kind of [...new Set(here.map((m) => m.kind))]) {
      lines.push(`${`${level} ${kind}, GB/s`.padEnd(34)}${per(here.filter((m) => m.kind === kind))}`);
    }
  }
  const { call, add16 } = machine.overhead;
  lines.push(`call into native code ${time(call.median)}, add of 16 floats ${time(add16.median)}`);
  return lines;
}

/** One result: time and spread, rate, per cent of the roof, what bounds it, then each peer's time by athanor's. */
export function resultLine(r: Result): string {
  const own = r.timings.athanor;
  const failed = r.failures.map((failure) => `\n  FAILED ${failure}`).join('');
  if (own === undefined) return `${r.name.padEnd(nameWidth)}${failed}`;
  const share = ofRoof(r);
  const roof = share === undefined ? '' : `${digits(100 * share)} % of ${r.roof?.bound}`;
  const peers = ratios(r).map(([name, ratio]) => `${name} ${digits(ratio)}x`);
  const cells = [
    r.name.padEnd(nameWidth),
    `${time(own.median)} +-${Math.round(100 * spread(own))}%`.padStart(15),
    rate(r, own.median).padStart(14),
    roof.padStart(20),
    `  ${peers.join('  ')}`,
  ];
  return `${cells.join(' ').trimEnd()}${failed}`;
}
