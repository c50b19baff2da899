// The tables of README.md and docs/, made from a report and put between markers.
import { type Group, groups } from '../case.js';
import { bestPeer, digits, geometricMean, ofRoof, rate, ratios, spread, time } from './figures.js';
import type { Report, Result } from './report.js';

/** A table with its columns padded, so that a change shows as one line. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((name, i) => Math.max(3, name.length, ...rows.map((row) => row[i].length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(' | ')} |`;
  const rule = `| ${widths.map((w, i) => (i === 0 ? '-'.repeat(w) : `${'-'.repeat(w - 1)}:`)).join(' | ')} |`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}

function measuredOn({ machine, commit, date, busy, quick }: Report): string {
  const kind = quick ? ' (a quick run)' : '';
  const doubt = busy === null ? '' : ` The machine was busy: ${busy}.`;
  return `${machine.cpu}, ${machine.threads} threads, ${machine.isa}; commit ${commit}, ${date.slice(0, 10)}${kind}.${doubt}`;
}

function peersTable({ peers }: Report): string {
  const rows = peers.map((p) => [
    p.name,
    p.version ?? 'absent',
    p.version === undefined ? `${p.reason}; ${p.install}` : '',
  ]);
  return table(['peer', 'version', 'why not'], rows);
}

/** Every job: its time, and each peer's time with the ratio to it. */
function jobsTable({ results }: Report): string {
  const jobs = results.filter((r) => r.group === 'jobs' && r.timings.athanor !== undefined);
  const names = [...new Set(jobs.flatMap((r) => ratios(r).map(([name]) => name)))];
  const rows = jobs.map((r) => {
    const found = new Map(ratios(r));
    const cells = names.map((name) =>
      found.has(name) ? `${time(r.timings[name].median)} (${digits(found.get(name) as number)}x)` : '',
    );
    return [r.name, `**${time(r.timings.athanor.median)}**`, ...cells];
  });
  return table(['job', 'athanor', ...names], rows);
}

/** Every group: how near the roof, and against the best of each peer's ways, by the geometric mean. */
function summaryTable({ results }: Report): string {
  const families = ['torch', 'ort', 'tfjs', 'openblas'].filter((family) =>
    results.some((r) => bestPeer(r, family) !== undefined),
  );
  const rows = groups
    .filter((group) => group !== 'jobs' && results.some((r) => r.group === group))
    .map((group) => {
      const here = results.filter((r) => r.group === group && r.timings.athanor !== undefined);
      const shares = here.flatMap((r) => ofRoof(r) ?? []).sort((a, b) => a - b);
      const against = families.map((family) => {
        const list = here.flatMap((r) => bestPeer(r, family)?.[1] ?? []);
        return list.length === 0 ? '' : `${digits(geometricMean(list))}x of ${list.length}`;
      });
      const middle = shares[shares.length >> 1];
      return [group, String(here.length), middle === undefined ? '' : `${digits(100 * middle)} %`, ...against];
    });
  return table(['group', 'cases', 'median of roof', ...families.map((family) => `against ${family}`)], rows);
}

function roofsTable({ machine }: Report): string {
  const counts = [...new Set(machine.compute.map((c) => c.threads))];
  const line = <T extends { readonly threads: number; readonly best: number }>(label: string, list: readonly T[]) => [
    label,
    ...counts.map((n) => {
      const found = list.find((entry) => entry.threads === n);
      return found === undefined ? '' : digits(found.best / 1e9);
    }),
  ];
  const unique = (list: readonly string[]) => [...new Set(list)];
  const compute = unique(machine.compute.map((c) => `${c.isa} ${c.kind}`)).map((key) =>
    line(
      `${key} multiply-add, GFLOP/s`,
      machine.compute.filter((c) => `${c.isa} ${c.kind}` === key),
    ),
  );
  const memory = unique(machine.memory.map((m) => `${m.level} ${m.kind}`)).map((key) =>
    line(
      `${key}, GB/s`,
      machine.memory.filter((m) => `${m.level} ${m.kind}` === key),
    ),
  );
  return table(['roof', ...counts.map((n) => `${n} thread${n > 1 ? 's' : ''}`)], [...compute, ...memory]);
}

function resultsTable(results: readonly Result[]): string {
  const names = [...new Set(results.flatMap((r) => ratios(r).map(([name]) => name)))];
  const rows = results
    .filter((r) => r.timings.athanor !== undefined)
    .map((r) => {
      const own = r.timings.athanor;
      const found = new Map(ratios(r));
      const share = ofRoof(r);
      return [
        r.name,
        `${time(own.median)} ±${Math.round(100 * spread(own))} %`,
        rate(r, own.median),
        share === undefined ? '' : `${digits(100 * share)} % of ${r.roof?.bound}`,
        ...names.map((name) => (found.has(name) ? `${digits(found.get(name) as number)}x` : '')),
      ];
    });
  return table(['case', 'time', 'rate', 'roof', ...names], rows);
}

/** A table by the name that a marker gives; undefined when there is none of that name. */
export function tableOf(name: string, report: Report): string | undefined {
  if (name === 'machine') return measuredOn(report);
  if (name === 'peers') return peersTable(report);
  if (name === 'jobs') return jobsTable(report);
  if (name === 'summary') return summaryTable(report);
  if (name === 'roofs') return roofsTable(report);
  if (!groups.includes(name as Group)) return undefined;
  return resultsTable(report.results.filter((r) => r.group === name));
}

const marked = /(<!-- bench table: (\w+) -->)[\s\S]*?(<!-- end of bench table -->)/g;

/** A text with what stands between its markers made anew. Throws for a marker that names no table. */
export function fillTables(text: string, report: Report): string {
  return text.replace(marked, (_, begin: string, name: string, end: string) => {
    const made = tableOf(name, report);
    if (made === undefined) throw new Error(`no table is called ${name}`);
    return `${begin}\n\n${made}\n\n${end}`;
  });
}
