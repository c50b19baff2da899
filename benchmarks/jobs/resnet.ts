import { models, nn, optim, randint, randn } from 'athanor';
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
