// At which batch size a layer stops waiting for memory.
import { noGrad } from '../autograd/modes.js';
import { fail, show } from '../errors.js';
import type { AnyModule } from '../nn/module.js';
import { checkOptions } from '../options.js';
import { Tensor } from '../tensor.js';
import type { Machine } from './machine.js';
import { type LayerProfile, profile, thisMachine } from './profile.js';
import { formatNumber, formatTable } from './text.js';

/** One op of one layer over the batch sizes. */
export interface LayerSweep {
  /** The module's path, as in {@link LayerProfile}. */
  readonly module: string;
  readonly type: string;
  readonly op: string;
  /** Its forward pass at each batch size. */
  readonly points: readonly (LayerProfile & { readonly batch: number })[];
  /** The first of the batch sizes from which it is bound by arithmetic on; null: none of them. */
  readonly ridgeBatch: number | null;
}

/** What {@link batchSweep} found. */
export interface BatchSweep {
  readonly machine: Machine;
  readonly batches: readonly number[];
  readonly layers: readonly LayerSweep[];
  /** The report as text: intensity and per cent of the roof at each batch size, and where a layer crosses the ridge. */
  table(): string;
}

/** Options of {@link batchSweep}. */
export interface BatchSweepOptions {
  /** Rising batch sizes; default 1, 4, 16, 64 and 256. */
  readonly batches?: readonly number[];
  /** Default: measured on first use, then kept. */
  readonly machine?: Machine;
}

function checkBatches(batches: unknown): readonly number[] {
  const good =
    Array.isArray(batches) &&
    batches.length > 0 &&
    batches.every((b, i) => Number.isInteger(b) && b >= 1 && (i === 0 || b > batches[i - 1]));
  return good ? batches : fail('batchSweep', 'batches must be rising whole numbers of 1 or more', show(batches));
}

function inputsOf(given: unknown): readonly Tensor[] {
  const list = Array.isArray(given) ? given : [given];
  return list.every((t) => t instanceof Tensor)
    ? list
    : fail('batchSweep', 'inputOf must return a tensor or a list of tensors', show(given));
}

/** The first batch size from which all points are bound by arithmetic. */
function ridgeOf(points: LayerSweep['points']): number | null {
  let ridge: number | null = null;
  for (const { batch, bound } of points) {
    if (bound !== 'compute') ridge = null;
    else ridge ??= batch;
  }
  return ridge;
}

function tableOf(batches: readonly number[], layers: readonly LayerSweep[]): string {
  const head = ['module', 'op', ...batches.map((b) => `batch ${b}`), 'compute-bound from'];
  const cell = (layer: LayerSweep, batch: number) => {
    const point = layer.points.find((p) => p.batch === batch);
    return point === undefined ? '' : `${formatNumber(point.intensity)} FLOP/B, ${formatNumber(100 * point.ofRoof)} %`;
  };
  const rows = layers.map((l) => [
    l.module,
    l.op,
    ...batches.map((b) => cell(l, b)),
    l.ridgeBatch === null ? 'never' : String(l.ridgeBatch),
  ]);
  return formatTable(head, rows, 2);
}

/**
 * Runs a model's forward pass at several batch sizes and reports for each op of each layer its intensity, what it reaches
 * of the roof, and from which batch size on arithmetic bounds it: below, a larger batch costs no more time than its bytes.
 * `inputOf(batch)` makes the input (or the list of inputs) for a batch size.
 *
 * ```ts
 * console.log((await batchSweep(model, (batch) => randn([batch, 784]))).table());
 * ```
 */
export async function batchSweep(
  model: AnyModule,
  inputOf: (batch: number) => Tensor | readonly Tensor[],
  options: BatchSweepOptions = {},
): Promise<BatchSweep> {
  if (typeof (model as { forward?: unknown } | null)?.forward !== 'function') {
    fail('batchSweep', 'a module was expected', show(model));
  }
  if (typeof inputOf !== 'function') fail('batchSweep', 'a function that makes the input was expected', show(inputOf));
  checkOptions('batchSweep', options, ['batches', 'machine']);
  const batches = checkBatches(options.batches ?? [1, 4, 16, 64, 256]);
  const machine = options.machine ?? (await thisMachine());
  const found = new Map<string, LayerProfile & { points: (LayerProfile & { batch: number })[] }>();
  for (const batch of batches) {
    const inputs = inputsOf(inputOf(batch));
    const run = () => noGrad(() => model.forward(...(inputs as never)));
    const { layers } = await profile(run, { machine, warmup: 1 });
    for (const layer of layers) {
      const key = JSON.stringify([layer.module, layer.op]);
      const entry = found.get(key) ?? { ...layer, points: [] };
      entry.points.push({ ...layer, batch });
      found.set(key, entry);
    }
  }
  const layers = [...found.values()].map(({ module, type, op, points }) => ({
    module,
    type,
    op,
    points,
    ridgeBatch: ridgeOf(points),
  }));
  return { machine, batches, layers, table: () => tableOf(batches, layers) };
}
