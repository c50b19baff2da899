import type { Case, InputSpec } from '../case.js';

const tooMany = 'the gradient of so many elements takes too long one by one';
const shapes = [[5], [3, 4], [2, 1, 3], [], [70], [0, 3]];

/** Inputs and targets from different ranges have no difference near 0, where |x| has no second derivative. */
const apart: Partial<InputSpec>[] = [{ low: 0.5 }, { high: 0.2 }];
const chances: Partial<InputSpec>[] = [{}, { low: 0, high: 1 }];

function losses(specs: Partial<InputSpec>[]): Case[] {
  const one = (shape: number[], divisor: number) => ({
    inputs: specs.map((spec) => ({ ...spec, shape })),
    attrs: { divisor },
  });
  return [
    ...shapes.map((shape) => one(shape, 3)),
    { ...one([50000], 50000), skipGrad: tooMany },
    { ...one([301, 111], 1), skipGrad: tooMany },
  ];
}

const gradients = (specs: Partial<InputSpec>[]): Case[] =>
  losses(specs).map((c) => ({ ...c, inputs: [{ shape: [] }, ...c.inputs] }));

export const cases: Record<string, Case[]> = {
  mseLoss: losses([{}, {}]),
  mseLossGrad: gradients([{}, {}]),
  l1Loss: losses(apart),
  l1LossGrad: gradients(apart),
  bceLoss: losses(chances),
  bceLossGrad: gradients(chances),
};
