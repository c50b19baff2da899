// Sums and other folds: whole tensors from 16 to 64 M elements, rows, columns and channels.
import { type Case, count, times } from '../case.js';

const K = 1 << 10;
const M = 1 << 20;

export function whole(work: string, size: number, quick = false): Case {
  const input =
    work === 'any' || work === 'all'
      ? { dtype: 'bool' as const }
      : work === 'prod'
        ? { low: 0.9999, high: 1.0001 }
        : {};
  // What a peer folds in float32 alone drifts: a product of a million factors by 2e-3, a sum of 64 M terms by 2e-4.
  const tolerance = work === 'prod' ? 5e-3 : size > M ? 1e-3 : undefined;
  return {
    group: 'reduce',
    name: `${work} ${count(size)}`,
    work,
    inputs: [{ shape: [size], ...input }],
    quick,
    tolerance,
  };
}

export function along(work: string, shape: readonly number[], axis: number | readonly number[], quick = false): Case {
  const input = work === 'prod' ? { low: 0.999, high: 1.001 } : {};
  const name = `${work} ${times(shape)} over ${typeof axis === 'number' ? axis : axis.join(', ')}`;
  return { group: 'reduce', name, work, inputs: [{ shape, ...input }], options: { axis }, quick };
}

export const cases: readonly Case[] = [
  ...[16, 4 * K, 64 * K, M, 16 * M, 64 * M].map((size) => whole('sum', size, size === 64 * K || size === 16 * M)),
  ...['mean', 'prod', 'max', 'min', 'any', 'all', 'norm'].map((work) => whole(work, M, true)),
  ...['mean', 'max', 'norm'].map((work) => whole(work, 16 * M)),
  ...['sum', 'max', 'variance', 'std', 'argmax'].map((work) => along(work, [4096, 1024], 1, true)),
  ...['sum', 'max', 'variance', 'argmax', 'argmin'].map((work) => along(work, [4096, 1024], 0, work !== 'max')),
  along('cumsum', [4096, 1024], 1, true),
  along('cumsum', [4096, 1024], 0),
  along('sum', [64, 64, 56, 56], [0, 2, 3], true),
  along('mean', [64, 512, 7, 7], [2, 3]),
  along('sum', [128, 16, 32, 32], [0, 2, 3]),
  { ...along('max', [4096, 1024], 1), name: 'max 4096x1024 over 1: gradient', gradient: 0, quick: true },
  { ...along('variance', [4096, 1024], 1), name: 'variance 4096x1024 over 1: gradient', gradient: 0 },
];
