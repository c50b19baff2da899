import { nn, optim, randint, randn } from 'athanor';
import * as flops from './flops.js';
import type { Job } from './job.js';
import { training } from './run.js';

function lenet5(): nn.Module {
  const { Conv2d, Flatten, Linear, MaxPool2d, ReLU } = nn;
  return new nn.Sequential(
    new Conv2d(1, 6, 5, { padding: 2 }),
    new ReLU(),
    new MaxPool2d(2),
    new Conv2d(6, 16, 5),
    new ReLU(),
    new MaxPool2d(2),
    new Flatten(),
    new Linear(400, 120),
    new ReLU(),
    new Linear(120, 84),
    new ReLU(),
    new Linear(84, 10),
  );
}

/** The training step of LeNet-5 on digits of 28 x 28. */
export const trainLenet5: Job = {
  name: 'train LeNet-5, batch 128, SGD momentum',
  work: 'lenet5',
  kind: 'train',
  batch: 128,
  flops: flops.training([
    flops.conv(128, 1, 6, 5, 28),
    flops.conv(128, 6, 16, 5, 10),
    flops.linear(128, 400, 120),
    flops.linear(128, 120, 84),
    flops.linear(128, 84, 10),
  ]),
  build: () =>
    training(
      lenet5,
      (model) => new optim.SGD(model.parameters(), { lr: 0.01, momentum: 0.9 }),
      () => ({ x: randn([128, 1, 28, 28]), target: randint(0, 10, [128]) }),
    ),
};
