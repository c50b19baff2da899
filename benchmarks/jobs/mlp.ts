// Perceptrons: a tiny one that is all call overhead, and the reference MLP, trained and evaluated.
import { nn, optim, randint, randn } from 'athanor';
import * as flops from './flops.js';
import type { Job } from './job.js';
import { inference, training } from './run.js';

function tiny(): nn.Module {
  return new nn.Sequential(new nn.Linear(2, 16), new nn.Tanh(), new nn.Linear(16, 2));
}

function mlp(): nn.Module {
  const { Linear, ReLU } = nn;
  return new nn.Sequential(new Linear(784, 512), new ReLU(), new Linear(512, 512), new ReLU(), new Linear(512, 10));
}

const mlpLayers = (rows: number) => [
  flops.linear(rows, 784, 512),
  flops.linear(rows, 512, 512),
  flops.linear(rows, 512, 10),
];

/** The 2-16-2 training step. */
export const trainTiny: Job = {
  name: 'train MLP 2-16-2, batch 32, SGD',
  work: 'tiny',
  kind: 'train',
  batch: 32,
  flops: flops.training([flops.linear(32, 2, 16), flops.linear(32, 16, 2)]),
  build: () =>
    training(
      tiny,
      (model) => new optim.SGD(model.parameters(), { lr: 0.01 }),
      () => ({ x: randn([32, 2]), target: randint(0, 2, [32]) }),
    ),
};

/** The training step of the reference MLP. */
export const trainMlp: Job = {
  name: 'train MLP 784-512-512-10, batch 128, Adam',
  work: 'mlp',
  kind: 'train',
  batch: 128,
  flops: flops.training(mlpLayers(128)),
  build: () =>
    training(
      mlp,
      (model) => new optim.Adam(model.parameters(), { lr: 0.001 }),
      () => ({ x: randn([128, 784]), target: randint(0, 10, [128]) }),
    ),
};

/** One sample through the reference MLP. */
export const inferMlp: Job = {
  name: 'infer MLP 784-512-512-10, batch 1',
  work: 'mlp1',
  kind: 'infer',
  batch: 1,
  flops: mlpLayers(1).reduce((a, b) => a + b),
  build: () => inference(mlp, () => randn([1, 784])),
};
