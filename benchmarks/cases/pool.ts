// Pooling, forward and backward.
import { type Case, times } from '../case.js';

type Options = NonNullable<Case['options']>;

function pool(work: string, shape: readonly number[], options: Options, quick = false): Case[] {
  const notes =
    options.kernel === undefined ? `to ${options.size}x${options.size}` : `${options.kernel}x${options.kernel}`;
  const base = { group: 'pool', work, inputs: [{ shape }], options, quick } as const;
  const name = `${work} ${times(shape)}, ${notes}`;
  const indices: Case[] =
    work === 'maxPool2d' ? [{ ...base, work: 'maxPool2dWithIndices', name: `${name}, with indices` }] : [];
  return [{ ...base, name }, ...indices, { ...base, name: `${name}: gradient`, gradient: 0 }];
}

export const cases: readonly Case[] = [
  ...pool('maxPool2d', [128, 6, 28, 28], { kernel: 2, stride: 2 }, true),
  ...pool('maxPool2d', [128, 16, 10, 10], { kernel: 2, stride: 2 }),
  ...pool('maxPool2d', [64, 64, 112, 112], { kernel: 3, stride: 2, padding: 1 }),
  ...pool('avgPool2d', [64, 64, 56, 56], { kernel: 2, stride: 2 }, true),
  ...pool('adaptiveAvgPool2d', [64, 512, 7, 7], { size: 1 }, true),
];
