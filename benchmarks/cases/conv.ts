// Convolutions: the layers of LeNet-5, ResNet-20 and ResNet-18/50 at batch 1 and 64 in all three directions; depthwise,
// strided, dilated and 1x1 ones.
import type { Case } from '../case.js';

/** A convolution. */
export interface Layer {
  readonly channels: number;
  readonly size: number;
  readonly out: number;
  readonly kernel: number;
  readonly stride?: number;
  readonly padding?: number;
  readonly dilation?: number;
  readonly groups?: number;
  readonly bias?: boolean;
  readonly channelsLast?: boolean;
}

const directions = ['', ': input gradient', ': weight gradient'] as const;

/** The forward pass and both gradients of a layer; `quick` says which of the three a quick run has. */
export function conv(batch: number, layer: Layer, quick: readonly number[] = []): Case[] {
  const {
    channels,
    size,
    out,
    kernel,
    stride = 1,
    padding = 0,
    dilation = 1,
    groups = 1,
    bias = false,
    channelsLast,
  } = layer;
  const notes = [
    `${kernel}x${kernel}`,
    stride > 1 ? `stride ${stride}` : '',
    dilation > 1 ? `dilation ${dilation}` : '',
    groups > 1 ? (groups === channels ? 'depthwise' : `${groups} groups`) : '',
    bias ? 'bias' : '',
    channelsLast ? 'channels last' : '',
  ].filter((note) => note !== '');
  const weight = { shape: [out, channels / groups, kernel, kernel], low: -0.5, high: 0.5 };
  return directions.map(
    (direction, i): Case => ({
      group: 'conv',
      name: `conv2d ${batch}x${channels}x${size}x${size} to ${out}, ${notes.join(', ')}${direction}`,
      work: 'conv2d',
      inputs: [{ shape: [batch, channels, size, size], channelsLast }, weight, ...(bias ? [{ shape: [out] }] : [])],
      options: { stride, padding, dilation, groups },
      gradient: i === 0 ? undefined : i - 1,
      quick: quick.includes(i),
    }),
  );
}

const all = [0, 1, 2];
const lenet: readonly Layer[] = [
  { channels: 1, size: 28, out: 6, kernel: 5, padding: 2, bias: true },
  { channels: 6, size: 14, out: 16, kernel: 5, bias: true },
];
const resnet20: readonly Layer[] = [
  { channels: 3, size: 32, out: 16, kernel: 3, padding: 1 },
  { channels: 16, size: 32, out: 16, kernel: 3, padding: 1 },
  { channels: 16, size: 32, out: 32, kernel: 3, stride: 2, padding: 1 },
  { channels: 32, size: 16, out: 32, kernel: 3, padding: 1 },
  { channels: 32, size: 16, out: 64, kernel: 3, stride: 2, padding: 1 },
  { channels: 64, size: 8, out: 64, kernel: 3, padding: 1 },
];
const resnet18: readonly Layer[] = [
  { channels: 3, size: 224, out: 64, kernel: 7, stride: 2, padding: 3 },
  { channels: 64, size: 56, out: 64, kernel: 3, padding: 1 },
  { channels: 64, size: 56, out: 128, kernel: 3, stride: 2, padding: 1 },
  { channels: 128, size: 28, out: 128, kernel: 3, padding: 1 },
  { channels: 128, size: 28, out: 256, kernel: 3, stride: 2, padding: 1 },
  { channels: 256, size: 14, out: 256, kernel: 3, padding: 1 },
  { channels: 256, size: 14, out: 512, kernel: 3, stride: 2, padding: 1 },
  { channels: 512, size: 7, out: 512, kernel: 3, padding: 1 },
  { channels: 64, size: 56, out: 128, kernel: 1, stride: 2 },
];
const resnet50: readonly Layer[] = [
  { channels: 64, size: 56, out: 64, kernel: 1 },
  { channels: 64, size: 56, out: 256, kernel: 1 },
  { channels: 256, size: 56, out: 64, kernel: 1 },
  { channels: 512, size: 28, out: 128, kernel: 1 },
  { channels: 1024, size: 14, out: 256, kernel: 1 },
  { channels: 512, size: 7, out: 2048, kernel: 1 },
];

/** A layer with bias and relu, its weight packed before the clock runs. */
function prepared({ channels, size, out, kernel, stride = 1, padding = 0 }: Layer, quick = false): Case {
  return {
    group: 'conv',
    name: `conv2d 1x${channels}x${size}x${size} to ${out}, ${kernel}x${kernel}${stride > 1 ? `, stride ${stride}` : ''}, bias, relu, prepared`,
    work: 'conv2dPrepared',
    prepares: true,
    inputs: [
      { shape: [1, channels, size, size] },
      { shape: [out, channels, kernel, kernel], low: -0.5, high: 0.5 },
      { shape: [out] },
    ],
    options: { stride, padding, dilation: 1, groups: 1 },
    quick,
  };
}

/** Packing that weight, once for many calls. */
function packing(layer: Layer): Case {
  const { channels, out, kernel } = layer;
  const name = `conv2d ${channels} to ${out}, ${kernel}x${kernel}: weight packed`;
  return { ...prepared(layer, true), name, work: 'conv2dPreparation', prepares: false, preparation: true };
}

export const cases: readonly Case[] = [
  ...lenet.flatMap((layer) => conv(128, layer, all)),
  ...lenet.flatMap((layer) => conv(1, layer)),
  ...resnet20.flatMap((layer) => conv(128, layer, [16].includes(layer.channels) && layer.out === 16 ? all : [])),
  ...resnet18.flatMap((layer) => conv(1, layer, layer.size === 14 && layer.out === 256 ? all : [])),
  ...resnet18.map((layer) => prepared(layer, layer.channels === 512)),
  packing({ channels: 256, size: 14, out: 256, kernel: 3, padding: 1 }),
  ...resnet18.flatMap((layer) => conv(64, layer)),
  ...resnet50.flatMap((layer) => conv(1, layer, layer.channels === 512 && layer.out === 128 ? all : [])),
  ...resnet50.flatMap((layer) => conv(64, layer)),
  ...conv(16, { channels: 64, size: 56, out: 64, kernel: 3, padding: 1 }, [0]),
  // Depthwise, as in MobileNet; grouped, as in ResNeXt; dilated, as in segmentation.
  ...conv(32, { channels: 32, size: 112, out: 32, kernel: 3, padding: 1, groups: 32 }),
  ...conv(32, { channels: 144, size: 28, out: 144, kernel: 3, padding: 1, groups: 144 }, all),
  ...conv(32, { channels: 144, size: 56, out: 144, kernel: 3, stride: 2, padding: 1, groups: 144 }),
  ...conv(16, { channels: 128, size: 28, out: 128, kernel: 3, padding: 1, groups: 32 }),
  ...conv(16, { channels: 128, size: 28, out: 128, kernel: 3, padding: 2, dilation: 2 }, [0]),
  {
    group: 'conv',
    name: 'convTranspose2d 16x64x28x28 to 32, 2x2, stride 2',
    work: 'convTranspose2d',
    inputs: [{ shape: [16, 64, 28, 28] }, { shape: [64, 32, 2, 2] }],
    options: { stride: 2 },
    quick: true,
  },
];
