// Softmax and the losses over classes, forward and backward.
import { type Case, times } from '../case.js';

export function over(work: string, shape: readonly number[], quick = false, gradient?: number): Case {
  const name = `${work} ${times(shape)}${gradient === undefined ? '' : ': gradient'}`;
  return {
    group: 'softmax',
    name,
    work,
    inputs: [{ shape, low: -4, high: 4 }],
    options: { axis: -1 },
    quick,
    gradient,
  };
}

export function loss(work: string, rows: number, classes: number, quick = false, gradient?: number): Case {
  return {
    group: 'softmax',
    name: `${work} ${rows}x${classes}${gradient === undefined ? '' : ': gradient'}`,
    work,
    inputs: [
      { shape: [rows, classes], low: -4, high: 4 },
      { shape: [rows], dtype: 'int32', high: classes },
    ],
    quick,
    gradient,
  };
}

/** A loss between numbers and numbers, over all of them. */
function between(work: string, low: number, gradient?: number): Case {
  const shape = [4096, 256];
  return {
    group: 'softmax',
    name: `${work} ${times(shape)}${gradient === undefined ? '' : ': gradient'}`,
    work,
    inputs: [{ shape }, { shape, low }],
    quick: true,
    gradient,
  };
}

export const cases: readonly Case[] = [
  ...[
    [128, 10],
    [4096, 64],
    [4096, 1000],
    [768, 8192],
  ].map((shape) => over('softmax', shape, shape[1] === 1000 || shape[1] === 64)),
  over('softmax', [4096, 1000], true, 0),
  over('logSoftmax', [4096, 1000], true),
  over('logSoftmax', [4096, 1000], true, 0),
  over('logSumExp', [4096, 1000], true),
  ...[
    [128, 10],
    [768, 65],
    [4096, 1000],
  ].flatMap(([rows, classes]) => [
    loss('crossEntropy', rows, classes, rows !== 768),
    loss('crossEntropy', rows, classes, rows === 4096, 0),
  ]),
  loss('nllLoss', 4096, 1000, true),
  loss('nllLoss', 4096, 1000, true, 0),
  ...[undefined, 0].flatMap((gradient) => [
    between('mseLoss', -1, gradient),
    between('l1Loss', -1, gradient),
    between('binaryCrossEntropyWithLogits', 0, gradient),
  ]),
];
