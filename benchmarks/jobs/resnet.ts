import { models, nn, optim, randint, randn, type Tensor } from 'athanor';
import * as flops from './flops.js';
import type { Job } from './job.js';
import { inference, training } from './run.js';

/** The convolutions of a stage of basic blocks that end at `size` x `size` pixels. */
function stage(batch: number, inputs: number, outputs: number, blocks: number, size: number): number[] {
  const convs = Array.from({ length: 2 * blocks }, (_, i) =>
    flops.conv(batch, i === 0 ? inputs : outputs, outputs, 3, size),
  );
  return inputs === outputs ? convs : [...convs, flops.conv(batch, inputs, outputs, 1, size)];
}

const cifarLayers = (batch: number) => [
  flops.conv(batch, 3, 16, 3, 32),
  ...stage(batch, 16, 16, 3, 32),
  ...stage(batch, 16, 32, 3, 16),
  ...stage(batch, 32, 64, 3, 8),
  flops.linear(batch, 64, 10),
];

const imageNetLayers = [
  flops.conv(1, 3, 64, 7, 112),
  ...stage(1, 64, 64, 2, 56),
  ...stage(1, 64, 128, 2, 28),
  ...stage(1, 128, 256, 2, 14),
  ...stage(1, 256, 512, 2, 7),
  flops.linear(1, 512, 1000),
];

/** The training step of ResNet-20 on images of CIFAR's size. */
export const trainResnet20: Job = {
  name: 'train ResNet-20 CIFAR, batch 128, SGD momentum',
  work: 'resnet20',
  kind: 'train',
  batch: 128,
  flops: flops.training(cifarLayers(128)),
  build: () =>
    training(
      () => models.resnet20(),
      (model) => new optim.SGD(model.parameters(), { lr: 0.01, momentum: 0.9 }),
      () => ({ x: randn([128, 3, 32, 32]), target: randint(0, 10, [128]) }),
    ),
};

/** The convolutions of a stage of ResNet-50, whose blocks end at `size` x `size` pixels; the first may halve them. */
function bottlenecks(batch: number, inputs: number, width: number, blocks: number, size: number, stride: number) {
  const out = 4 * width;
  const layers = Array.from({ length: blocks }, (_, i) => [
    flops.conv(batch, i === 0 ? inputs : out, width, 1, i === 0 ? size * stride : size),
    flops.conv(batch, width, width, 3, size),
    flops.conv(batch, width, out, 1, size),
  ]);
  return [...layers.flat(), flops.conv(batch, inputs, out, 1, size)];
}

const resnet50Layers = (batch: number, size: number, classes: number) => [
  flops.conv(batch, 3, 64, 7, size / 2),
  ...bottlenecks(batch, 64, 64, 3, size / 4, 1),
  ...bottlenecks(batch, 256, 128, 4, size / 8, 2),
  ...bottlenecks(batch, 512, 256, 6, size / 16, 2),
  ...bottlenecks(batch, 1024, 512, 3, size / 32, 2),
  flops.linear(batch, 2048, classes),
];

/**
 * ResNet-50 whose blocks start as their shortcuts: the last norm of each scales by 0 (Goyal and others, "Accurate, large
 * minibatch SGD", 2017). Started otherwise, a few images grow differences of rounding to some hundredths of the loss in a
 * step, and no two libraries could be compared.
 */
function calmResnet50(classes: number): nn.Module {
  const model = models.resnet50({ numClasses: classes });
  for (const layer of model.modules())
    if (layer instanceof models.Bottleneck) nn.init.zeros_(layer.bn3.weight as Tensor);
  return model;
}

function resnet50(name: string, batch: number, size: number, classes: number): Job {
  return {
    name,
    work: 'resnet50',
    kind: 'train',
    batch,
    flops: flops.training(resnet50Layers(batch, size, classes)),
    items: { count: batch, unit: 'img' },
    build: () =>
      training(
        () => calmResnet50(classes),
        (model) => new optim.SGD(model.parameters(), { lr: 0.01, momentum: 0.9 }),
        () => ({ x: randn([batch, 3, size, size]), target: randint(0, classes, [batch]) }),
      ),
  };
}

/** The training step of ResNet-50, and the same on a processor in seconds. */
export const trainResnet50: Job = {
  ...resnet50('train ResNet-50 224x224, batch 128, SGD momentum', 128, 224, 1000),
  gpu: true,
  small: resnet50('train ResNet-50 in small: 64x64, batch 4, SGD momentum', 4, 64, 10),
};

/** One image through ResNet-18. */
export const inferResnet18: Job = {
  name: 'infer ResNet-18 224x224, batch 1',
  work: 'resnet18',
  kind: 'infer',
  batch: 1,
  flops: imageNetLayers.reduce((a, b) => a + b),
  build: () =>
    inference(
      () => models.resnet18(),
      () => randn([1, 3, 224, 224]),
      nn.prepareInference,
    ),
};
