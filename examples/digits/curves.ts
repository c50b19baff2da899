import type { MetricRecord, StepRecord, TestRecord } from './metrics.js';

/** Points that a curve is thinned to: more than there are pixels across. */
const POINTS = 400;
const WIDTH = 760;
const HEIGHT = 260;

/** What is needed of a drawn panel; the compiler knows no browser here. */
interface SvgElement {
  readonly outerHTML: string;
  setAttribute(name: string, value: string): void;
}

interface Point {
  readonly step: number;
  readonly value: number;
}

/** Means over equal runs of steps: a curve of 3,000 noisy batches becomes readable, and the file stays small. */
function thin(steps: readonly StepRecord[], value: (record: StepRecord) => number, points: number): Point[] {
  const run = Math.max(1, Math.ceil(steps.length / points));
  const thinned: Point[] = [];
  for (let from = 0; from < steps.length; from += run) {
    const part = steps.slice(from, from + run);
    const mean = part.reduce((sum, record) => sum + value(record), 0) / part.length;
    thinned.push({ step: part[part.length >> 1].step, value: mean });
  }
  return thinned;
}

/** The value that a tenth of the values lies below. */
function quantile(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 10)] ?? 0;
}

/** Draws loss and accuracy over the steps: every batch faintly, its running mean, and the test results after each epoch. */
export async function drawCurves(title: string, records: readonly MetricRecord[]): Promise<string> {
  const [Plot, { parseHTML }] = await Promise.all([import('@observablehq/plot'), import('linkedom')]);
  const { document } = parseHTML('<html></html>');
  const steps = records.filter((record): record is StepRecord => record.kind === 'step');
  const tests = records.filter((record): record is TestRecord => record.kind === 'test');

  /** The first batches are far off; a scale that fits them all would press the rest into a line. */
  const low = Math.min(0.9, ...tests.map(({ accuracy }) => accuracy), quantile(steps.map(({ accuracy }) => accuracy)));

  const panel = (label: string, type: 'linear' | 'log', value: (record: MetricRecord) => number, percent: boolean) => {
    const training = thin(steps, value, POINTS);
    const smooth = thin(steps, value, POINTS / 8);
    const results = tests.map((record) => ({ step: record.step, value: value(record) }));
    const shown = (result: Point) => (percent ? `${(100 * result.value).toFixed(2)} %` : result.value.toFixed(4));
    return Plot.plot({
      document,
      width: WIDTH,
      height: HEIGHT,
      marginLeft: 56,
      marginRight: 64,
      grid: true,
      style: { fontSize: '12px', fontFamily: 'system-ui, sans-serif' },
      x: { label: 'step', domain: [0, Math.max(1, steps.length)] },
      y: {
        label,
        type,
        percent,
        nice: true,
        domain: percent ? [100 * low, 100] : undefined,
        ticks: percent ? undefined : 5,
        tickFormat: (value: number) => String(value),
      },
      marks: [
        Plot.line(training, { x: 'step', y: 'value', stroke: '#9db7d8', strokeWidth: 1, clip: true }),
        Plot.line(smooth, {
          x: 'step',
          y: 'value',
          stroke: '#1f5fa8',
          strokeWidth: 2,
          curve: 'monotone-x',
          clip: true,
        }),
        Plot.dot(results, { x: 'step', y: 'value', fill: '#d9480f', r: 4.5 }),
        Plot.text(results, { x: 'step', y: 'value', text: shown, fill: '#d9480f', dy: -12, fontWeight: 'bold' }),
      ],
    }) as unknown as SvgElement;
  };

  const panels = [
    panel('loss', 'log', ({ loss }) => loss, false),
    panel('accuracy (%)', 'linear', ({ accuracy }) => accuracy, true),
  ];
  const head = 44;
  const placed = panels.map((svg, i) => {
    svg.setAttribute('y', String(head + i * (HEIGHT + 8)));
    return svg.outerHTML;
  });
  const height = head + panels.length * (HEIGHT + 8);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif">`,
    '<rect width="100%" height="100%" fill="white"/>',
    `<text x="16" y="22" font-size="15" font-weight="bold">${escapeXml(title)}</text>`,
    '<text x="16" y="39" font-size="12" fill="#555">blue: training batches and their mean; orange: the test digits after an epoch</text>',
    ...placed,
    '</svg>\n',
  ].join('\n');
}

/** Text as it may stand in XML. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
