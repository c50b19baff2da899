// The roofline plot: roofs of memory and arithmetic, every kernel a point at its intensity and its rate.
import type { Machine } from 'athanor';
import type { Report, Result } from './report.js';
import { escapeXml } from './xml.js';

const width = 1180;
const height = 680;

/** What is needed of a drawn plot; the compiler knows no browser here. */
interface SvgElement {
  readonly outerHTML: string;
}

interface Point {
  readonly group: string;
  readonly name: string;
  readonly intensity: number;
  readonly rate: number;
}

interface Line {
  readonly label: string;
  readonly from: readonly [x: number, y: number];
  readonly to: readonly [x: number, y: number];
}

/** Colours that stay apart for eyes that see fewer of them (after Okabe and Ito). */
const colours: Readonly<Record<string, string>> = {
  gemm: '#0072b2',
  conv: '#d55e00',
  elementwise: '#009e73',
  reduce: '#cc79a7',
  softmax: '#8c6d1f',
  norm: '#56b4e9',
  layers: '#117733',
  pool: '#e69f00',
  index: '#7f7f7f',
  optim: '#5b3fa0',
};

// A FLOP for each 100 bytes: what does less, such as one sum over all that it moves, only moves data.
const leastIntensity = 0.01;

/** Kernels that have FLOPs and bytes; what moves data alone has no place on a scale of intensities. */
export function pointsOf(results: readonly Result[]): Point[] {
  return results
    .filter((r) => r.group in colours && r.flops > 0 && r.bytes > 0 && r.timings.athanor !== undefined)
    .map((r) => ({
      group: r.group,
      name: r.name,
      intensity: r.flops / r.bytes,
      rate: r.flops / r.timings.athanor.median / 1e9,
    }))
    .filter((p) => p.intensity >= leastIntensity);
}

function fastest(machine: Machine, level: string): number {
  return Math.max(
    ...machine.memory.filter((m) => m.level === level && m.threads === machine.threads).map((m) => m.best),
  );
}

/**
 * The roofs within a range of intensities: one slope a memory level up to the ridge, one flat line a kind of arithmetic,
 * that of bfloat16 where `narrow` says that there are kernels below it.
 */
export function roofLines(
  machine: Machine,
  low: number,
  high: number,
  narrow = false,
): { memory: Line[]; compute: Line[] } {
  const peaks = machine.compute.filter((c) => c.threads === machine.threads && (narrow || c.kind !== 'bf16'));
  const top = Math.max(...peaks.map((c) => c.best));
  const levels = [...new Set(machine.memory.map((m) => m.level))];
  const memory = levels.map((level): Line => {
    const bandwidth = fastest(machine, level);
    const end = Math.min(high, top / bandwidth);
    return {
      label: `${level} ${(bandwidth / 1e9).toFixed(0)} GB/s`,
      from: [low, (low * bandwidth) / 1e9],
      to: [end, (end * bandwidth) / 1e9],
    };
  });
  const reach = Math.max(...levels.map((level) => fastest(machine, level)));
  const compute = peaks.map((c): Line => {
    const peak = c.best / 1e9;
    return {
      label: `${c.kind} ${c.isa} ${peak.toFixed(0)} GFLOP/s`,
      from: [Math.max(low, c.best / reach), peak],
      to: [high, peak],
    };
  });
  return { memory, compute };
}

const isNarrow = ({ results }: Report) => results.some((r) => r.name.includes('bfloat16'));

function rangeOf(values: readonly number[], fallback: readonly [number, number]): [number, number] {
  if (values.length === 0) return [...fallback];
  return [Math.min(...values), Math.max(...values)];
}

