// Cases of a size that fills a GPU: beyond its second-level cache, and long against a launch. With those of their kind that
// a processor can be asked for too, they are what the ladder counts (report/ladder.ts).
import type { Case, Input } from '../case.js';
import { conv, type Layer } from './conv.js';
import { gemm } from './gemm.js';
import { batchNorm, layerNorm } from './norm.js';
import { along, whole } from './reduce.js';
import { loss, over } from './softmax.js';

const M = 1 << 20;
const layouts = ['n', 'a', 'b', 'both'] as const;

/** Square products in every layout, and one of which no line begins at a multiple of 16 bytes. */
function products(dtype?: Input['dtype']): Case[] {
  const square = [4096, 8192].flatMap((n) => layouts.map((transposed) => gemm(n, n, n, { transposed, dtype })));
  // That one a processor is asked for too (gemm.ts).
  const known = dtype === undefined ? ['matmul 4096x4096x4096'] : [];
  return [...square.filter(({ name }) => !known.includes(name)), gemm(4095, 4095, 4095, { dtype })];
}

/** The convolutions of ResNet-50, images of channels that lie together. */
const layers: readonly Layer[] = [
  { channels: 3, size: 224, out: 64, kernel: 7, stride: 2, padding: 3 },
  { channels: 64, size: 56, out: 64, kernel: 3, padding: 1 },
  { channels: 64, size: 56, out: 256, kernel: 1 },
  { channels: 256, size: 56, out: 64, kernel: 1 },
  { channels: 256, size: 56, out: 512, kernel: 1, stride: 2 },
  { channels: 128, size: 56, out: 128, kernel: 3, stride: 2, padding: 1 },
  { channels: 128, size: 28, out: 128, kernel: 3, padding: 1 },
  { channels: 512, size: 28, out: 128, kernel: 1 },
  { channels: 256, size: 14, out: 256, kernel: 3, padding: 1 },
  { channels: 1024, size: 14, out: 256, kernel: 1 },
  { channels: 512, size: 7, out: 512, kernel: 3, padding: 1 },
  { channels: 2048, size: 7, out: 512, kernel: 1 },
];

const images = [
  [64, 64, 112, 112],
  [64, 256, 56, 56],
  [64, 512, 28, 28],
];

export const cases: readonly Case[] = [
  ...products(),
  ...products('bfloat16'),
  ...layers.flatMap((layer) => conv(128, { ...layer, channelsLast: true })),
  ...['mean', 'max', 'norm'].map((work) => whole(work, 64 * M)),
  ...['sum', 'max', 'variance', 'argmax'].flatMap((work) => [0, 1].map((axis) => along(work, [65536, 1024], axis))),
  over('softmax', [65536, 1000]),
  over('softmax', [16384, 4096]),
  over('softmax', [16384, 4096], false, 0),
  over('logSoftmax', [16384, 4096]),
  over('logSoftmax', [16384, 4096], false, 0),
  // The scores of GPT-2.
  loss('crossEntropy', 4096, 50257),
  loss('crossEntropy', 4096, 50257, false, 0),
  layerNorm([65536, 1024]),
  layerNorm([65536, 1024], false, -1),
  ...images.flatMap((shape) => [batchNorm(shape), batchNorm(shape, false, -1)]),
].map((c) => ({ ...c, gpu: true }));
