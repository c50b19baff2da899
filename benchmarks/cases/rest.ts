// Gather and scatter, random numbers, optimizers, and what a call costs.
import { type Case, count } from '../case.js';

const K = 1 << 10;
const M = 1 << 20;

const index: readonly Case[] = [
  {
    group: 'index',
    name: 'embedding 8192x256, 4096 indices',
    work: 'embedding',
    inputs: [{ shape: [8192, 256] }, { shape: [4096], dtype: 'int32', high: 8192 }],
    quick: true,
  },
  {
    group: 'index',
    name: 'embedding 8192x256, 4096 indices: gradient',
    work: 'embedding',
    inputs: [{ shape: [8192, 256] }, { shape: [4096], dtype: 'int32', high: 8192 }],
    gradient: 0,
    quick: true,
  },
  {
    group: 'index',
    name: 'gather 4096x1000, one of each row',
    work: 'gather',
    inputs: [{ shape: [4096, 1000] }, { shape: [4096, 1], dtype: 'int32', high: 1000 }],
    options: { axis: 1 },
    quick: true,
  },
  {
    group: 'index',
    name: 'scatterAdd 4096x64 into 1024x64',
    work: 'scatterAdd',
    inputs: [{ shape: [1024, 64] }, { shape: [4096, 64], dtype: 'int32', high: 1024 }, { shape: [4096, 64] }],
    options: { axis: 0 },
    quick: true,
  },
  {
    group: 'index',
    name: 'indexSelect 65536x128, 16384 rows',
    work: 'indexSelect',
    inputs: [{ shape: [65536, 128] }, { shape: [16384], dtype: 'int32', high: 65536 }],
    options: { axis: 0 },
    quick: true,
  },
  {
    group: 'index',
    name: 'indexAdd 16384x128 into 1024x128',
    work: 'indexAdd',
    inputs: [{ shape: [1024, 128] }, { shape: [16384], dtype: 'int32', high: 1024 }, { shape: [16384, 128] }],
    options: { axis: 0 },
    quick: true,
  },
  {
    group: 'index',
    name: 'oneHot 65536, 64 classes',
    work: 'oneHot',
    inputs: [{ shape: [65536], dtype: 'int32', high: 64 }],
    options: { classes: 64 },
    quick: true,
  },
  {
    group: 'index',
    name: 'concat 4 of 1024x256 along 1',
    work: 'concat',
    inputs: Array.from({ length: 4 }, () => ({ shape: [1024, 256] })),
    options: { axis: 1 },
    quick: true,
  },
  {
    group: 'index',
    name: 'pad 64x64x56x56 by 1',
    work: 'pad',
    inputs: [{ shape: [64, 64, 56, 56] }],
    options: { padding: [1, 1, 1, 1] },
    quick: true,
  },
];

const random: readonly Case[] = [
  ...['uniform', 'normal', 'bernoulli', 'randint', 'permutation'].flatMap((work): Case[] =>
    [M, 16 * M]
      .filter((size) => work !== 'permutation' || size === M)
      .map((size) => ({
        group: 'random',
        name: `${work} ${count(size)}`,
        work,
        inputs: [],
        options: { shape: [size] },
        random: true,
        quick: size === M,
      })),
  ),
  {
    group: 'random',
    name: 'dropout 1M',
    work: 'dropout',
    inputs: [{ shape: [M] }],
    options: { p: 0.5 },
    random: true,
    quick: true,
  },
];

/** Parameters of the reference MLP, and of one large tensor. */
const mlp: readonly (readonly number[])[] = [[512, 784], [512], [512, 512], [512], [10, 512], [10]];

function optimizer(work: string, label: string, shapes: readonly (readonly number[])[], quick = false): Case {
  // The norm of 16M numbers: PyTorch adds their squares in float32 and is 5e-4 off, athanor in float64.
  const tolerance = work === 'clipGradNorm' && !quick ? 1e-3 : undefined;
  const gradients = shapes.map((shape) => ({ shape, low: -0.01, high: 0.01 }));
  return {
    group: 'optim',
    name: `${work}, ${label}`,
    work,
    inputs: [...shapes.map((shape) => ({ shape })), ...gradients],
    quick,
    tolerance,
  };
}

const optim: readonly Case[] = ['sgdStep', 'adamStep', 'rmspropStep', 'adagradStep', 'clipGradNorm'].flatMap((work) => [
  optimizer(work, 'MLP 784-512-512-10', mlp, true),
  optimizer(work, '16M', [[16 * M]]),
]);

const overhead: readonly Case[] = [
  { group: 'overhead', name: 'add of 16 floats', work: 'add', inputs: [{ shape: [16] }, { shape: [16] }], quick: true },
  { group: 'overhead', name: 'add of 1K floats', work: 'add', inputs: [{ shape: [K] }, { shape: [K] }], quick: true },
  { group: 'overhead', name: 'relu of 16 floats', work: 'relu', inputs: [{ shape: [16] }], quick: true },
  { group: 'overhead', name: 'sum of 16 floats', work: 'sum', inputs: [{ shape: [16] }] },
  {
    group: 'overhead',
    name: 'matmul 8x8x8',
    work: 'matmul',
    inputs: [{ shape: [8, 8] }, { shape: [8, 8] }],
    quick: true,
  },
  { group: 'overhead', name: 'matmul 16x16x16', work: 'matmul', inputs: [{ shape: [16, 16] }, { shape: [16, 16] }] },
];

export const cases: readonly Case[] = [...overhead, ...index, ...random, ...optim];