/** The plot as an SVG document. */
export async function drawRoofline(report: Report): Promise<string> {
  const [Plot, { parseHTML }] = await Promise.all([import('@observablehq/plot'), import('linkedom')]);
  const { document } = parseHTML('<html></html>');
  const points = pointsOf(report.results);
  const [least, most] = rangeOf(
    points.map((p) => p.intensity),
    [0.1, 100],
  );
  const x: [number, number] = [Math.min(0.05, least / 1.5), Math.max(200, most * 1.5)];
  const { memory, compute } = roofLines(report.machine, ...x, isNarrow(report));
  const top = Math.max(...compute.map((line) => line.to[1]));
  const [slowest] = rangeOf(
    points.map((p) => p.rate),
    [1, 1],
  );
  const y: [number, number] = [Math.max(0.05, Math.min(1, slowest / 1.5)), top * 1.8];
  const groups = [...new Set(points.map((p) => p.group))];
  const ends = (lines: readonly Line[]) =>
    lines.flatMap(({ label, from, to }) => [
      { label, x: from[0], y: from[1] },
      { label, x: to[0], y: to[1] },
    ]);
  // A label stands on its slope where the slope enters the frame.
  const slope = memory.map(({ label, from }) => {
    const bandwidth = from[1] / from[0];
    const at = Math.max(x[0] * 1.08, (y[0] * 1.25) / bandwidth);
    return { label, x: at, y: at * bandwidth };
  });
  // On logarithmic scales of equal decades a bandwidth is a straight line of this angle.
  const decades = (range: readonly [number, number]) => Math.log10(range[1] / range[0]);
  const angle = (-Math.atan2((height - 90) / decades(y), (width - 90) / decades(x)) * 180) / Math.PI;
  const svg = Plot.plot({
    document,
    width,
    height,
    marginLeft: 62,
    marginRight: 28,
    marginTop: 56,
    marginBottom: 46,
    style: { fontSize: '12px', fontFamily: 'system-ui, sans-serif', background: 'white' },
    x: { type: 'log', domain: x, label: 'intensity (FLOP per byte)', grid: true, tickFormat: (v: number) => decade(v) },
    y: {
      type: 'log',
      domain: y,
      label: 'GFLOP/s',
      labelAnchor: 'center',
      grid: true,
      tickFormat: (v: number) => decade(v),
    },
    color: { domain: groups, range: groups.map((group) => colours[group]) },
    marks: [
      Plot.line(ends(memory), { x: 'x', y: 'y', z: 'label', stroke: '#444', strokeWidth: 1.4, clip: true }),
      Plot.line(ends(compute), { x: 'x', y: 'y', z: 'label', stroke: '#444', strokeWidth: 1.4, clip: true }),
      Plot.dot(points, {
        x: 'intensity',
        y: 'rate',
        fill: 'group',
        r: 3.2,
        fillOpacity: 0.75,
        title: 'name',
        clip: true,
      }),
      Plot.text(slope, {
        x: 'x',
        y: 'y',
        text: 'label',
        textAnchor: 'start',
        dy: -7,
        dx: 4,
        rotate: angle,
        fill: '#222',
      }),
      Plot.text(compute, {
        x: (line: Line) => line.to[0],
        y: (line: Line) => line.to[1],
        text: 'label',
        textAnchor: 'end',
        dy: -7,
        fill: '#222',
      }),
    ],
  }) as unknown as SvgElement;
  return framed(svg.outerHTML, report, groups);
}

/** Only whole powers of ten are named: a logarithmic axis has too many ticks for more. */
function decade(value: number): string {
  const power = Math.log10(value);
  return Math.abs(power - Math.round(power)) < 1e-9 ? String(Number(value.toPrecision(1))) : '';
}

/** Adds a title and the legend. */
function framed(plot: string, { machine, commit }: Report, groups: readonly string[]): string {
  const title = `${machine.cpu}, ${machine.threads} threads, ${machine.isa}: every kernel on the roofs (commit ${commit})`;
  const legend = groups
    .map((group, i) => {
      const at = 66 + i * 104;
      return `<circle cx="${at}" cy="37" r="5" fill="${colours[group]}"/><text x="${at + 10}" y="41" font-size="12">${group}</text>`;
    })
    .join('');
  const head = `<text x="62" y="20" font-size="15" font-weight="bold">${escapeXml(title)}</text>${legend}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif">`,
    '<rect width="100%" height="100%" fill="white"/>',
    plot,
    head,
    '</svg>\n',
  ].join('\n');
}
