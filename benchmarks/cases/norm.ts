// Normalisation, forward and backward.
import { type Case, times } from '../case.js';

export function layerNorm(shape: readonly number[], quick = false, gradient?: number): Case {
  const size = shape[shape.length - 1];
  return {
    group: 'norm',
    name: `layerNorm ${times(shape)}${gradient === undefined ? '' : ': gradients'}`,
    work: 'layerNorm',
    inputs: [{ shape }, { shape: [size] }, { shape: [size] }],
    quick,
    gradient,
  };
}

export function batchNorm(shape: readonly number[], quick = false, gradient?: number): Case {
  const channels = { shape: [shape[1]] };
  return {
    group: 'norm',
    name: `batchNorm ${times(shape)}, training${gradient === undefined ? '' : ': gradients'}`,
    work: 'batchNorm',
    inputs: [{ shape }, channels, channels],
    quick,
    gradient,
  };
}

/** The end of a residual block. */
function joined(shape: readonly number[], gradient?: number): Case {
  const channels = { shape: [shape[1]] };
  return {
    group: 'norm',
    name: `batchNorm ${times(shape)}, training, plus residual, relu${gradient === undefined ? '' : ': gradients'}`,
    work: 'batchNormAddRelu',
    inputs: [{ shape }, channels, channels, { shape }],
    quick: true,
    gradient,
  };
}

function inference(shape: readonly number[], quick = false): Case {
  const channels = { shape: [shape[1]] };
  const inputs = [{ shape }, channels, { shape: [shape[1]], low: 0.5, high: 2 }, channels, channels];
  return { group: 'norm', name: `batchNorm ${times(shape)}, inference`, work: 'batchNormInference', inputs, quick };
}

function rmsNorm(shape: readonly number[], gradient?: number): Case {
  const inputs = [{ shape }, { shape: [shape[shape.length - 1]] }];
  const name = `rmsNorm ${times(shape)}${gradient === undefined ? '' : ': gradients'}`;
  return { group: 'norm', name, work: 'rmsNorm', inputs, quick: true, gradient };
}

function groupNorm(shape: readonly number[], groups: number, gradient?: number): Case {
  const inputs = [{ shape }, { shape: [shape[1]] }, { shape: [shape[1]] }];
  const name = `groupNorm ${times(shape)}, ${groups} groups${gradient === undefined ? '' : ': gradients'}`;
  return { group: 'norm', name, work: 'groupNorm', inputs, options: { groups }, quick: true, gradient };
}

export const cases: readonly Case[] = [
  layerNorm([768, 128], true),
  layerNorm([768, 128], true, -1),
  layerNorm([4096, 768], true),
  layerNorm([4096, 768], true, -1),
  rmsNorm([4096, 768]),
  rmsNorm([4096, 768], -1),
  groupNorm([32, 64, 28, 28], 8),
  groupNorm([32, 64, 28, 28], 8, -1),
  joined([128, 16, 32, 32]),
  joined([128, 16, 32, 32], -1),
  ...[
    [128, 16, 32, 32],
    [128, 64, 8, 8],
    [64, 64, 56, 56],
    [64, 512, 7, 7],
  ].flatMap((shape) => [
    batchNorm(shape, shape[1] === 16),
    batchNorm(shape, shape[1] === 16, -1),
    inference(shape, shape[1] === 16),
  ]),
];
