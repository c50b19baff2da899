// A page that shows a report: the plot, the jobs as bars, and every table.
import { groups } from '../case.js';
import { digits, ofRoof, rate, ratios, spread, time } from './figures.js';
import type { Report, Result } from './report.js';
import { drawRoofline } from './roofline-plot.js';
import { escapeXml } from './xml.js';

const style = `
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1200px; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; font-size: 13px; margin: 0.5rem 0 2rem; }
th, td { padding: 2px 10px; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
svg { max-width: 100%; height: auto; }
.warn { background: #fff3cd; padding: 0.5rem 1rem; }
.failed { color: #b00020; }
.job { margin: 0.9rem 0; } .job h4 { margin: 0 0 0.2rem; font-weight: 600; }
.bar { display: flex; align-items: center; font-size: 13px; } .bar span:first-child { width: 11rem; }
.bar i { display: block; height: 0.95rem; margin-right: 0.5rem; background: #9db7d8; } .bar.own i { background: #0072b2; }
`;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (tag: string, cells: readonly string[]) =>
    `<tr>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join('')}</tr>`;
  return `<table>${line('th', head)}${rows.map((cells) => line('td', cells)).join('\n')}</table>`;
}

function resultTable(results: readonly Result[]): string {
  const peers = [...new Set(results.flatMap((r) => ratios(r).map(([name]) => name)))];
  const head = ['', 'time', 'spread', 'rate', 'of roof', 'bound', ...peers.map((name) => `${name} / athanor`)];
  const rows = results.map((r) => {
    const own = r.timings.athanor;
    const found = new Map(ratios(r));
    const share = ofRoof(r);
    const name = escapeXml(r.name) + r.failures.map((f) => `<br><span class="failed">${escapeXml(f)}</span>`).join('');
    if (own === undefined) return [name, ...head.slice(1).map(() => '')];
    return [
      name,
      time(own.median),
      `${digits(100 * spread(own))} %`,
      rate(r, own.median),
      share === undefined ? '' : `${digits(100 * share)} %`,
      r.roof?.bound ?? '',
      ...peers.map((peer) => (found.has(peer) ? digits(found.get(peer) as number) : '')),
    ];
  });
  return table(head, rows);
}

function bars(results: readonly Result[]): string {
  return results
    .map((r) => {
      const timings = Object.entries(r.timings);
      const longest = Math.max(...timings.map(([, t]) => t.median));
      const own = r.timings.athanor?.median ?? Number.NaN;
      const lines = timings.map(([name, t]) => {
        const ratio = name === 'athanor' ? '' : `, ${digits(t.median / own)}x`;
        const width = Math.max(0.2, (55 * t.median) / longest);
        return `<div class="bar${name === 'athanor' ? ' own' : ''}"><span>${name}</span><i style="width:${width.toFixed(2)}%"></i>${time(t.median)}${ratio}</div>`;
      });
      return `<div class="job"><h4>${escapeXml(r.name)}</h4>${lines.join('')}</div>`;
    })
    .join('\n');
}

function roofTable({ machine }: Report): string {
  const counts = [...new Set(machine.compute.map((c) => c.threads))];
  const cell = (list: readonly { threads: number; best: number }[], n: number) => {
    const found = list.find((entry) => entry.threads === n);
    return found === undefined ? '' : digits(found.best / 1e9);
  };
  const compute = [...new Set(machine.compute.map((c) => `${c.isa} ${c.kind}`))].map((key) => {
    const list = machine.compute.filter((c) => `${c.isa} ${c.kind}` === key);
    return [`${key} multiply-add, GFLOP/s`, ...counts.map((n) => cell(list, n))];
  });
  const memory = [...new Set(machine.memory.map((m) => `${m.level} ${m.kind}`))].map((key) => {
    const list = machine.memory.filter((m) => `${m.level} ${m.kind}` === key);
    return [`${key}, GB/s`, ...counts.map((n) => cell(list, n))];
  });
  return table(['roof', ...counts.map((n) => `${n} thread${n > 1 ? 's' : ''}`)], [...compute, ...memory]);
}

/** The page. */
export async function htmlPage(report: Report): Promise<string> {
  const { machine, results, peers } = report;
  const sections = groups
    .filter((group) => group !== 'jobs' && results.some((r) => r.group === group))
    .map((group) => `<h2>${group}</h2>${resultTable(results.filter((r) => r.group === group))}`);
  const jobs = results.filter((r) => r.group === 'jobs');
  const listed = peers.map((p) =>
    p.version === undefined
      ? `<li>${escapeXml(p.name)}: absent (${escapeXml(p.reason ?? '')}); <code>${escapeXml(p.install ?? '')}</code></li>`
      : `<li>${escapeXml(p.name)} ${escapeXml(p.version)}</li>`,
  );
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>athanor benchmark</title>',
    `<style>${style}</style></head><body><h1>athanor benchmark</h1>`,
    `<p>${escapeXml(machine.cpu)}, ${machine.threads} threads, ${machine.isa}; ${escapeXml(machine.system)}, node ${machine.node}; commit ${escapeXml(report.commit)}, ${report.date.slice(0, 10)}${report.quick ? ', a quick run' : ''}.</p>`,
    report.busy === null
      ? ''
      : `<p class="warn">The machine was busy: ${escapeXml(report.busy)}. Read ratios, not times.</p>`,
    `<ul>${listed.join('')}</ul>`,
    await drawRoofline(report),
    jobs.length > 0 ? `<h2>jobs</h2>${bars(jobs)}` : '',
    `<h2>roofs</h2>${roofTable(report)}`,
    ...sections,
    jobs.length > 0 ? `<h2>jobs, in figures</h2>${resultTable(jobs)}` : '',
    '</body></html>\n',
  ].join('\n');
}
