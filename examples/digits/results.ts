import { createWriteStream, existsSync, mkdirSync, type WriteStream, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import { type nn, saveSafetensors } from 'athanor';
import { drawCurves } from './curves.js';
import type { MetricRecord } from './metrics.js';
import { drawMistakes, type Mistake } from './mistakes.js';

function newFolder(model: string): string {
  const time = new Date().toISOString().slice(0, 19).replace('T', '_').replaceAll(':', '-');
  const base = join('runs', `${time}-${model}`);
  for (let n = 1; ; n++) {
    const folder = n === 1 ? base : `${base}-${n}`;
    if (!existsSync(folder)) return folder;
  }
}

/** The folder that a run leaves behind. */
export class Results {
  readonly folder: string;
  readonly records: MetricRecord[] = [];
  readonly #metrics: WriteStream;

  /** Makes the folder, `out` or a new one below runs/, and writes config.json. */
  constructor(out: string | undefined, model: string, config: object) {
    this.folder = resolve(out ?? newFolder(model));
    mkdirSync(this.folder, { recursive: true });
    writeFileSync(join(this.folder, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
    this.#metrics = createWriteStream(join(this.folder, 'metrics.jsonl'));
  }

  /** Adds a line to metrics.jsonl. */
  record(record: MetricRecord): void {
    this.records.push(record);
    this.#metrics.write(`${JSON.stringify(record)}\n`);
  }

  /** Writes model.safetensors, whole or not at all. */
  async saveModel(model: nn.Module, metadata: Record<string, string>): Promise<void> {
    await saveSafetensors(join(this.folder, 'model.safetensors'), model.stateDict(), { metadata });
  }

  /** Writes the two pictures and ends metrics.jsonl. */
  async finish(
    title: string,
    mistakes: { readonly title: string; readonly worst: readonly Mistake[] },
    size: { readonly width: number; readonly height: number },
  ): Promise<void> {
    writeFileSync(join(this.folder, 'curves.svg'), await drawCurves(title, this.records));
    writeFileSync(join(this.folder, 'mistakes.svg'), drawMistakes(mistakes.title, mistakes.worst, size));
    this.#metrics.end();
    await finished(this.#metrics);
  }
}
